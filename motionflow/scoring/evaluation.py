"""Everything measured on a split, before it is boiled down to scores.

    score(predict, data, split) -> Evaluation -> save, load, pool -> summary.py

Kept clip by clip, so that evaluations of several folds can be pooled and intervals
drawn afterwards, without running a model again.
"""

import collections
import dataclasses
import itertools
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motionflow.baselines.forest import edge_cells
from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir
from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.models import decoding
from motionflow.scoring.cells import Prediction, Truth
from motionflow.scoring.clip_sums import ClipSums

Output = Mapping[str, np.ndarray]
NUM_FUTURES = 10


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Predictors measured on the same samples.

    Attributes:
      clips: str [C], the clips of the split, sorted.
      actions: str [C].
      sources: str [C].
      sample_clips: int [N], the row of each sample's clip.
      codebook_fingerprint: of the data's codebook.
      sums: predictor -> `ClipSums.arrays`.
      frames: predictor -> `ClipSums.frames`, [N, masks, 3].
      confusions: predictor -> int64 [K, K].
      cell_hits: predictor -> int64 [g * g].
    """

    clips: np.ndarray
    actions: np.ndarray
    sources: np.ndarray
    sample_clips: np.ndarray
    codebook_fingerprint: str
    sums: dict[str, dict[str, np.ndarray]]
    frames: dict[str, np.ndarray]
    confusions: dict[str, np.ndarray]
    cell_hits: dict[str, np.ndarray]

    def save(self, path: str | Path) -> None:
        """Writes an .npz that `load` reads."""
        arrays = {
            name: value
            for name, value in vars(self).items()
            if not isinstance(value, dict)
        }
        for number, (name, sums) in enumerate(self.sums.items()):
            arrays[f"name/{number}"] = np.array(name)
            arrays |= {f"sums/{number}/{key}": value for key, value in sums.items()}
            for kind in ("frames", "confusions", "cell_hits"):
                arrays[f"{kind}/{number}"] = getattr(self, kind)[name]
        drafts.write_arrays(path, arrays, compress=True)

    @classmethod
    def load(cls, path: str | Path) -> "Evaluation":
        """Reads what `save` wrote.

        Raises:
          InputError: `path` is no such file.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
            count = sum(key.startswith("name/") for key in arrays)
            names = {str(arrays[f"name/{i}"]): i for i in range(count)}
            keys = [k.split("/")[2] for k in arrays if k.startswith("sums/0/")]
            plain = ("clips", "actions", "sources", "sample_clips")
            fields: dict[str, Any] = {key: arrays[key] for key in plain}
            fields["codebook_fingerprint"] = str(arrays["codebook_fingerprint"])
            fields["sums"] = {
                n: {k: arrays[f"sums/{i}/{k}"] for k in keys} for n, i in names.items()
            }
            for kind in ("frames", "confusions", "cell_hits"):
                fields[kind] = {n: arrays[f"{kind}/{i}"] for n, i in names.items()}
            return cls(**fields)
        except (OSError, KeyError, ValueError) as error:
            raise InputError(
                f"{path} is no evaluation: expected the scores.npz that "
                f"`motionflow evaluate` writes ({error})"
            ) from error


