"""Everything measured on a split, before it is boiled down to scores.

    assessment.evaluate --> Evaluation --> save, load, pool --> summary.py

Kept clip by clip, so that evaluations of several folds can be pooled and intervals
drawn afterwards, without running a model again.
"""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.scoring.sums import BY_SAMPLE, OF_ALL, Sums

KNOWN_MASKS = ("all", "nz")  # of `cells.MASKS`, in the sums with known motion
_NOT_BY_CLIP = (*BY_SAMPLE, *OF_ALL)
_CLIPS = ("clips", "actions", "sources", "sample_clips")
_KNOWN = ("data_sets", "not_told", "factors", "widths")


@dataclasses.dataclass(frozen=True)
class KnownSums:
    """What was measured with known motion, on the samples of an evaluation.

    Cells whose motion was given with an arrow count in no mask.

    Attributes:
      rows: kind of known motion -> row -> cells, float64 [C, len(KNOWN_MASKS),
        len(CELL_COLUMNS)].
      data_sets: str [D], of data that were put together; a clip's path begins with one.
      not_told: str [n], rows of models that cannot be given any.
      factors: float64 [n], of the past that goes on; of each pooled evaluation.
      widths: float64 [n], of arrows that spread, cells.
    """

    rows: dict[str, dict[str, Sums]]
    data_sets: np.ndarray
    not_told: np.ndarray
    factors: np.ndarray
    widths: np.ndarray


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Predictors measured on the same samples.

    Attributes:
      clips: str [C], the clips of the split, sorted.
      actions: str [C].
      sources: str [C].
      sample_clips: int [N], the row of each sample's clip.
      codebook_fingerprint: of the data's codebook.
      rows: predictor -> what `ClipSums.rows` gives of `sample_sums`.
      known: the same with known motion; None where that was not asked for.
    """

    clips: np.ndarray
    actions: np.ndarray
    sources: np.ndarray
    sample_clips: np.ndarray
    codebook_fingerprint: str
    rows: dict[str, Sums]
    known: KnownSums | None = None

    def groups(self, unit: str) -> np.ndarray:
        """What the bootstrap draws together, [C]; unit is "clip" or "source"."""
        return self.clips if unit == "clip" else self.sources

    def save(self, folder: str | Path) -> None:
        """Writes scores.npz, and known.npz where there is known motion."""
        arrays = {name: getattr(self, name) for name in _CLIPS}
        arrays["codebook_fingerprint"] = np.array(self.codebook_fingerprint)
        for number, (row, sums) in enumerate(self.rows.items()):
            arrays[f"name/{number}"] = np.array(row)
            for name, value in sums.items():
                is_other = name in _NOT_BY_CLIP
                key = f"{name}/{number}" if is_other else f"sums/{number}/{name}"
                arrays[key] = value
        drafts.write_arrays(Path(folder, "scores.npz"), arrays, compress=True)
        if self.known is not None:
            self.save_known(folder, self.known)

    def save_known(self, folder: str | Path, known: KnownSums) -> None:
        """Writes known.npz alone."""
        pairs = [(kind, row) for kind, rows in known.rows.items() for row in rows]
        arrays = {name: getattr(known, name) for name in _KNOWN}
        arrays |= {"clips": self.clips, "sources": self.sources}
        size = len(self.clips)
        arrays["num_samples"] = np.bincount(self.sample_clips, minlength=size)
        arrays["sums"] = np.stack([known.rows[k][row]["cells"] for k, row in pairs])
        arrays["pairs"] = np.array(pairs)
        drafts.write_arrays(Path(folder, "known.npz"), arrays, compress=True)

    @classmethod
    def load(cls, folder: str | Path, with_known: bool = False) -> "Evaluation":
        """Reads what `save` wrote.

        Args:
          folder: of the files.
          with_known: whether to read known.npz, too.

        Raises:
          InputError: no such files in it, or of different clips.
        """
        path = Path(folder, "scores.npz")
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
            count = sum(key.startswith("name/") for key in arrays)
            rows: dict[str, Sums] = {str(arrays[f"name/{i}"]): {} for i in range(count)}
            for number, sums in enumerate(rows.values()):
                begin = f"sums/{number}/"
                for key in arrays:
                    if key.startswith(begin):
                        sums[key.removeprefix(begin)] = arrays[key]
                sums |= {name: arrays[f"{name}/{number}"] for name in _NOT_BY_CLIP}
            clips = {name: arrays[name] for name in _CLIPS}
            fingerprint = str(arrays["codebook_fingerprint"])
        except (OSError, KeyError, ValueError) as error:
            raise InputError(
                f"{path} is no evaluation: expected the scores.npz that "
                f"`motionflow evaluate` writes ({error})"
            ) from error
        known = _load_known(Path(folder), clips["clips"]) if with_known else None
        return cls(**clips, codebook_fingerprint=fingerprint, rows=rows, known=known)


def _load_known(folder: Path, clips: np.ndarray) -> KnownSums:
    path = folder / "known.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            fields = {name: file[name] for name in _KNOWN}
            rows: dict[str, dict[str, Sums]] = {}
            for (kind, row), one in zip(file["pairs"], file["sums"], strict=True):
                rows.setdefault(str(kind), {})[str(row)] = {"cells": one}
            if file["clips"].tolist() != clips.tolist():
                raise ValueError("its clips are not those of scores.npz")
        return KnownSums(rows, **fields)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{path} is no known.npz of `motionflow evaluate --known`: {error}"
        ) from error


def pool(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Puts evaluations of other clips together, as of the folds of a cross-validation.

    Predictors that some evaluations lack are left out, and known motion where one has
    none. Where the codebooks differ, a class of one is not a class of another: each
    keeps its own columns, so that mean recall is a mean over the classes of all folds.

    Raises:
      InputError: a clip stands in two of them, or they have no predictor in common.
    """
    clips = np.concatenate([one.clips for one in evaluations])
    if len(set(clips)) < len(clips):
        twice = sorted(clip for clip in set(clips) if (clips == clip).sum() > 1)
        raise InputError(f"{len(twice)} clips are in two evaluations: {twice[0]}, ...")
    fingerprints = list(dict.fromkeys(e.codebook_fingerprint for e in evaluations))
    blocks = [fingerprints.index(e.codebook_fingerprint) for e in evaluations]
    starts = itertools.accumulate((len(e.clips) for e in evaluations), initial=0)
    rows = _pool_rows([one.rows for one in evaluations], blocks)
    if not rows:
        raise InputError("the evaluations have no predictor in common")
    known = [one.known for one in evaluations if one.known is not None]
    return Evaluation(
        clips=clips,
        actions=np.concatenate([one.actions for one in evaluations]),
        sources=np.concatenate([one.sources for one in evaluations]),
        sample_clips=np.concatenate(
            [e.sample_clips + s for e, s in zip(evaluations, starts, strict=False)]
        ),
        codebook_fingerprint=" + ".join(fingerprints),
        rows=rows,
        known=_pool_known(known, blocks) if len(known) == len(evaluations) else None,
    )


