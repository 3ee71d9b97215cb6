"""The table of a sweep, from results written by hand."""

import csv
import json
from pathlib import Path

import pytest

from motionflow.training.sweep import Run, write_table

METRICS = {"loss": 2.5, "cross_entropy": 1.25, "top1": 0.123456, "top10": 0.9}


def result(cross_entropy, **changes):
    return {
        "epochs": 2,
        "best_epoch": 1,
        "training": METRICS,
        "validation": METRICS | {"cross_entropy": cross_entropy},
        "seconds": 12345.6,
        "tensorflow": "2.15.0",
    } | changes


@pytest.fixture
def run(tmp_path):
    """Makes a run with a result."""

    def make(name, flags, found):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(json.dumps(found))
        return Run(tmp_path / name, flags, [], {})

    return make


def read_csv(folder):
    with (folder / "sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table(run, tmp_path):
    runs = [
        run("a", {"dropout": "0"}, result(30.0)),
        run("b", {"dropout": "0.1", "model": "walker"}, result(1.0)),
        run("c", {"dropout": "0.2"}, result(4.0)),  # of fewer epochs, long ago
        run("d", {"model": "alexnet"}, result(200.0)),
    ]
    failures = {runs[2].path: "exit code 1: error: why"}
    text = write_table(runs, failures, tmp_path)
    assert (tmp_path / "sweep.md").read_text() == text + "\n"
    # fmt: off
    expected = [
        "| dropout | model   | epochs | val_cross_entropy | val_top1 "
        "| train_cross_entropy | train_top1 | best_epoch | seconds |",
        "| ------- | ------- | -----: | ----------------: | -------: "
        "| ------------------: | ---------: | ---------: | ------: |",
        "| 0.1     | walker  |      2 |                 1 |   0.1235 "
        "|                1.25 |     0.1235 |          1 |   12346 |",
        "| 0       | -       |      2 |                30 |   0.1235 "
        "|                1.25 |     0.1235 |          1 |   12346 |",
        "| -       | alexnet |      2 |               200 |   0.1235 "
        "|                1.25 |     0.1235 |          1 |   12346 |",
        "| 0.2     | -       |      - |                 - |        - "
        "|                   - |          - |          - |       - |",
    ]
    # fmt: on
    lines = text.splitlines()
    assert lines[5:11] == expected
    assert lines[12:] == [f"{runs[2].path} failed: exit code 1: error: why"]


def test_the_csv_has_all_numbers(run, tmp_path):
    runs = [run("a", {"dropout": "0"}, result(30.0)), run("b", {}, result(1.0))]
    write_table(runs, {runs[1].path: "exit code 1: a, b"}, tmp_path)
    first, second = read_csv(tmp_path)
    assert first == {
        "run": str(tmp_path / "a"),
        "dropout": "0",
        "epochs": "2",
        "val_loss": "2.5",
        "val_cross_entropy": "30.0",
        "val_top1": "0.123456",
        "val_top10": "0.9",
        "train_loss": "2.5",
        "train_cross_entropy": "1.25",
        "train_top1": "0.123456",
        "train_top10": "0.9",
        "best_epoch": "1",
        "seconds": "12345.6",
        "failed": "",
    }
    assert {key: value for key, value in second.items() if value} == {
        "run": str(tmp_path / "b"),
        "failed": "exit code 1: a, b",
    }


def test_metrics_that_only_some_results_have(run, tmp_path):
    """Such as those of a run without validation samples; it comes after the others."""
    runs = [
        run("a", {"seed": "0"}, result(0, validation=None)),
        run("b", {"seed": "1"}, result(5.0, training=METRICS | {"epe": 0.25})),
        run("c", {"seed": "2"}, result(4.0)),
    ]
    write_table(runs, {}, tmp_path)
    rows = read_csv(tmp_path)
    assert [Path(row["run"]).name for row in rows] == ["c", "b", "a"]
    assert [row["train_epe"] for row in rows] == ["", "0.25", ""]
    assert rows[2]["val_top1"] == "" and rows[2]["train_top1"] == "0.123456"


def test_epochs_can_be_swept(run, tmp_path):
    runs = [run("a", {"epochs": "2"}, result(30.0))]
    head = write_table(runs, {}, tmp_path).splitlines()[5]
    assert head.count("| epochs |") == 1
