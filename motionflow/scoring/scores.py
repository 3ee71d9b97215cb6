"""All scores: what each is called, what it means, and how it is made of sums.

    sums {row: {name: [clips, ...]}} --estimates--> {row: {score: Estimate}}

A score is computed from sums added up over clips, never averaged over clips: of one
split, of an action, or of a thousand bootstrap draws. NaN stands wherever there is
nothing to average. A new score is an entry here, and a column of `cells.CELL_COLUMNS`
or a name of `sums.sample_sums` where it needs other sums.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from motionflow.scoring.bootstrap import Estimate
from motionflow.scoring.cells import CELL_COLUMNS
from motionflow.scoring.sums import HITS, PREDICTED, TRUE, Sums, add_up

MODEL, ZERO, PRIOR = "model", "zero flow", "class prior per cell"
NUM_FUTURES = 10  # of an evaluation, for the best of n

# Of rows of added up sums with any leading axes, and a row: [..., masks] or [...].
Compute = Callable[[Mapping[str, Sums], str], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Score:
    """A score.

    Attributes:
      key: in files.
      label: in tables.
      compute: from sums.
      meaning: in words.
      unit: of the value; "" for a pure number.
      larger_is_better: for verdicts.
      is_fraction: of 1, printed in percent.
      form: of the number that is printed.
      by_mask: whether there is a value for each of `cells.MASKS`.
    """

    key: str
    label: str
    compute: Compute
    meaning: str = ""
    unit: str = ""
    larger_is_better: bool = True
    is_fraction: bool = False
    form: str = "{:.3f}"
    by_mask: bool = True

    def text(
        self,
        value: float | None,
        interval: Sequence[float | None] | None = None,
        form: str | None = None,
    ) -> str:
        """The value as it is printed, with its interval; "-" where one is not known."""
        numbers = [value, *(interval or ())]
        if None in numbers:
            return "-"
        scale, form = 100 if self.is_fraction else 1, form or self.form
        first, *bounds = (
            form.format(scale * one) for one in numbers if one is not None
        )
        return f"{first} [{', '.join(bounds)}]" if bounds else first


@dataclasses.dataclass(frozen=True)
class Column:
    """A score over one mask, as "epe_nz"."""

    score: Score
    mask: str

    @property
    def name(self) -> str:
        """In files."""
        return f"{self.score.key}_{self.mask}"

    @property
    def label(self) -> str:
        """In tables."""
        return self.score.label + ("" if self.mask == "all" else f"-{self.mask}")

    @property
    def meaning(self) -> str:
        """In words."""
        where = " where it moves" if self.mask == "nz" else ""
        unit = f", {self.score.unit}" if self.score.unit else ""
        return f"{self.score.meaning}{where}{unit}"


def compute(
    rows: Mapping[str, Sums], scores: Sequence[Score]
) -> dict[str, dict[str, np.ndarray]]:
    """Scores of rows of added up sums: {row: {key: values}}."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return {row: {s.key: s.compute(rows, row) for s in scores} for row in rows}


def estimates(
    rows: Mapping[str, Sums], weights: np.ndarray, scores: Sequence[Score]
) -> dict[str, dict[str, Estimate]]:
    """Scores of all rows on the same draws, see `bootstrap.draw_weights`.

    Returns:
      row -> key -> estimate.
    """
    whole, draws = (
        compute({row: add_up(sums, each) for row, sums in rows.items()}, scores)
        for each in (None, weights)
    )
    return {
        row: {key: Estimate(value, draws[row][key]) for key, value in values.items()}
        for row, values in whole.items()
    }


def _ratio(name: str, over: int, under: int) -> Compute:
    """One column of some sums over another."""
    return lambda rows, row: rows[row][name][..., over] / rows[row][name][..., under]


def _mean(column: str) -> Compute:
    return _ratio("cells", CELL_COLUMNS.index(column), CELL_COLUMNS.index("count"))


def _share(name: str) -> Compute:
    """Shares of cells in bins or buckets, by their counts."""

    def compute_shares(rows: Mapping[str, Sums], row: str) -> np.ndarray:
        count = rows[row][name][..., 0]
        return count / count.sum(axis=-1, keepdims=True)

    return compute_shares


def taken_away(column: str, other: str) -> Compute:
    """The share of another row's error that a row takes away, 1 - row / other."""
    place = CELL_COLUMNS.index(column)
    return lambda rows, row: (
        1 - rows[row]["cells"][..., place] / rows[other]["cells"][..., place]
    )


def _num_classes(kind: int) -> Compute:
    return lambda rows, row: (rows[row]["classes"][..., kind, :] > 0).sum(axis=-1)


def _mean_over_classes(kind: int) -> Compute:
    """Mean recall (of TRUE) or precision (of PREDICTED) over the classes that occur.

    Both averages run over the same classes whatever the predictor, so rows of a table
    compare. A class that is never predicted has precision 0: without that rule, always
    answering "still" would score the share of still cells, 75 %, where the report's
    best model has 16 %. Classes absent from the truth have no recall and are left out.
    """

    def compute_mean(rows: Mapping[str, Sums], row: str) -> np.ndarray:
        classes = rows[row]["classes"]
        present = classes[..., TRUE, :] > 0
        # A count of 0 has 0 hits, so dividing by 1 instead gives the 0 of the rule.
        shares = classes[..., HITS, :] / np.maximum(classes[..., kind, :], 1)
        is_known = ~np.isnan(classes[..., PREDICTED, :]).any(axis=-1)
        mean = np.where(present, shares, 0).sum(axis=-1) / present.sum(axis=-1)
        return np.where(is_known, mean, np.nan)

    return compute_mean


