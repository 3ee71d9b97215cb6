"""Training statistics -> predictors that give every frame the same answer.

    codes [N, cells], flow [N, g, g, 2] of the training split
      -> class counts [cells, K], mean flow [g, g, 2]
      -> six predictors: frames -> flow [B, g, g, 2], probabilities [B, cells, K]

None of them looks at the frame. Three quarters of all cells are still, so the zero flow
alone reaches the EPE of the published forest (1.23 on HMDB-51): a model's row means
something only beside these.

    zero flow             nothing moves, the row that Pintea 2014 prints beside every
                          model. It has no probabilities: its likelihood would be 0, and
                          the order of the losing classes, hence top-5, invented
    random directions     drawn for each cell: the chance level of Dir (0) and Ori (2 /
                          pi = 0.637, Walker's published 0.636), measured. A thousandth
                          of a pixel long, so that the EPE is the zero flow's
    mean flow             of all constants, least squared error
    mean flow per cell    what position alone says of the flow
    class prior           how often each class occurs, p_c = (n_c + 1) / (n + K) by
                          Laplace's rule; decoded like the report's model (section 3):
                          flow = sum over c of p_c m_c
    class prior per cell  the same of each cell: the edges of a frame move less (the
                          report's Figure 11)
"""

from dataclasses import dataclass

import numpy as np

from motionflow.labels.codebook import Codebook

_SMOOTHING = 1.0


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


def constant_rows(
    flow: np.ndarray, codes: np.ndarray, codebook: Codebook, seed: int = 0
) -> dict[str, ConstantPredictor]:
    """Fits all six, by the names of their rows.

    Args:
      flow: float32 [N, g, g, 2], pixels per step.
      codes: int [N, cells].
      codebook: of the codes.
      seed: of the directions.
    """
    # One class at a time: a temporary of N x cells bytes, whatever K is.
    classes = range(codebook.num_clusters)
    counts = np.stack([np.count_nonzero(codes == c, axis=0) for c in classes], axis=-1)
    mean = flow.mean(axis=0, dtype=np.float64)
    angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, mean.shape[:2])
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    flows = {
        "zero flow": np.zeros_like(mean),
        "random directions": 1e-3 * directions,
        "mean flow": np.broadcast_to(mean.mean(axis=(0, 1)), mean.shape),
        "mean flow per cell": mean,
    }
    rows = {name: ConstantPredictor(v.astype(np.float32)) for name, v in flows.items()}
    everywhere = np.broadcast_to(counts.sum(axis=0), counts.shape)
    for name, each in (("class prior", everywhere), ("class prior per cell", counts)):
        smoothed = each + _SMOOTHING
        probabilities = smoothed / smoothed.sum(axis=-1, keepdims=True)
        decoded = probabilities @ codebook.centers.astype(np.float64)
        decoded = decoded.reshape(mean.shape).astype(np.float32)
        rows[name] = ConstantPredictor(decoded, probabilities)
    return rows
