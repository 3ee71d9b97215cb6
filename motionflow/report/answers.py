"""Is it any good? A model beside a still picture and the best baseline, in plain words.

    Evaluation, summary -> what is better and by how much, or is not shown to be better

By how much is the share of the other's error that the model takes away, 1 - model /
other, with its bootstrap interval. For the surprise (NLL) beside the class prior per
cell this is the skill. An interval that holds zero shows nothing.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from motionflow.report.verdict import baseline_names
from motionflow.scoring import bootstrap
from motionflow.scoring.cells import MASKS
from motionflow.scoring.clip_sums import CELL_COLUMNS
from motionflow.scoring.evaluation import Evaluation
from motionflow.scoring.summary import MODEL, PRIOR, ZERO


@dataclasses.dataclass(frozen=True)
class _Error:
    """An error and how to talk about it; the smaller the better.

    Attributes:
      key, mask: which.
      label: its name in the tables, and its unit.
      usual: the baseline that everybody asks about.
      usual_words: what that one is.
      subject, better, worse: of a sentence.
    """

    key: str
    mask: str
    label: str
    usual: str
    usual_words: str
    subject: str
    better: str
    worse: str


_MOTION = _Error(
    key="epe",
    mask="nz",
    label="EPE-nz in pixels",
    usual=ZERO,
    usual_words="a still picture",
    subject="Where things move, its motion is",
    better="closer to the truth than",
    worse="further from the truth than",
)
_SURPRISE = _Error(
    key="nll",
    mask="all",
    label="NLL in nats a cell",
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


def answer(summary: Mapping, evaluation: Evaluation) -> list[Answer]:
    """Compares the model with the usual and with the best baseline on both errors.

    Args:
      summary: what metrics.json holds.
      evaluation: what it was made of.
    """
    how, found = summary["intervals"], []
    groups = evaluation.clips if how["unit"] == "clip" else evaluation.sources
    weights = bootstrap.draw_weights(groups, how["num_draws"], how["seed"])
    for error in (_MOTION, _SURPRISE):
        values = _values(summary, error)
        for name, words in _others(values, error).items():
            ours, theirs = (_sums(evaluation, error, n) for n in (MODEL, name))
            gain, bounds = _gain(ours, theirs, weights)
            outcome, text = _in_words(gain, bounds, error, words)
            numbers = f"{error.label}: {values[MODEL]:.3f} against {values[name]:.3f}"
            found.append(Answer(outcome, text, numbers if outcome != "unknown" else ""))
    return found


def _values(summary: Mapping, error: _Error) -> dict[str, float]:
    """Of the model and the baselines; NaN where one has none."""
    found = {
        name: summary["results"][name]["masks"][error.mask][error.key]
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


def _sums(evaluation: Evaluation, error: _Error, name: str) -> np.ndarray:
    """[clips], the error of a predictor summed over the cells of each."""
    place, column = MASKS.index(error.mask), CELL_COLUMNS.index(error.key)
    return evaluation.sums[name]["cells"][:, place, column]


def _gain(
    ours: np.ndarray, theirs: np.ndarray, weights: np.ndarray
) -> tuple[float, np.ndarray]:
    """1 - ours / theirs over all clips, and its interval [2] over the draws."""
    with np.errstate(invalid="ignore", divide="ignore"):
        draws = 1 - (weights @ ours) / (weights @ theirs)
        return 1 - ours.sum() / theirs.sum(), bootstrap.interval(draws)


def _in_words(
    gain: float, bounds: np.ndarray, error: _Error, other: str
) -> tuple[str, str]:
    """(outcome, sentence)."""
    subject, better = error.subject, error.better
    if np.isnan([gain, *bounds]).any():
        return "unknown", f"{subject} not compared with {other}: a score is missing."
    outcome = bootstrap.verdict(bounds, larger_is_better=True)
    if outcome == "worse":
        loss = _percent(-gain, *-bounds[::-1])
        return outcome, f"{subject} {loss} {error.worse} {other}."
    share = _percent(gain, *bounds)
    if outcome == "better":
        return outcome, f"{subject} {share} {better} {other}."
    return outcome, f"{subject} not shown to be {better} {other}: {share}."


def _percent(*shares: float) -> str:
    """A share and its interval; no line breaks in it, and no minus before zero."""
    value, low, high = (f"{round(100 * share, 1) + 0.0:.1f}" for share in shares)
    return f"{value}\u00a0% [{low},\u00a0{high}]"