def pool(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Puts evaluations of other clips together, as of the folds of a cross-validation.

    Predictors that some evaluations lack are left out. Where the codebooks differ, a
    class of one is not a class of another: each keeps its own columns, so that mean
    recall is a mean over the classes of all folds.

    Raises:
      InputError: a clip stands in two of them, or they have no predictor in common.
    """
    clips = np.concatenate([one.clips for one in evaluations])
    if len(set(clips)) < len(clips):
        twice = sorted(clip for clip in set(clips) if (clips == clip).sum() > 1)
        raise InputError(f"{len(twice)} clips are in two evaluations: {twice[0]}, ...")
    names = [n for n in evaluations[0].sums if all(n in e.sums for e in evaluations)]
    if not names:
        raise InputError("the evaluations have no predictor in common")
    fingerprints = list(dict.fromkeys(e.codebook_fingerprint for e in evaluations))
    blocks = [fingerprints.index(e.codebook_fingerprint) for e in evaluations]
    starts = itertools.accumulate((len(e.clips) for e in evaluations), initial=0)

    def together(get: Callable[[Evaluation], np.ndarray]) -> np.ndarray:
        return np.concatenate([get(one) for one in evaluations])

    return Evaluation(
        clips=clips,
        actions=together(lambda e: e.actions),
        sources=together(lambda e: e.sources),
        sample_clips=np.concatenate(
            [
                e.sample_clips + start
                for e, start in zip(evaluations, starts, strict=False)
            ]
        ),
        codebook_fingerprint=" + ".join(fingerprints),
        sums={name: _pool_sums(evaluations, name, blocks) for name in names},
        frames={n: np.concatenate([e.frames[n] for e in evaluations]) for n in names},
        confusions={
            name: _in_blocks([e.confusions[name] for e in evaluations], blocks)
            for name in names
        },
        cell_hits={n: np.sum([e.cell_hits[n] for e in evaluations], 0) for n in names},
    )


def _pool_sums(
    evaluations: Sequence[Evaluation], name: str, blocks: Sequence[int]
) -> dict[str, np.ndarray]:
    parts = [one.sums[name] for one in evaluations]
    widths = [part["classes"].shape[-1] for part in parts]
    pooled = {
        key: np.concatenate([part[key] for part in parts])
        for key in parts[0]
        if key != "classes"
    }
    offsets = _offsets(widths, blocks)
    total = max(o + w for o, w in zip(offsets, widths, strict=True))
    classes = []
    for part, offset, width in zip(parts, offsets, widths, strict=True):
        wide = np.zeros((*part["classes"].shape[:-1], total))
        wide[..., offset : offset + width] = part["classes"]
        classes.append(wide)
    return pooled | {"classes": np.concatenate(classes)}


def _in_blocks(confusions: Sequence[np.ndarray], blocks: Sequence[int]) -> np.ndarray:
    widths = [len(one) for one in confusions]
    offsets = _offsets(widths, blocks)
    total = max(o + w for o, w in zip(offsets, widths, strict=True))
    result = np.zeros((total, total), np.int64)
    for one, offset in zip(confusions, offsets, strict=True):
        place = slice(offset, offset + len(one))
        result[place, place] += one
    return result


def _offsets(widths: Sequence[int], blocks: Sequence[int]) -> list[int]:
    """First column of each part; parts of the same block share theirs."""
    size = dict(zip(blocks, widths, strict=True))
    return [sum(size[b] for b in range(block)) for block in blocks]


def read_index(data: DataDir, split: str) -> dict[str, np.ndarray]:
    """Clip, action and source of each sample, without decoding a frame: str [N]."""
    keys = ("clip", "action", "source")
    batches = list(pipeline.targets(data, split, 256).as_numpy_iterator())
    columns = {key: np.concatenate([b[key] for b in batches]) for key in keys}
    return {
        key: np.array([value.decode(errors="backslashreplace") for value in column])
        for key, column in columns.items()
    }


def score(
    predict: Callable[[np.ndarray], Mapping[str, Output]],
    data: DataDir,
    split: str,
    batch_size: int,
    *,
    flow_only: Container[str] = (),
    undrawn: Container[str] = (),
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Runs predictors over a split, each sample exactly once.

    Args:
      predict: frames uint8 [B, S, S, 3] -> for each predictor, by name, its flow
        [B, g, g, 2] and its probabilities [B, cells, K] or None.
      data: an opened data directory.
      split: which samples.
      batch_size: frames at a time; does not change the result.
      flow_only: names of predictors whose classes are not those of the data.
      undrawn: names of predictors that no futures are drawn from.
      seed: of the sampled futures.
      progress: called with (frames done, frames in all).

    Raises:
      InputError: the shards hold another number of samples than the manifest says, or
        a predictor answered what is not finite.
    """
    index = read_index(data, split)
    expected, found = data.num_samples(split), len(index["clip"])
    if found != expected:
        raise InputError(f"{split} holds {found} samples, the manifest says {expected}")
    clips, first, rows = np.unique(
        index["clip"], return_index=True, return_inverse=True
    )
    size = (data.grid_size, data.codebook.num_clusters)
    grid_shape = data.grid_size, data.grid_size
    noise = decoding.future_noise(NUM_FUTURES, grid_shape, size[1], seed)
    noise = noise.reshape(NUM_FUTURES, -1, size[1])
    found_sums: dict[str, ClipSums] = collections.defaultdict(
        lambda: ClipSums(len(clips), *size)
    )
    batches = pipeline.evaluation_batches(data, split, batch_size).as_numpy_iterator()
    seen = 0
    for batch in map(pipeline.first_step, batches):
        frames = batch["frames"]
        canny = edge_cells(frames, data.grid_size)
        truth = Truth.of_batch(batch["flow"], batch["codes"], canny, data.codebook)
        here = rows[seen : seen + len(frames)]
        for name, out in predict(frames).items():
            prediction = Prediction.of_output(
                out["flow"], out["probabilities"], data.codebook, name in flow_only
            )
            futures = None
            if prediction.probabilities is not None and name not in undrawn:
                futures = decoding.sample_flows(
                    prediction.probabilities, data.codebook.centers, noise
                )
            found_sums[name].update(here, truth, prediction, futures)
        seen += len(frames)
        progress(seen, expected)
    return Evaluation(
        clips=clips,
        actions=index["action"][first],
        sources=index["source"][first],
        sample_clips=rows,
        codebook_fingerprint=data.codebook.fingerprint,
        sums={name: one.arrays for name, one in found_sums.items()},
        frames={name: one.frames for name, one in found_sums.items()},
        confusions={name: one.confusion for name, one in found_sums.items()},
        cell_hits={name: one.cell_hits for name, one in found_sums.items()},
    )