def _calibration_error(rows: Mapping[str, Sums], row: str) -> np.ndarray:
    """ECE = sum over bins of share * |accuracy - mean confidence|, over all cells."""
    count, confidence, hits = np.moveaxis(rows[row]["bins"], -1, 0)
    return np.abs(hits - confidence).sum(axis=-1) / count.sum(axis=-1)


def _fraction(key: str, label: str, compute: Compute, meaning: str = "") -> Score:
    unit = "%" if meaning else ""
    return Score(key, label, compute, meaning, unit, is_fraction=True, form="{:.2f}")


def _whole(key: str, label: str, compute: Compute, is_fraction: bool = True) -> Score:
    one = _fraction(key, label, compute) if is_fraction else Score(key, label, compute)
    return dataclasses.replace(one, by_mask=False)


_MEAN, _DB = _ratio("sums", 0, 1), "{:.2f}"
_FIRST = "true class among the first"
EVALUATED = (
    Score("count", "Cells", lambda rows, row: rows[row]["cells"][..., 0]),
    Score("epe", "EPE", _mean("epe"), "length of the error", "pixels", False),
    Score("dir", "Dir", _mean("dir"), "cosine to the true direction"),
    Score("ori", "Ori", _mean("ori"), "the same without the sign"),
    _fraction("top1", "Top-1", _mean("top1"), "true class first"),
    _fraction("top5", "Top-5", _mean("top5"), f"{_FIRST} five"),
    _fraction("top10", "Top-10", _mean("top10"), f"{_FIRST} ten"),
    Score(
        "nll", "NLL", _mean("nll"), "surprise at the true class", "nats a cell", False
    ),
    _fraction("skill", "Skill", taken_away("nll", PRIOR)),
    _fraction("recall", "Recall", _mean_over_classes(TRUE)),
    _fraction("precision", "Precision", _mean_over_classes(PREDICTED)),
    Score("num_classes_true", "Classes", _num_classes(TRUE)),
    Score("num_classes_predicted", "Classes predicted", _num_classes(PREDICTED)),
    Score(
        "best_of_n",
        f"Best of {NUM_FUTURES}",
        _ratio("best", 1, 0),
        larger_is_better=False,
    ),
    _whole("ece", "ECE", _calibration_error),
    _whole("reliability_confidence", "Mean confidence", _ratio("bins", 1, 0)),
    _whole("reliability_accuracy", "Accuracy", _ratio("bins", 2, 0)),
    _whole("reliability_share", "Share of cells", _share("bins")),
    _whole("bucket_epe", "EPE", _ratio("buckets", 1, 0), is_fraction=False),
    _whole("bucket_share", "share of cells, %", _share("buckets")),
)
# Measured with known motion only.
_GAIN = _fraction("gain", "EPE gain", taken_away("epe", ZERO))
_STEP = (
    "Cell by cell against the label of each step, over the cells that move in that "
    "step. Composed and recursive predict, move the frame and predict again; sequence "
    "is one prediction of all steps; repeat is the first step's flow again and again."
)
_FILM = (
    "Over the pixels of the cells that move at the start. The mean of the samples' dB, "
    "so a clip weighs as much as it has samples; a sample counts for the frames before "
    "its video ends, cuts or repeats a frame."
)
_BEST = (
    "Each sample's best of the drawn futures, a mean over samples with cells that "
    "move; EPE in pixels. The zero flow is one future."
)
# Of a comparison; meanings stand over its tables.
FORECASTS = (
    Score(
        "full_size_epe_all",
        "EPE at full size, all vectors",
        _MEAN,
        "The finest flow of the first step at the size of the stored dense flow: a "
        "coarser grid is interpolated. EPE in pixels.",
        larger_is_better=False,
    ),
    Score(
        "full_size_epe_nz",
        "EPE at full size, vectors that move",
        _MEAN,
        "The same where something moves.",
        larger_is_better=False,
    ),
    Score(
        "step_epe_nz",
        "EPE by step, cells that move",
        _MEAN,
        f"{_STEP} EPE in pixels.",
        larger_is_better=False,
    ),
    Score(
        "step_dir_nz",
        "Dir by step, cells that move",
        _MEAN,
        "The cosine over the same cells.",
    ),
    Score("video_psnr", "PSNR of the films, dB", _MEAN, _FILM, form=_DB),
    Score(
        "video_ssim",
        "SSIM of the films",
        _MEAN,
        "Over the same pixels and samples; at most 1.",
    ),
    Score(
        "step_psnr",
        "PSNR of the films by step, dB",
        _MEAN,
        "The same at the ends of steps.",
        form=_DB,
    ),
    Score(
        "first_best_epe_nz",
        "Best of n: EPE of the first step",
        _MEAN,
        _BEST,
        larger_is_better=False,
    ),
    Score(
        "whole_best_epe_nz",
        "Best of n: EPE of the whole sequence",
        _MEAN,
        "The same, a future being judged by the mean of its steps; a model of fewer "
        "steps repeats its last.",
        larger_is_better=False,
    ),
)
SCORES = {score.key: score for score in (*EVALUATED, _GAIN, *FORECASTS)}


def columns(*names: str) -> tuple[Column, ...]:
    """Scores over masks, by names as "epe_nz"."""
    parts = (name.rpartition("_") for name in names)
    return tuple(Column(SCORES[key], mask) for key, _, mask in parts)


# What a model is compared on; what is measured by action, and with known motion.
COMPARED = columns("nll_all", "epe_nz", "dir_nz", "ori_nz", "top5_nz")
BY_ACTION = columns("epe_nz", "dir_nz", "ori_nz", "top5_nz", "skill_all")
WITH_KNOWN = columns("gain_nz", "gain_all", "dir_nz", "ori_nz", "top5_nz", "skill_all")
