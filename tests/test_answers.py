"""What is said of hand-made errors, word by word."""

import numpy as np
import pytest

from motionflow.report.answers import answer
from motionflow.scoring.cells import CELL_COLUMNS, MASKS
from motionflow.scoring.evaluation import Evaluation

USUAL = "a forecast that only knows how things usually move at each place"
CLOSER = "Where things move, its motion is {} closer to the truth than {}."
LESS = "It is {} less surprised by what really happens than {}."


def ask(errors, unit="clip", sources=("s", "t"), **names):
    """Answers about {predictor: (EPE-nz, NLL) of two clips each}, None unknown."""
    sums, results = {}, {}
    for name, (motion, surprise) in errors.items():
        cells = np.full([2, len(MASKS), len(CELL_COLUMNS)], np.nan)
        masks = {mask: {"epe": None, "nll": None} for mask in MASKS}
        for mask, key, values in (("nz", "epe", motion), ("all", "nll", surprise)):
            if values is not None:
                cells[:, MASKS.index(mask), CELL_COLUMNS.index(key)] = values
                masks[mask][key] = sum(values) / 10  # of ten cells
        sums[name], results[name] = {"cells": cells}, {"masks": masks}
    summary = {
        "intervals": {"unit": unit, "num_draws": 200, "seed": 0},
        "decodings": [],
        "num_parameters": {"model": 1},
        "results": results,
    } | names
    clips, sources = np.array(["a", "b"]), np.array(sources)
    nothing = np.array([], int)
    found = answer(summary, Evaluation(clips, clips, sources, nothing, "", sums))
    return [
        (one.outcome, one.text.replace("\u00a0", " "), one.numbers) for one in found
    ]


def test_what_takes_a_quarter_of_every_error_away_is_better_by_a_quarter():
    errors = {
        "model": ((3, 6), (9, 18)),
        "zero flow": ((4, 8), None),
        "class prior per cell": ((4, 8), (12, 24)),
        "near": ((5, 10), (10, 20)),
    }
    motion, usual, best = ask(errors)
    quarter = "25.0 % [25.0, 25.0]"
    assert motion == (
        "better",
        CLOSER.format(quarter, "a still picture (the best baseline)"),
        "EPE-nz in pixels: 0.900 against 1.200",
    )
    assert usual[:2] == ("better", LESS.format(quarter, USUAL))
    tenth = "10.0 % [10.0, 10.0]"
    assert best == (
        "better",
        LESS.format(tenth, "the best baseline, \u201cnear\u201d"),
        "NLL in nats a cell: 2.700 against 3.000",
    )


def test_an_interval_that_holds_zero_shows_nothing():
    # A quarter less in one clip, a quarter more in the other.
    errors = {
        "model": ((3, 5), (3, 5)),
        "zero flow": ((4, 4), None),
        "class prior per cell": ((4, 4), (4, 4)),
    }
    motion, surprise = ask(errors)
    assert motion[:2] == (
        "tie",
        "Where things move, its motion is not shown to be closer to the truth than a "
        "still picture (the best baseline): 0.0 % [-25.0, 25.0].",
    )
    assert surprise[:2] == (
        "tie",
        "It is not shown to be less surprised by what really happens than "
        f"{USUAL} (the best baseline): 0.0 % [-25.0, 25.0].",
    )
    # One source: every draw holds both clips.
    motion, _ = ask(errors, unit="source", sources=("s", "s"))
    assert motion[0] == "tie" and motion[1].endswith("0.0 % [0.0, 0.0].")


def test_worse_is_said_to_be_worse_by_how_much():
    errors = {
        "model": ((5, 10), (6, 15)),
        "zero flow": ((4, 8), None),
        "class prior per cell": ((4, 8), (4, 12)),
    }
    motion, surprise = ask(errors)
    assert motion[:2] == (
        "worse",
        "Where things move, its motion is 25.0 % [25.0, 25.0] further from the truth "
        "than a still picture (the best baseline).",
    )
    # A half more in one clip, a quarter in the other, 21 for 16 in both.
    assert surprise[1].startswith("It is 31.2 % [25.0, 50.0] more surprised by")


def test_the_best_baseline_is_neither_a_decoding_nor_another_model():
    errors = {
        "model": ((3, 6), (9, 18)),
        "model, mode": ((1, 2), None),
        "rival": ((1, 2), (1, 2)),
        "zero flow": ((6, 12), None),
        "class prior per cell": ((4, 8), (12, 24)),
    }
    others = {"model": 1, "rival": 1}
    texts = [
        t for _, t, _ in ask(errors, decodings=["model, mode"], num_parameters=others)
    ]
    assert len(texts) == 3
    assert texts[0] == CLOSER.format("50.0 % [50.0, 50.0]", "a still picture")
    assert "the best baseline, \u201cclass prior per cell\u201d" in texts[1]
    assert texts[2].endswith(f"{USUAL} (the best baseline).")


@pytest.mark.parametrize("lacks", ["model", "all"])
def test_a_missing_score_is_not_compared(lacks):
    motion = None if lacks == "all" else (4, 8)
    errors = {
        "model": (motion, None),
        "zero flow": (motion, None),
        "class prior per cell": (motion, (4, 4) if lacks == "model" else None),
    }
    found = ask(errors)[-1]
    best = " (the best baseline)" if lacks == "model" else ""
    assert found == (
        "unknown",
        f"It is not compared with {USUAL}{best}: a score is missing.",
        "",
    )
    assert ask(errors)[0][0] == ("unknown" if lacks == "all" else "tie")
