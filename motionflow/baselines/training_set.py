"""The training split, read once for all baselines.

    records --> flow and codes of every frame           (constants, neighbours)
            --> each frame as 32x32 pixels, as features (neighbours)
            --> at most 50,000 patches on edges         (forest)

A frame is decoded once and forgotten. What is kept of it: 3 kB of flow, 2 kB of codes,
12 kB of pixels and, where features are asked for, 16 kB (a fully connected layer of
4,096) or 51 kB (the all-convolutional network): 48,000 frames take 0.8 GB without
features and up to 3.3 GB with them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from motionflow.baselines.forest import MAX_PATCHES
from motionflow.baselines.neighbors import Describe, tiny_images
from motionflow.baselines.patches import PatchSampler
from motionflow.data import pipeline
from motionflow.data.records import DataDir
from motionflow.errors import InputError


@dataclass(frozen=True)
class TrainingSet:
    """What the baselines know of the training split, N frames in the records' order.

    Attributes:
      flow: float32 [N, g, g, 2], unquantised, pixels per step.
      codes: int32 [N, cells].
      vectors: by the name of a feature space, float32 [N, D].
      descriptors: float32 [n, 324], HOG of patches on edges.
      motions: float32 [n, p, p, 2], how these patches move.
    """

    flow: np.ndarray
    codes: np.ndarray
    vectors: dict[str, np.ndarray]
    descriptors: np.ndarray
    motions: np.ndarray


def feature_spaces(features: Describe | None) -> dict[str, Describe]:
    """Ways to describe frames [B, S, S, 3] as float32 [B, D], by name."""
    return {"pixels": tiny_images} | ({"features": features} if features else {})


def read_targets(data: DataDir, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Flow [N, g, g, 2] and codes [N, cells] of the training split; decodes no frame.

    Raises:
      InputError: as `read_training_set`.
    """
    batches = pipeline.targets(data, "train", batch_size).as_numpy_iterator()
    rows = ({key: batch[key] for key in ("flow", "codes")} for batch in batches)
    columns = _collect(rows, data)
    return columns["flow"], columns["codes"]


def read_training_set(
    data: DataDir, features: Describe | None, seed: int, batch_size: int
) -> TrainingSet:
    """Reads the training split in one pass.

    Args:
      data: an opened data directory.
      features: frames uint8 [B, S, S, 3] -> float32 [B, D], or None.
      seed: of the draw of patches.
      batch_size: frames at a time; does not change the result.

    Raises:
      InputError: no training sample, or another number than the manifest says.
    """
    spaces = feature_spaces(features)
    batches = pipeline.evaluation_batches(data, "train", batch_size)
    sampler = PatchSampler(data.num_samples("train"), data.grid_size, MAX_PATCHES, seed)

    def rows() -> Iterator[dict[str, np.ndarray]]:
        for batch in batches.as_numpy_iterator():
            frames, flow = batch["frames"], batch["flow"]
            vectors = {name: describe(frames) for name, describe in spaces.items()}
            yield {"flow": flow, "codes": batch["codes"], **vectors}
            # Behind the yield: rows beyond the manifest's number get no share.
            sampler.add(frames, flow)

    columns = _collect(rows(), data)
    descriptors, motions = sampler.result()
    flow, codes = columns.pop("flow"), columns.pop("codes")
    return TrainingSet(flow, codes, columns, descriptors, motions)


def _collect(
    batches: Iterable[dict[str, np.ndarray]], data: DataDir
) -> dict[str, np.ndarray]:
    """Joins batches of columns, in place: `concatenate` would hold all of it twice."""
    expected, end = data.num_samples("train"), 0
    columns: dict[str, np.ndarray] = {}
    for batch in batches:
        begin, end = end, end + len(batch["flow"])
        if end > expected:
            break
        for key, values in batch.items():
            if not begin:
                columns[key] = np.empty((expected, *values.shape[1:]), values.dtype)
            columns[key][begin:end] = values
    if end != expected:
        raise InputError(
            f"{data.path} holds {end} training samples or more, its manifest says "
            f"{expected}"
        )
    return columns
