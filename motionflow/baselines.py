"""Training statistics -> the predictors that a model must beat.

    targets of the training split -> class counts [cells, K], mean flow [g, g, 2]
      -> five predictors: frames [B, H, W, 3] -> dict(flow, probabilities, codes)

None of them looks at the frame. Three quarters of all cells are still, so the zero flow
alone reaches a top-1 of 75 % and the EPE of the published forest (1.23 on HMDB-51): a
model's row means something only beside these.

Chance, for a predictor that knows nothing about the direction: the angle a between a
prediction and the truth is uniform, so Dir = E[cos a] = 0 and Ori = E|cos a| = (4 times
the integral of cos over a quarter turn) / (2 pi) = 2 / pi = 0.637, where both vectors
are not zero. Walker's published Ori of 0.636 is chance.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from motionflow.data.codebook import Codebook
from motionflow.data.pipeline import targets
from motionflow.data.records import DataDir

CHANCE_DIR = 0.0
CHANCE_ORI = 2 / math.pi


def chance_recall(num_classes: int) -> float:
    """Mean recall of a guess that ignores the frame: 1 / num_classes.

    A guess of class c with probability q_c, whatever the truth, has recall q_c on class
    c; the q_c sum to 1, so their mean over the classes is 1 / num_classes, also for
    "always still" and for guessing by frequency.
    """
    return 1 / num_classes


@dataclass(frozen=True)
class TrainingStatistics:
    """What the baselines know of the training split.

    Attributes:
      class_counts: int64 [cells, K], how often each class occurs in each cell.
      mean_flow: float64 [g, g, 2], mean unquantised flow of each cell, in pixels.
    """

    class_counts: np.ndarray
    mean_flow: np.ndarray


def training_statistics(data_dir: DataDir, batch_size: int = 256) -> TrainingStatistics:
    """Counts classes and averages flow in one pass over the training targets.

    Args:
      data_dir: an opened data directory.
      batch_size: samples at a time; does not change the result.

    Raises:
      InputError: the data directory has no training samples.
    """
    num_cells, num_clusters = data_dir.grid_size**2, data_dir.codebook.num_clusters
    counts = np.zeros(num_cells * num_clusters, np.int64)
    flow_sum = np.zeros((data_dir.grid_size, data_dir.grid_size, 2))
    for batch in targets(data_dir, "train", batch_size):
        codes = np.asarray(batch["codes"], np.int64)
        pairs = np.arange(num_cells) * num_clusters + codes
        counts += np.bincount(pairs.ravel(), minlength=counts.size)
        flow_sum += np.asarray(batch["flow"], np.float64).sum(axis=0)
    return TrainingStatistics(
        counts.reshape(num_cells, num_clusters),
        flow_sum / data_dir.num_samples("train"),
    )


@dataclass(frozen=True)
class ConstantPredictor:
    """The same answer for every frame.

    Attributes:
      flow: float32 [g, g, 2], pixels per step.
      probabilities: float64 [cells, K], or None if it ranks no classes.
      codes: int64 [cells], or None if it names no class.
    """

    flow: np.ndarray
    probabilities: np.ndarray | None = None
    codes: np.ndarray | None = None

    def __call__(self, frames: np.ndarray) -> dict[str, np.ndarray | None]:
        """Repeats the answer: flow [B, g, g, 2], probabilities [B, cells, K], codes."""

        def repeat(values):
            if values is None:
                return None
            return np.broadcast_to(values, (len(frames), *values.shape))

        return {
            "flow": repeat(self.flow),
            "probabilities": repeat(self.probabilities),
            "codes": repeat(self.codes),
        }


def zero_flow(statistics: TrainingStatistics, codebook: Codebook) -> ConstantPredictor:
    """Nothing moves: flow 0, every cell the smallest centre (Pintea 2014's zero row).

    It guesses one class and ranks no others, so it has no probabilities: under a
    one-hot score the order of the 39 losers, hence top-5 and top-10, would be invented.
    """
    codes = np.full(len(statistics.class_counts), codebook.zero_index)
    return ConstantPredictor(
        np.zeros_like(statistics.mean_flow, np.float32), None, codes
    )


def mean_flow(statistics: TrainingStatistics) -> ConstantPredictor:
    """The mean training vector in every cell: of all constants, least squared error."""
    mean = statistics.mean_flow.mean(axis=(0, 1))
    flow = np.broadcast_to(mean, statistics.mean_flow.shape)
    return ConstantPredictor(flow.astype(np.float32))


def mean_flow_per_cell(statistics: TrainingStatistics) -> ConstantPredictor:
    """The mean training vector of each cell: what position alone says of the flow."""
    return ConstantPredictor(statistics.mean_flow.astype(np.float32))


def class_prior(
    statistics: TrainingStatistics, codebook: Codebook, smoothing: float = 1.0
) -> ConstantPredictor:
    """How often each class occurs, the same in every cell.

    p_c = (n_c + smoothing) / (n + smoothing K), Laplace's rule at smoothing 1; decoded
    like the report's model (section 3): flow = sum over c of p_c m_c, code = argmax.
    """
    counts = statistics.class_counts
    counts = np.broadcast_to(counts.sum(axis=0), counts.shape)
    return _from_counts(counts, codebook, statistics, smoothing)


def class_prior_per_cell(
    statistics: TrainingStatistics, codebook: Codebook, smoothing: float = 1.0
) -> ConstantPredictor:
    """How often each class occurs in each cell, smoothed and decoded as `class_prior`.

    The report's Figure 11 shows why place matters: the edges of a frame move less.
    """
    return _from_counts(statistics.class_counts, codebook, statistics, smoothing)


def _from_counts(counts, codebook, statistics, smoothing) -> ConstantPredictor:
    smoothed = counts + smoothing
    probabilities = smoothed / smoothed.sum(axis=-1, keepdims=True)
    flow = probabilities @ codebook.centers.astype(np.float64)
    flow = flow.reshape(statistics.mean_flow.shape).astype(np.float32)
    return ConstantPredictor(flow, probabilities, probabilities.argmax(axis=-1))


def make_baselines(
    statistics: TrainingStatistics, codebook: Codebook
) -> dict[str, Callable[[np.ndarray], dict[str, np.ndarray | None]]]:
    """All five, by the name of their table row."""
    return {
        "zero flow": zero_flow(statistics, codebook),
        "mean flow": mean_flow(statistics),
        "mean flow per cell": mean_flow_per_cell(statistics),
        "class prior": class_prior(statistics, codebook),
        "class prior per cell": class_prior_per_cell(statistics, codebook),
    }
