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
from collections.abc import Sequence
from typing import Any

import numpy as np

LEVEL = 0.95
NUM_DRAWS = 1000
# Two films of one model differ by less: threads add up in any order, and a film rounds.
ROUNDING = 1e-4
_RANKS_AT_ONCE = 1 << 15  # 256 kB each array of them


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
    (rho,) = rank_correlations([x], y, each, np.arange(len(x)))
    return rho[0] if weights is None else rho


def rank_correlations(
    rows: Sequence[np.ndarray], y: np.ndarray, weights: np.ndarray, clips: np.ndarray
) -> np.ndarray:
    """`rank_correlation` of several x with one y, as clips are drawn.

    A few draws at a time, whose ranks fit into the cache of a core: memory does not
    grow with the number of draws.

    Args:
      rows: of x, [N] each.
      y: [N].
      weights: [draws, C], how often each clip counts.
      clips: int [N], the clip of each observation.

    Returns:
      float64 [len(rows), draws].
    """
    rho = np.full((len(rows), len(weights)), np.nan)
    orders, own = [_Order.of(x) for x in rows], _Order.of(y)
    size = max(1, _RANKS_AT_ONCE // max(len(y), 1))
    for start in range(0, len(weights), size):
        here = slice(start, start + size)
        each = weights[here, clips]
        b = own.centred_ranks(each)
        for found, order in zip(rho, orders, strict=True):
            if len(order.starts) > 1:
                found[here] = _correlation(order.centred_ranks(each), b, each)
    return rho


def _correlation(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of centred values [draws, N]: [draws]."""
    ab, aa, bb = (
        np.einsum("dn,dn->d", weights * p, q) for p, q in ((a, b), (a, a), (b, b))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return ab / np.sqrt(aa * bb)


@dataclasses.dataclass(frozen=True)
class _Order:
    """Values in their order.

    Attributes:
      order: [N], observations from the smallest value.
      starts: [groups], where each group of equal values begins in it.
      groups: [N], the group of each observation.
    """

    order: np.ndarray
    starts: np.ndarray
    groups: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "_Order":
        order = np.argsort(values, kind="stable")
        groups = np.unique(values, return_inverse=True)[1].reshape(-1)
        return cls(order, np.flatnonzero(np.diff(groups[order], prepend=-1)), groups)

    def centred_ranks(self, weights: np.ndarray) -> np.ndarray:
        """Mid-rank of each observation among weighted ones, minus the mean of ranks."""
        counts = weights[:, self.order]
        if len(self.starts) < len(self.order):
            counts = np.add.reduceat(counts, self.starts, axis=1)
        middle = np.cumsum(counts, axis=1)
        half = middle[:, -1:] / 2
        middle -= counts / 2
        middle -= half
        return middle[:, self.groups]
