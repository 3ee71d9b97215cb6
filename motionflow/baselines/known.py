"""Known motion in an evaluation: what a predictor is given, and its naive answers.

    "past+arrows3" -> Kind(past=True, num_arrows=3) -> known [B, g, g, 7]

See `data.known` for the channels. What being given it is worth without a network:

    the past goes on    the flow of the frames before, times a factor
    arrows spread       a Gaussian-weighted mean of the arrows, fading with distance
    both mixed          the past, and near arrows what they say

A network that is given known motion and does not beat these is not worth its weight.
Cells with an arrow keep their vector. `models.naive` has the formulas; factor and width
are chosen here, on the training split.
"""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from motionflow.baselines.arrows import draw_batch
from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir
from motionflow.data.known import pack_known
from motionflow.errors import InputError
from motionflow.models import naive

NAIVE = PAST, SPREAD, MIXED = "the past goes on", "arrows spread", "both mixed"
FACTORS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
WIDTHS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)  # cells
MAX_SAMPLES = 2000
_FITTED = 3  # arrows that the width is chosen with
_WORD = re.compile(r"none|past|(?:past\+)?arrows([1-9]\d*)")


@dataclasses.dataclass(frozen=True)
class Kind:
    """What is known of each sample.

    Attributes:
      name: the word that stands for it.
      past: whether the flow of the frames just before is.
      num_arrows: of how many cells the true flow is.
    """

    name: str
    past: bool = False
    num_arrows: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known."""
        return not self.past and not self.num_arrows

    def of_batch(
        self, flow: np.ndarray, cells: np.ndarray, past_flow: np.ndarray | None
    ) -> np.ndarray:
        """What is known of a batch.

        Args:
          flow: float32 [B, g, g, 2], the truth, pixels of the frame per step.
          cells: int [B, n], where arrows begin, row by row; the first `num_arrows`
            are given.
          past_flow: float32 [B, g, g, 2], NaN where it is not known; for `past` only.

        Returns:
          float32 [B, g, g, 7].
        """
        size, height, width, _ = flow.shape
        mask = np.zeros((size, height * width), bool)
        np.put_along_axis(mask, cells[:, : self.num_arrows], True, axis=1)
        has_arrow = mask.reshape(size, height, width, 1)
        return pack_known(
            (size, height, width),
            arrows=np.where(has_arrow, flow, np.nan),
            past=past_flow if self.past else None,
        )


def parse_kinds(words: Sequence[str]) -> list[Kind]:
    """Reads "none", "past", "arrows3", "past+arrows3": each once, in their order.

    Raises:
      InputError: another word.
    """
    return [_parse(word) for word in dict.fromkeys(words)]


def _parse(word: str) -> Kind:
    found = _WORD.fullmatch(word)
    if not found:
        raise InputError(
            f"known holds {word!r}, expected none, past, arrows<number> or "
            "past+arrows<number>"
        )
    return Kind(word, word.startswith("past"), int(found[1] or 0))


@dataclasses.dataclass(frozen=True)
class NaiveMotion:
    """The naive predictors, fitted.

    Attributes:
      factor: of the past; 0 where none was to be read.
      width: of the Gaussian around an arrow, cells.
    """

    factor: float
    width: float

    def __call__(self, known: np.ndarray, kind: Kind) -> dict[str, np.ndarray]:
        """Those predictors that what is known is enough for.

        Args:
          known: float32 [B, g, g, 7], see `data.known`.
          kind: what it holds.

        Returns:
          row -> flow float32 [B, g, g, 2].
        """
        rows = {}
        if kind.past:
            rows[PAST] = naive.past_goes_on(known, self.factor)
        if kind.num_arrows:
            rows[SPREAD] = naive.spread_arrows(known, self.width)[0]
        if kind.past and kind.num_arrows:
            rows[MIXED] = naive.naive_answer(known, self.factor, self.width)
        return {name: np.asarray(flow) for name, flow in rows.items()}


def fit_naive(data: DataDir, seed: int, batch_size: int = 256) -> NaiveMotion:
    """Chooses factor and width on at most 2,000 training samples, the same each time.

    The factor is chosen where the view of the data has the past; arrows are drawn by
    the seed.

    Raises:
      InputError: no training sample.
    """
    samples = _read_samples(data, batch_size)
    flow = samples["flow"]
    moving = (samples["codes"] != data.codebook.zero_index).reshape(flow.shape[:3])
    kind = Kind("", num_arrows=_FITTED)
    known = kind.of_batch(flow, draw_batch(samples, _FITTED, seed), None)
    past = samples.get("past_flow")
    factor = 0.0 if past is None else fit_factor(past, flow)
    return NaiveMotion(factor, fit_width(known, flow, moving))


def fit_factor(past_flow: np.ndarray, flow: np.ndarray) -> float:
    """The one of FACTORS with the least EPE over all cells whose past is known.

    Of [N, g, g, 2] twice, the past being NaN where it is not known; 0 where none is.
    """
    errors = [np.nansum(_epe(factor * past_flow, flow)) for factor in FACTORS]
    return FACTORS[int(np.argmin(errors))]


def fit_width(known: np.ndarray, flow: np.ndarray, moving: np.ndarray) -> float:
    """The one of WIDTHS with the least EPE over cells that move and have no arrow.

    Of arrows, known float32 [N, g, g, 7], the truth [N, g, g, 2], and bool [N, g, g].
    """
    counts = moving & (known[..., 0] == 0)
    errors = [
        _epe(np.asarray(naive.spread_arrows(known, width)[0]), flow)[counts].sum()
        for width in WIDTHS
    ]
    return WIDTHS[int(np.argmin(errors))]


def _epe(pred: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.linalg.norm(pred - true, axis=-1)


def _read_samples(data: DataDir, batch_size: int) -> dict[str, np.ndarray]:
    """Columns of the training samples that are fitted on; no frame is decoded."""
    total = data.num_samples("train")
    chosen = np.random.default_rng(0).permutation(total)[:MAX_SAMPLES]
    parts, start = [], 0
    batches = pipeline.targets(data, "train", batch_size).as_numpy_iterator()
    for batch in map(pipeline.first_step, batches):
        here = np.isin(np.arange(start, start + len(batch["flow"])), chosen)
        parts.append({key: values[here] for key, values in batch.items()})
        start += len(here)
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
