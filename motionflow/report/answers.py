"""Is it any good? A model beside a still picture and the best baseline, in plain words.

    Evaluation, summary -> what is better and by how much, or is not shown to be better

By how much is the share of the other's error that the model takes away, 1 - model /
other, with its bootstrap interval. For the surprise (NLL) beside the class prior per
cell this is the skill. An interval that holds zero shows nothing.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from motionflow.scoring import bootstrap
from motionflow.scoring.bootstrap import Estimate
from motionflow.scoring.cells import MASKS
from motionflow.scoring.evaluation import Evaluation
from motionflow.scoring.scores import (
    MODEL,
    PRIOR,
    ZERO,
    Column,
    Score,
    columns,
    estimates,
    taken_away,
)
from motionflow.scoring.summary import Summary, baseline_names


@dataclasses.dataclass(frozen=True)
class _Error:
    """An error and how to talk about it; the smaller the better.

    Attributes:
      column: which.
      usual: the baseline that everybody asks about.
      usual_words: what that one is.
      subject, better, worse: of a sentence.
    """

    column: Column
    usual: str
    usual_words: str
    subject: str
    better: str
    worse: str


_EPE, _NLL = columns("epe_nz", "nll_all")
_MOTION = _Error(
    column=_EPE,
    usual=ZERO,
    usual_words="a still picture",
    subject="Where things move, its motion is",
    better="closer to the truth than",
    worse="further from the truth than",
)
_SURPRISE = _Error(
    column=_NLL,
    usual=PRIOR,
    usual_words="a forecast that only knows how things usually move at each place",
    subject="It is",
    better="less surprised by what really happens than",
    worse="more surprised by what really happens than",
)


@dataclasses.dataclass(frozen=True)
class Answer:
    """The model beside one baseline on one error.

    Attributes:
      outcome: "better", "tie", "worse" or "unknown".
      text: a sentence.
      numbers: the two errors; "" where one is not known.
    """

    outcome: str
    text: str
    numbers: str


def answer(summary: Summary, evaluation: Evaluation) -> list[Answer]:
    """Compares the model with the usual and with the best baseline on both errors.

    Args:
      summary: what metrics.json holds.
      evaluation: what it was made of.
    """
    how, found = summary["intervals"], []
    groups = evaluation.groups(how["unit"])
    weights = bootstrap.draw_weights(groups, how["num_draws"], how["seed"])
    for error in (_MOTION, _SURPRISE):
        values, column = _values(summary, error), error.column
        label = f"{column.label} in {column.score.unit}"
        for name, words in _others(values, error).items():
            gain = _gain(evaluation, column, name, weights)
            outcome, text = _in_words(gain, error, words)
            numbers = f"{label}: {values[MODEL]:.3f} against {values[name]:.3f}"
            found.append(Answer(outcome, text, numbers if outcome != "unknown" else ""))
    return found


def _values(summary: Summary, error: _Error) -> dict[str, float]:
    """Of the model and the baselines; NaN where one has none."""
    mask, key = error.column.mask, error.column.score.key
    found = {
        name: summary["results"][name]["masks"][mask][key]
        for name in (MODEL, *baseline_names(summary))
    }
    return {n: np.nan if value is None else value for n, value in found.items()}


def _others(values: Mapping[str, float], error: _Error) -> dict[str, str]:
    """Whom to compare with, and how to call them: {name: words}."""
    known = {n: v for n, v in values.items() if n != MODEL and not np.isnan(v)}
    best = min(known, key=known.__getitem__, default=None)
    words = {error.usual: error.usual_words}
    if best == error.usual:
        words[best] += " (the best baseline)"
    elif best is not None:
        words[best] = f"the best baseline, \u201c{best}\u201d"
    return words


def _gain(
    evaluation: Evaluation, column: Column, other: str, weights: np.ndarray
) -> Estimate:
    """The share of another row's error that the model takes away."""
    score = Score("gain", "", taken_away(column.score.key, other))
    rows = {n: {"cells": evaluation.rows[n]["cells"]} for n in (MODEL, other)}
    found = estimates(rows, weights, [score])
    return found[MODEL]["gain"][MASKS.index(column.mask)]


def _in_words(gain: Estimate, error: _Error, other: str) -> tuple[str, str]:
    """(outcome, sentence)."""
    subject, better = error.subject, error.better
    outcome = gain.verdict(larger_is_better=True)
    if outcome is None or gain.plain() is None:
        return "unknown", f"{subject} not compared with {other}: a score is missing."
    shares = gain.plain(), *gain.interval()
    if outcome == "worse":
        value, low, high = shares
        loss = _percent(-value, -high, -low)
        return outcome, f"{subject} {loss} {error.worse} {other}."
    share = _percent(*shares)
    if outcome == "better":
        return outcome, f"{subject} {share} {better} {other}."
    return outcome, f"{subject} not shown to be {better} {other}: {share}."


def _percent(*shares: float) -> str:
    """A share and its interval; no line breaks in it, and no minus before zero."""
    value, low, high = (f"{round(100 * share, 1) + 0.0:.1f}" for share in shares)
    return f"{value}\u00a0% [{low},\u00a0{high}]"
