"""Tables: what stands where, on numbers written by hand."""

from motionflow import tables


def masked(count, epe, top1, top5):
    scores = {"count": count, "epe": epe, "dir": 0.25, "ori": 0.5}
    return scores | {"top1": top1, "top5": top5, "top10": top5}


def result(recall, top1, top5):
    masks = {
        "all": masked(1200, 1.25, top1, top5),
        "canny": masked(0, None, None, None) | {"dir": None, "ori": None},
        "nz": masked(300, 3.5, top1, top5),
    }
    precision = None if recall is None else recall / 2
    return {
        "masks": masks,
        "recall": recall,
        "precision": precision,
        "num_classes_true": 8,
    }


SUMMARY = {
    "model": "allconv",
    "num_parameters": 7159848,
    "split": "test",
    "num_samples": 3,
    "chance": {"dir": 0.0, "ori": 0.63662, "recall": 0.125},
    "results": {
        "model": result(0.11, 0.75, 0.9),
        "zero flow": result(0.1, 0.7, None),
        "mean flow": result(None, None, None),
    },
}


def sections() -> dict[str, list[list[str]]]:
    """Cells of each table by its heading."""
    found, heading = {}, ""
    for line in tables.format_tables(SUMMARY).splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
            found[heading] = []
        if line.startswith("|"):
            found[heading].append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_report_tables():
    found = sections()
    table3 = found["Classification (the report's Table 3)"]
    assert table3[0] == ["Model", "Recall", "Precision", "Top-1", "Top-5", "Top-10"]
    assert table3[2] == ["allconv", "11.00", "5.50", "75.00", "90.00", "90.00"]
    assert table3[3] == ["zero flow", "10.00", "5.00", "70.00", "-", "-"]
    assert table3[4] == ["mean flow", "-", "-", "-", "-", "-"]
    table4 = found["Flow (the report's Table 4)"]
    assert table4[0] == ["Model", "L2", "Dir", "Ori", "Top-5", "Top-10", "#params"]
    assert table4[2][1:] == ["1.250", "0.250", "0.500", "90.00", "90.00", "7,159,848"]
    assert table4[3][-1] == "-"


def test_masks():
    table = sections()["By mask"]
    assert [row[:2] for row in table[2:5]] == [
        ["all", "allconv"],
        ["all", "zero flow"],
        ["all", "mean flow"],
    ]
    assert {tuple(row[2:]) for row in table[5:8]} == {("-",) * 6}  # no Canny cell
    assert table[8][:3] == ["nz", "allconv", "3.500"]


def test_notes_and_layout():
    text = tables.format_tables(SUMMARY)
    assert text.startswith("# allconv on test\n")
    assert "cells: all 1,200, canny 0, nz 300" in text
    assert "the 8 classes that occur" in text and "recall 12.50" in text
    assert "Ori 0.637" in text
    # Columns line up in a terminal: the bars of a table stand below each other.
    for block in text.split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        bars = {tuple(i for i, c in enumerate(row) if c == "|") for row in rows}
        assert len(bars) <= 1
