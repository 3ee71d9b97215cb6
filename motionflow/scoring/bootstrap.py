"""How far scores can be trusted: intervals and differences by drawing clips again.

    sums of each clip, weights [draws, clips] -> scores of each draw -> Estimate
    Estimate of ours - Estimate of theirs -> difference, 95 % interval, verdict

The percentile bootstrap (Efron and Tibshirani 1993, chapter 13). What is drawn is a
whole clip, because its cells and frames move together; or a whole source video, because
its clips do. Two predictors are compared on the same draws, so what makes a clip hard
for both of them cancels out.
"""

import dataclasses
import functools
from typing import Any

import numpy as np

LEVEL = 0.95
NUM_DRAWS = 1000
# Two films of one model differ by less: threads add up in any order, and a film rounds.
ROUNDING = 1e-4


def about(unit: str, seed: int, num_draws: int = NUM_DRAWS) -> dict[str, Any]:
    """How intervals are made, for JSON."""
    return {"level": LEVEL, "unit": unit, "num_draws": num_draws, "seed": seed}


def draw_weights(groups: np.ndarray, num_draws: int, seed: int) -> np.ndarray:
    """Draws groups of clips with replacement.

    Args:
      groups: [clips], what is drawn together: the clip itself or its source.
      num_draws: how often.
      seed: another seed, other draws.

    Returns:
      float64 [num_draws, clips], how often each clip counts; as many groups in each
      draw as there are.
    """
    names, index = np.unique(groups, return_inverse=True)
    chances = np.full(len(names), 1 / len(names))
    random = np.random.default_rng(seed)
    counts = random.multinomial(len(names), chances, size=num_draws)
    return counts[:, index.ravel()].astype(np.float64)


def interval(draws: np.ndarray) -> np.ndarray:
    """The middle 95 % of the draws: [draws, ...] -> [2, ...].

    Draws without a value (none of its clips has a moving cell) are left out; NaN where
    no draw has one.
    """
    draws = np.asarray(draws, np.float64)
    bounds = np.full((2, *draws.shape[1:]), np.nan)
    known = ~np.isnan(draws).all(axis=0)
    tail = (1 - LEVEL) / 2
    with np.errstate(invalid="ignore"):  # NaN beside the values
        bounds[:, known] = np.nanquantile(draws[:, known], (tail, 1 - tail), axis=0)
    return bounds


def verdict(bounds: np.ndarray, larger_is_better: bool) -> str | None:
    """Reads the interval of a difference, ours minus theirs.

    Returns:
      "better", "worse", or "tie" where the interval reaches zero, to `ROUNDING`; None
      of NaN.
    """
    low, high = bounds if larger_is_better else (-bounds[1], -bounds[0])
    if np.isnan(low) or np.isnan(high):
        return None
    if low > ROUNDING:
        return "better"
    return "worse" if high < -ROUNDING else "tie"


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A score, and what other draws of the clips make of it.

    The difference of two estimates is paired: both must be of the same draws.

    Attributes:
      value: [...], NaN where it is not known.
      draws: [draws, ...].
    """

    value: np.ndarray
    draws: np.ndarray

    def __sub__(self, other: "Estimate") -> "Estimate":
        return Estimate(self.value - other.value, self.draws - other.draws)

    def __getitem__(self, place: int) -> "Estimate":
        return Estimate(self.value[place], self.draws[:, place])

    @functools.cached_property
    def bounds(self) -> np.ndarray:
        """The interval of each value, [..., 2]."""
        return np.moveaxis(interval(self.draws), 0, -1)

    def plain(self) -> Any:
        """The value for JSON."""
        return plain(self.value)

    def interval(self) -> Any:
        """[low, high] for JSON, of each value."""
        return plain(self.bounds)

    def verdict(self, larger_is_better: bool) -> Any:
        """`verdict` on each value, as a difference."""
        pairs = self.bounds.reshape(-1, 2)
        flat = [verdict(pair, larger_is_better) for pair in pairs]
        return flat if self.value.ndim else flat[0]


def plain(values: np.ndarray) -> Any:
    """Numbers for JSON, which knows no NaN."""
    if np.ndim(values):
        return [plain(value) for value in values]
    return None if np.isnan(values) else float(values)


def rank_correlation(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Spearman's rho, also of weighted observations.

    A weight of n counts an observation n times. Equal values share their mean rank.

    Args:
      x: [N].
      y: [N].
      weights: [draws, N]; None counts each once.

    Returns:
      [draws], or a scalar without weights; NaN where x or y is constant.
    """
    each = np.ones((1, len(x))) if weights is None else weights
    total = each.sum(axis=-1, keepdims=True)
    a, b = (_weighted_ranks(values, each) - (total + 1) / 2 for values in (x, y))
    products = [(each * p).sum(axis=-1) for p in (a * b, a * a, b * b)]
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = products[0] / np.sqrt(products[1] * products[2])
    return rho[0] if weights is None else rho


def _weighted_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mid-rank of each observation among weighted ones: [draws, N]."""
    order = np.argsort(values, kind="stable")
    dense = np.unique(values, return_inverse=True)[1][order]  # 0, 0, 1, ...
    starts = np.flatnonzero(np.diff(dense, prepend=-1))
    group = np.add.reduceat(weights[:, order], starts, axis=1)
    middle = np.cumsum(group, axis=1) - group / 2 + 0.5
    ranks = np.empty_like(weights)
    ranks[:, order] = middle[:, dense]
    return ranks
