"""The command: a run and a data directory -> report.html and all results."""

import json

import pytest

from motionflow.commands import report
from tests import tiny_run
from tests.html_page import Page

pytestmark = pytest.mark.slow


def test_command(call, tmp_path):
    data_dir = tiny_run.write_data(tmp_path / "data")
    run_dir = tiny_run.write_run(tmp_path / "tiny")
    own = [f"--run_dir={run_dir}", f"--data_dir={data_dir}", "--split=test"]
    done = call(report, *own, "--baselines=constant", "--seed=3", "--known=none")
    assert done.code == 0, done.err
    folder = run_dir / "evaluation" / "test"
    assert f"wrote {folder / 'report.html'}" in done.out
    assert {"metrics.json", "tables.md", "scores.npz"} <= {
        p.name for p in folder.iterdir()
    }
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    summary = json.loads((folder / "metrics.json").read_text())
    assert summary["intervals"]["seed"] == 3
    assert page.headings[0] == "tiny on the test split"
    assert "Only baselines that never look at the frame were run" in page.text
    assert "known" in page.ids and "With known motion" in page.tables
    assert "Cannot be told anything: tiny." in page.text
    # The tiny run was never trained.
    assert "no history of its training" in page.text
    assert str(tmp_path) not in page.text