def _pool_rows(
    parts: Sequence[dict[str, Sums]], blocks: Sequence[int]
) -> dict[str, Sums]:
    """Rows that all have.

    Args:
      parts: row -> sums, of each evaluation.
      blocks: the number of each evaluation's codebook.
    """
    return {
        row: {
            name: _pool_arrays(name, [part[row][name] for part in parts], blocks)
            for name in parts[0][row]
        }
        for row in parts[0]
        if all(row in part for part in parts)
    }


def _pool_arrays(
    name: str, parts: Sequence[np.ndarray], blocks: Sequence[int]
) -> np.ndarray:
    if name in ("classes", "confusions"):
        parts = _in_own_columns(parts, blocks, num_axes=1 if name == "classes" else 2)
    return np.sum(parts, axis=0) if name in OF_ALL else np.concatenate(parts)


def _in_own_columns(
    parts: Sequence[np.ndarray], blocks: Sequence[int], num_axes: int
) -> list[np.ndarray]:
    """Pads the last axes: the classes of each codebook have their own places."""
    size = dict(zip(blocks, (part.shape[-1] for part in parts), strict=True))
    total, found = sum(size.values()), []
    for part, block in zip(parts, blocks, strict=True):
        start = sum(size[before] for before in range(block))
        margin = (start, total - start - size[block])
        kept = [(0, 0)] * (part.ndim - num_axes)
        found.append(np.pad(part, [*kept, *[margin] * num_axes]))
    return found


def _pool_known(parts: Sequence[KnownSums], blocks: Sequence[int]) -> KnownSums:
    kinds = [k for k in parts[0].rows if all(k in part.rows for part in parts)]
    rows = {kind: _pool_rows([p.rows[kind] for p in parts], blocks) for kind in kinds}
    rows = {kind: found for kind, found in rows.items() if found}
    if not rows:
        raise InputError("the evaluations with --known have no row in common")

    def together(get: Callable[[KnownSums], np.ndarray]) -> np.ndarray:
        return np.concatenate([get(part) for part in parts])

    return KnownSums(
        rows,
        data_sets=np.unique(together(lambda part: part.data_sets)),
        not_told=np.unique(together(lambda part: part.not_told)),
        factors=together(lambda part: part.factors),
        widths=together(lambda part: part.widths),
    )
