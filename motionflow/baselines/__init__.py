"""Training split -> the predictors that a model must beat.

    data directory --one pass--> eleven baselines, by the name of their table row
      each: frames uint8 [B, S, S, 3] -> flow [B, g, g, 2], probabilities or None

- `constant`: nothing moves, means, class frequencies: never look at the frame.
- `neighbors`: the flow of training frames that look alike.
- `forest`: local patches with an edge to their motion (Pintea 2014).

Probabilities [B, cells, K] are None where a predictor names one vector a cell only.

Chance, for a predictor that knows nothing about the direction: the angle a between a
prediction and the truth is uniform, so Dir = E[cos a] = 0 and Ori = E|cos a| = (4 times
the integral of cos over a quarter turn) / (2 pi) = 2 / pi = 0.637, where both vectors
are not zero. Walker's published Ori of 0.636 is chance.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from motionflow.baselines import constant
from motionflow.baselines.forest import ForestPredictor
from motionflow.baselines.neighbors import (
    Describe,
    FrameIndex,
    NearestFrame,
    VotingFrames,
)
from motionflow.baselines.training_set import (
    feature_spaces,
    read_targets,
    read_training_set,
)
from motionflow.data.records import DataDir
from motionflow.labels.codebook import Codebook

CHANCE_DIR = 0.0
CHANCE_ORI = 2 / math.pi

PredictFlow = Callable[[np.ndarray], Mapping[str, np.ndarray | None]]


def chance_recall(num_classes: int) -> float:
    """Mean recall of a guess that ignores the frame: 1 / num_classes.

    A guess of class c with probability q_c, whatever the truth, has recall q_c on class
    c; the q_c sum to 1, so their mean over the classes is 1 / num_classes, also for
    "always still" and for guessing by frequency.
    """
    return 1 / num_classes


def constant_baselines(
    data: DataDir, batch_size: int = 256
) -> dict[str, constant.ConstantPredictor]:
    """Fits those that never look at a frame: seconds, since no frame is decoded.

    Args, returns and raises as in `make_baselines`.
    """
    return _constant_rows(*read_targets(data, batch_size), data.codebook)


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
    constants = _constant_rows(known.flow, known.codes, data.codebook)
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


def _constant_rows(
    flow: np.ndarray, codes: np.ndarray, codebook: Codebook
) -> dict[str, constant.ConstantPredictor]:
    statistics = constant.training_statistics(codes, flow, codebook.num_clusters)
    return {
        "zero flow": constant.zero_flow(statistics),
        "random directions": constant.random_directions(statistics),
        "mean flow": constant.mean_flow(statistics),
        "mean flow per cell": constant.mean_flow_per_cell(statistics),
        "class prior": constant.class_prior(statistics, codebook),
        "class prior per cell": constant.class_prior_per_cell(statistics, codebook),
    }
