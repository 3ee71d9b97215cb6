"""The command: real trainings once, then what stops it and what it repeats."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from motionflow.commands import sweep
from motionflow.training import sweep as runs

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
FAKE = [sys.executable, str(ROOT / "tests/fake_training.py")]


@pytest.fixture
def run(call, monkeypatch, data):
    """Runs the command: exit code, lines of output, of errors."""

    def run_tool(output_dir, *arguments, base="--epochs=2", command=FAKE):
        base = f"--base=--data_dir={data.path} {base}"
        monkeypatch.setattr(runs, "TRAIN", command)
        code, out, err = call(sweep, f"--output_dir={output_dir}", base, *arguments)
        return code, out.splitlines(), err.splitlines()

    return run_tool


def cells_of(lines):
    rows = [line for line in lines if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_the_command_trains_and_is_not_repeated(tmp_path, run):
    base = "--width=0.05 --batch_size=4 --epochs=1 --checkpoint_steps=0"
    code, (first, *lines), errors = run(
        tmp_path, "--grid=mirror=false", base=base, command=runs.TRAIN
    )
    assert code == 0, lines + errors
    assert any("1/1" in line for line in errors)  # the progress bar, in epochs
    assert first == f"{tmp_path}: 0 of 1 runs were finished before"
    (row,) = cells_of(lines)
    assert (row["mirror"], row["epochs"]) == ("false", "1")
    assert 0 < float(row["val_cross_entropy"]) < 9 * 20  # nine cells
    assert 0 <= float(row["train_mean_recall"]) <= 1
    text = (tmp_path / "mirror=false/flags.txt").read_text()
    assert "--mirror=False\n" in text and "--width=0.05\n" in text
    # Nothing is started again: the command could not run.
    code, again, _ = run(tmp_path, "--grid=mirror=false", base=base, command=["/none"])
    assert (code, again[0]) == (0, f"{tmp_path}: 1 of 1 runs were finished before")
    assert again[1:] == lines == (tmp_path / "sweep.md").read_text().splitlines()


def test_a_failure_is_tried_again_and_what_is_finished_is_not(tmp_path, run):
    arguments = ["--grid=dropout=0,0.5", "--run=", "--run=learning_rate=3e-4 seed=1"]
    for attempt in (1, 2):
        code, lines, _ = run(tmp_path, *arguments)
        assert code == 1
        assert f": {2 * (attempt - 1)} of 4 runs " in lines[0]
        rows = cells_of(lines)
        assert [(row["dropout"], row["val_cross_entropy"]) for row in rows] == [
            ("0", "0.3"),
            ("0", "1"),
            ("0.5", "-"),
            ("0.5", "-"),
        ]
        failed = [line for line in lines if " failed: " in line]
        assert len(failed) == 2
        assert failed[0].endswith(
            "=0.5 failed: exit code 1: error: half of it is too much"
        )
    attempts = {p.parent.name: p.read_text() for p in tmp_path.glob("*/attempts.txt")}
    assert attempts == {
        "dropout=0": "x",
        "dropout=0.5": "xx",
        "learning_rate=3e-4+seed=1+dropout=0": "x",
        "learning_rate=3e-4+seed=1+dropout=0.5": "xx",
    }


def test_more_values_and_more_epochs_train_what_is_missing(tmp_path, run):
    run(tmp_path, "--grid=seed=0,1")
    _, lines, _ = run(tmp_path, "--grid=seed=0,1,2")
    assert ": 2 of 3 runs " in lines[0]
    _, lines, _ = run(tmp_path, "--grid=seed=0,1,2", base="--epochs=3")
    assert ": 0 of 3 runs " in lines[0]
    assert [row["epochs"] for row in cells_of(lines)] == ["3"] * 3


def test_sigterm_lets_the_running_training_save(tmp_path, run):
    started, saved = (tmp_path / "seed=7" / name for name in ("started", "saved"))

    def stop():
        while not started.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop, daemon=True).start()
    code, lines, errors = run(tmp_path, "--grid=seed=7,8")
    assert code == 143 and len(lines) == 1
    assert errors[-1] == "stopped; the same command goes on"
    assert saved.exists() and not (tmp_path / "seed=8").exists()


def test_a_wrong_flag_ends_it_before_the_first_training(tmp_path, run):
    wrong = ["--grid=seed=1,2", "--run=", "--run=droput=0"]
    code, _, errors = run(tmp_path / "out", *wrong)
    assert code == 1 and "'droput'. Did you mean: dropout" in errors[-1]
    assert not (tmp_path / "out").exists()
