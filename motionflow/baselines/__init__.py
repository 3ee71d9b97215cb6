"""Training split -> the predictors that a model must beat.

    data directory --one pass--> eleven baselines, by the name of their table row
      each: frames uint8 [B, S, S, 3] -> flow [B, g, g, 2], probabilities or None

A frame of the training split is decoded once and forgotten. What is kept of it: 3 kB of
flow, 2 kB of codes, 12 kB of pixels and, where features are asked for, 16 kB (a fully
connected layer of 4,096) or 51 kB (the all-convolutional network): 48,000 frames take
0.8 GB without features and up to 3.3 GB with them.

- `constant`: nothing moves, means, class frequencies: never look at the frame.
- `neighbors`: the flow of training frames that look alike.
- `forest`: local patches with an edge to their motion (Pintea 2014).

Probabilities [B, cells, K] are None where a predictor names one vector a cell only.

Chance, for a predictor that knows nothing about the direction: the angle a between a
prediction and the truth is uniform, so Dir = E[cos a] = 0 and Ori = E|cos a| = (4 times
the integral of cos over a quarter turn) / (2 pi) = 2 / pi = 0.637, where both vectors
are not zero. Walker's published Ori of 0.636 is chance.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from motionflow.baselines.constant import ConstantPredictor, constant_rows
from motionflow.baselines.forest import MAX_PATCHES, ForestPredictor, PatchSampler
from motionflow.baselines.neighbors import (
    Describe,
    FrameIndex,
    NearestFrame,
    VotingFrames,
    tiny_images,
)
from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir
from motionflow.errors import InputError

CHANCE_DIR = 0.0
CHANCE_ORI = 2 / math.pi

PredictFlow = Callable[[np.ndarray], Mapping[str, Any]]  # flow, probabilities


def chance_recall(num_classes: int) -> float:
    """Mean recall of a guess that ignores the frame: 1 / num_classes.

    A guess of class c with probability q_c, whatever the truth, has recall q_c on class
    c; the q_c sum to 1, so their mean over the classes is 1 / num_classes, also for
    "always still" and for guessing by frequency.
    """
    return 1 / num_classes


def constant_baselines(
    data: DataDir, batch_size: int = 256
) -> dict[str, ConstantPredictor]:
    """Fits those that never look at a frame: seconds, since no frame is decoded.

    Args, returns and raises as in `make_baselines`.
    """
    return constant_rows(*read_targets(data, batch_size), data.codebook)


def make_baselines(
    data: DataDir, features: Describe | None = None, seed: int = 0, batch_size: int = 64
) -> dict[str, PredictFlow]:
    """Fits every baseline on the training split, which is read once.

    Args:
      data: an opened data directory.
      features: frames uint8 [B, S, S, 3] -> float32 [B, D], as `Predictor.features`;
        None leaves the two rows out that need them.
      seed: of the forest and its patches.
      batch_size: frames at a time; does not change the result.

    Returns:
      The predictors by the name of their row, in the order of the table.

    Raises:
      InputError: no training sample, or another number than the manifest says.
    """
    known = read_training_set(data, features, seed, batch_size)
    constants = constant_rows(known.flow, known.codes, data.codebook)
    prior = constants["class prior per cell"].probabilities
    assert prior is not None, "frequencies are probabilities"
    rows: dict[str, PredictFlow] = dict(constants)
    for name, describe in feature_spaces(features).items():
        index = FrameIndex(describe, known.vectors[name], known.flow, known.codes, 20)
        rows[f"nearest frame, {name}"] = NearestFrame(index)
        rows[f"20 nearest frames, {name}"] = VotingFrames(
            index, prior, data.codebook.centers
        )
    rows["random forest"] = ForestPredictor(
        known.descriptors, known.motions, data.grid_size, seed
    )
    return rows


@dataclasses.dataclass(frozen=True)
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
    first = map(pipeline.first_step, batches)
    rows = ({key: batch[key] for key in ("flow", "codes")} for batch in first)
    columns = _collect(rows, data)
    return columns["flow"], columns["codes"]


def read_training_set(
    data: DataDir, features: Describe | None, seed: int, batch_size: int
) -> TrainingSet:
    """Reads the training split in one pass; arguments as of `make_baselines`.

    Raises:
      InputError: no training sample, or another number than the manifest says.
    """
    spaces = feature_spaces(features)
    batches = pipeline.evaluation_batches(data, "train", batch_size)
    sampler = PatchSampler(data.num_samples("train"), data.grid_size, MAX_PATCHES, seed)

    def rows() -> Iterator[dict[str, np.ndarray]]:
        for batch in map(pipeline.first_step, batches.as_numpy_iterator()):
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
