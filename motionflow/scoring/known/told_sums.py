"""Sums of each clip, by what was told and by row; kept so that folds can be pooled.

cells, kind by kind -> ToldSums -> known.npz -> load, pool -> summary.py
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from motionflow.errors import InputError
from motionflow.files import drafts

USED_MASKS = ("all", "nz")  # of `cells.MASKS`
_PLAIN = ("clips", "sources", "num_samples", "data_sets", "not_told", "factors")
_PLAIN += ("widths",)


@dataclasses.dataclass(frozen=True)
class ToldSums:
    """Predictors that were told something, measured on the same samples.

    Attributes:
      clips: str [C].
      sources: str [C].
      num_samples: int64 [C], of each clip.
      data_sets: str [D], of data that were put together; a clip's path begins with one.
      not_told: str [n], rows of models that can be told nothing.
      factors: float64 [n], of the past that goes on; of each pooled evaluation.
      widths: float64 [n], of arrows that spread, cells.
      sums: kind -> row -> float64 [C, len(USED_MASKS), len(CELL_COLUMNS)].
    """

    clips: np.ndarray
    sources: np.ndarray
    num_samples: np.ndarray
    data_sets: np.ndarray
    not_told: np.ndarray
    factors: np.ndarray
    widths: np.ndarray
    sums: dict[str, dict[str, np.ndarray]]

    def save(self, path: str | Path) -> None:
        """Writes an .npz that `load` reads."""
        pairs = [(kind, row) for kind, rows in self.sums.items() for row in rows]
        arrays = {name: getattr(self, name) for name in _PLAIN}
        arrays["sums"] = np.stack([self.sums[kind][row] for kind, row in pairs])
        arrays["pairs"] = np.array(pairs)
        drafts.write_arrays(path, arrays, compress=True)

    @classmethod
    def load(cls, path: str | Path) -> "ToldSums":
        """Reads what `save` wrote.

        Raises:
          InputError: `path` is no such file.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                fields = {name: file[name] for name in _PLAIN}
                sums: dict[str, dict[str, np.ndarray]] = {}
                for (kind, row), one in zip(file["pairs"], file["sums"], strict=True):
                    sums.setdefault(str(kind), {})[str(row)] = one
            return cls(**fields, sums=sums)
        except (OSError, KeyError, ValueError) as error:
            raise InputError(
                f"{path} is no known.npz of `motionflow evaluate --known`: {error}"
            ) from error


def pool(parts: Sequence[ToldSums]) -> ToldSums:
    """Puts measurements of other clips together; rows that one lacks are left out.

    Raises:
      InputError: they have no kind and row in common.
    """

    def together(get: Callable[[ToldSums], np.ndarray]) -> np.ndarray:
        return np.concatenate([get(part) for part in parts])

    sums: dict[str, dict[str, np.ndarray]] = {}
    for kind, rows in parts[0].sums.items():
        for row in rows:
            if all(row in part.sums.get(kind, {}) for part in parts):
                found = [part.sums[kind][row] for part in parts]
                sums.setdefault(kind, {})[row] = np.concatenate(found)
    if not sums:
        raise InputError("the evaluations with --known have no row in common")
    return ToldSums(
        clips=together(lambda part: part.clips),
        sources=together(lambda part: part.sources),
        num_samples=together(lambda part: part.num_samples),
        data_sets=np.unique(together(lambda part: part.data_sets)),
        not_told=np.unique(together(lambda part: part.not_told)),
        factors=together(lambda part: part.factors),
        widths=together(lambda part: part.widths),
        sums=sums,
    )
