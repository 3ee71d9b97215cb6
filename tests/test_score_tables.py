"""What stands where in the tables, on an evaluation whose numbers are known."""

import numpy as np
import pytest

from motionflow.scoring import summary, tables
from tests.test_summary import SHARES, evaluation


@pytest.fixture(scope="module")
def found():
    measured = evaluation(SHARES)
    return {
        "model": "allconv",
        "num_parameters": {"model": 7159848},
        "split": "test",
        "classes_agree": True,
        "decodings": [],
        **summary.summarize(measured, num_draws=500),
    }


def table(found, title):
    """Rows of the table whose title begins so, by their first cell."""
    (chosen,) = (t for t in tables.score_tables(found) if t.title.startswith(title))
    width = len(chosen.head)
    assert all(len(row) == width for row in chosen.rows)
    return chosen, {
        row[0]: dict(zip(chosen.head, row, strict=True)) for row in chosen.rows
    }


def test_report_tables(found):
    _, rows = table(found, "Classification")
    assert list(rows) == ["allconv", "zero flow", "class prior per cell"]
    # The model says "right" in clips where that has more than a third: .25 + share / 2
    # against the rest, so in all of them; still cells are called still.
    assert rows["allconv"]["Top-1"] == rows["allconv"]["Recall"] == "100.00"
    assert rows["zero flow"]["Top-1"] == "50.00"
    _, rows = table(found, "Flow")
    assert rows["allconv"] == {
        "Model": "allconv",
        "L2": "1.000",  # 2 px over moving cells, which are one half
        "Dir": "0.500",
        "Ori": "0.500",
        "Top-5": "100.00",
        "Top-10": "100.00",
        "#params": "7,159,848",
    }
    assert rows["zero flow"]["#params"] == "-"


def test_headline_and_differences(found):
    _, rows = table(found, "Skill")
    # 4 (1 - share) over the clips: 1.96 standard errors are 0.42.
    assert rows["allconv"]["EPE-nz"].startswith("2.000 [1.6")
    assert rows["zero flow"]["EPE-nz"] == "4.000 [4.000, 4.000]"
    assert rows["zero flow"]["NLL"] == rows["zero flow"]["Skill"] == "-"
    assert rows["class prior per cell"]["Skill"] == "0.00 [0.00, 0.00]"
    _, rows = table(found, "Is it better?")
    assert rows["zero flow"]["EPE-nz"].startswith("-2.000 [-2.")
    assert rows["zero flow"]["EPE-nz"].endswith("better")
    assert rows["zero flow"]["NLL"] == "-"
    assert rows["class prior per cell"]["EPE-nz"].endswith("tie")


def test_masks_and_buckets(found):
    chosen, _ = table(found, "By mask")
    assert [row[0] for row in chosen.rows] == ["all"] * 3 + ["canny"] * 3 + ["nz"] * 3
    canny = [row[2:] for row in chosen.rows if row[0] == "canny"]
    assert {cell for row in canny for cell in row} == {"-"}  # no edges anywhere
    _, rows = table(found, "EPE by true magnitude")
    share = rows["share of cells, %"]
    assert share["from 0 px"] == share["from 4 px"] == "50.00"
    assert rows["allconv"]["from 4 px"] == "2.000"
    assert rows["allconv"]["from 8 px"] == "-"


def test_reliability_and_actions(found):
    chosen, _ = table(found, "Reliability")
    shares = np.array([float(row[0]) for row in chosen.rows])
    assert shares.sum() == pytest.approx(100, abs=0.05) and shares.all()
    _, rows = table(found, "By action")
    assert list(rows) == ["run", "sit"]
    assert rows["run"]["Clips"] == rows["run"]["Frames"] == "6"
    assert rows["run"]["EPE-nz of zero flow"] == "4.000"


def test_introduction(found):
    text = tables.introduction(found)
    assert "12 frames of 12 clips from 6 sources" in text
    assert "all 48, canny 0, nz 24" in text
    assert "recall 50.00" in text and "Ori 0.637" in text
    assert "flow space only" not in text
    text = tables.introduction(found | {"classes_agree": False})
    assert "flow space only" in text
