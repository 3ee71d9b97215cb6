"""Training statistics -> predictors that give every frame the same answer.

    codes [N, cells], flow [N, g, g, 2] of the training split
      -> class counts [cells, K], mean flow [g, g, 2]
      -> six predictors: frames -> flow [B, g, g, 2], probabilities [B, cells, K]

None of them looks at the frame. Three quarters of all cells are still, so the zero flow
alone reaches the EPE of the published forest (1.23 on HMDB-51): a model's row means
something only beside these.
"""

from dataclasses import dataclass

import numpy as np

from motionflow.labels.codebook import Codebook


@dataclass(frozen=True)
class TrainingStatistics:
    """What the constant baselines know of the training split.

    Attributes:
      class_counts: int64 [cells, K], how often each class occurs in each cell.
      mean_flow: float64 [g, g, 2], mean unquantised flow of each cell, in pixels.
    """

    class_counts: np.ndarray
    mean_flow: np.ndarray


def training_statistics(
    codes: np.ndarray, flow: np.ndarray, num_clusters: int
) -> TrainingStatistics:
    """Counts the classes and averages the flow of each cell.

    Args:
      codes: int [N, cells].
      flow: float32 [N, g, g, 2], pixels per step.
      num_clusters: K, the size of the codebook.
    """
    # One class at a time: a temporary of N x cells bytes, whatever K is.
    counts = [np.count_nonzero(codes == c, axis=0) for c in range(num_clusters)]
    return TrainingStatistics(
        np.stack(counts, axis=-1), flow.mean(axis=0, dtype=np.float64)
    )


@dataclass(frozen=True)
class ConstantPredictor:
    """The same answer for every frame.

    Attributes:
      flow: float32 [g, g, 2], pixels per step.
      probabilities: float64 [cells, K], or None if it names no probability.
    """

    flow: np.ndarray
    probabilities: np.ndarray | None = None

    def __call__(self, frames: np.ndarray) -> dict[str, np.ndarray | None]:
        """Repeats the answer: flow [B, g, g, 2], probabilities or None."""

        def repeat(values: np.ndarray | None) -> np.ndarray | None:
            if values is None:
                return None
            return np.broadcast_to(values, (len(frames), *values.shape))

        return {"flow": repeat(self.flow), "probabilities": repeat(self.probabilities)}


def zero_flow(statistics: TrainingStatistics) -> ConstantPredictor:
    """Nothing moves, the row that Pintea 2014 prints beside every model.

    It has no probabilities: under a one-hot score the order of the losing classes,
    hence top-5 and top-10, would be invented, and its likelihood would be 0.
    """
    return ConstantPredictor(np.zeros_like(statistics.mean_flow, np.float32))


def random_directions(
    statistics: TrainingStatistics, seed: int = 0
) -> ConstantPredictor:
    """A direction drawn for each cell: the chance level of Dir and Ori, measured.

    Dir is 0 and Ori 2 / pi = 0.637 on average where both vectors are not zero; Walker's
    published Ori of 0.636 is that. Vectors are a thousandth of a pixel long, so that
    the EPE is the zero flow's.
    """
    shape = statistics.mean_flow.shape[:2]
    angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, shape)
    flow = 1e-3 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return ConstantPredictor(flow.astype(np.float32))


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
    like the report's model (section 3): flow = sum over c of p_c m_c.
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


def _from_counts(
    counts: np.ndarray,
    codebook: Codebook,
    statistics: TrainingStatistics,
    smoothing: float,
) -> ConstantPredictor:
    smoothed = counts + smoothing
    probabilities = smoothed / smoothed.sum(axis=-1, keepdims=True)
    flow = probabilities @ codebook.centers.astype(np.float64)
    flow = flow.reshape(statistics.mean_flow.shape).astype(np.float32)
    return ConstantPredictor(flow, probabilities)
