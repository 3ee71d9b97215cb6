"""Sums of each clip -> means with intervals, and differences to the first row.

    (sum, count) of each sample -> Totals [clips, places, 2] -> summary for JSON

A score has rows (a model, or a model in one of its ways) and places (steps ahead,
frames ahead). Every mean is the sum of all samples over their count, so a clip weighs
as much as it counts for. The rows of a score are compared on the same draws of clips,
so what makes a clip hard for all of them cancels out; see `bootstrap`.
"""

from typing import Any

import numpy as np

from motionflow.scoring import bootstrap


class Totals:
    """Running sums, by score and row.

    Args:
      num_clips: clips that the samples come from.
    """

    def __init__(self, num_clips: int):
        self._num_clips = num_clips
        self._sums: dict[str, dict[str, np.ndarray]] = {}

    @property
    def scores(self) -> list[str]:
        """Names of what was added, in order."""
        return list(self._sums)

    def add(
        self,
        score: str,
        row: str,
        clips: np.ndarray,
        sums: np.ndarray,
        counts: np.ndarray,
    ) -> None:
        """Adds some samples.

        Args:
          score: what is measured.
          row: of whom; the first that is added is what the others are compared with.
          clips: int [B], each sample's clip.
          sums: [B, places]; not looked at where the count is 0.
          counts: [B, places], what the sums are sums of.
        """
        shape = (self._num_clips, np.shape(sums)[1], 2)
        rows = self._sums.setdefault(score, {})
        # NaN is how a sample says that it has nothing to add.
        values = np.stack([np.where(counts, sums, 0), counts], axis=-1)
        np.add.at(rows.setdefault(row, np.zeros(shape)), clips, values)

    def summarize(
        self, score: str, weights: np.ndarray, larger_is_better: bool
    ) -> dict[str, dict[str, list]]:
        """A score as plain values; None where nothing was counted.

        Args:
          score: which.
          weights: [draws, clips], see `bootstrap.draw_weights`.
          larger_is_better: of this score, for the verdicts.

        Returns:
          row -> lists with one item a place: count; value and its interval [low, high];
          difference, the row's value minus the first row's, with its interval and
          verdict ("better", "worse" or "tie" than the first row).
        """
        rows = self._sums[score]
        whole = {name: _means(sums.sum(axis=0)) for name, sums in rows.items()}
        draws = {n: _means(np.tensordot(weights, s, 1)) for n, s in rows.items()}
        first, result = next(iter(rows)), {}
        for name, sums in rows.items():
            bounds = bootstrap.interval(draws[name]).T
            gaps = bootstrap.interval(draws[name] - draws[first]).T
            result[name] = {
                "count": sums[..., 1].sum(axis=0).astype(int).tolist(),
                "value": plain(whole[name]),
                "interval": plain(bounds),
                "difference": plain(whole[name] - whole[first]),
                "difference_interval": plain(gaps),
                "verdict": [_verdict(gap, larger_is_better) for gap in gaps],
            }
        return result


def plain(values: np.ndarray) -> Any:
    """Numbers for JSON, which knows no NaN."""
    if np.ndim(values):
        return [plain(value) for value in values]
    return None if np.isnan(values) else float(values)


def _means(sums: np.ndarray) -> np.ndarray:
    """Sums and counts [..., 2] -> [...]; NaN where nothing was counted."""
    with np.errstate(invalid="ignore"):
        return sums[..., 0] / sums[..., 1]


def _verdict(bounds: np.ndarray, larger_is_better: bool) -> str | None:
    if np.isnan(bounds).any():
        return None
    return bootstrap.verdict(bounds, larger_is_better)
