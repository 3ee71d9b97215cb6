"""Training frames that look alike -> the flow that they had.

    frame [S, S, 3] --describe--> vector [D] --k nearest training frames--> their flow

Two descriptions: pixels, the frame shrunk to 32x32 colours, at which size scenes and
objects can still be told apart (Torralba, Fergus, Freeman 2008, "80 million tiny
images", section 3); and the activations of a trained network (`Predictor.features`),
as in the tables of Walker 2015. Distances are Euclidean.

Walker's rows copy the flow of the ONE nearest frame. One frame's flow is mostly wrong
about direction and pays for it in EPE (2.43 px there against 1.23 of the zero flow);
twenty frames that vote say how sure they are, and have a likelihood.

Cost: searching multiplies each frame's D numbers with all N x D stored ones. N = 48,000
frames take 0.6 GB as pixels (D = 3,072), searched in 22 ms a frame on one core, and 2.5
GB as the features of the all-convolutional network at full width (D = 12,800).
"""

import math
from collections.abc import Callable

import cv2
import numpy as np
from sklearn.neighbors import NearestNeighbors

PIXELS = 32
Describe = Callable[[np.ndarray], np.ndarray]


def tiny_images(frames: np.ndarray) -> np.ndarray:
    """Shrinks uint8 RGB frames [B, H, W, 3] to 32x32 by area: float32 [B, 3072], 0..1.

    Each number is the mean of the pixels under it, so nothing aliases.
    """
    size, area = (PIXELS, PIXELS), cv2.INTER_AREA
    tiny = [cv2.resize(frame, size, interpolation=area) for frame in frames]
    return np.array(tiny, np.float32).reshape(len(frames), -1) / 255


class FrameIndex:
    """Training frames by how they look, with how they moved.

    Args:
      describe: frames uint8 [B, S, S, 3] -> float32 [B, D].
      vectors: float32 [N, D], the training frames described.
      flow: float32 [N, g, g, 2], pixels per step.
      codes: int [N, cells].
      num_neighbors: k, how many `nearest` finds; all N where there are fewer.
    """

    def __init__(
        self,
        describe: Describe,
        vectors: np.ndarray,
        flow: np.ndarray,
        codes: np.ndarray,
        num_neighbors: int = 20,
    ):
        self.flow = flow
        self.codes = codes
        self._describe = describe
        # Trees do not help in thousands of dimensions. Brute force works in pieces.
        count = min(num_neighbors, len(vectors))
        self._search = NearestNeighbors(n_neighbors=count, algorithm="brute")
        self._search.fit(vectors)
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def nearest(self, frames: np.ndarray) -> np.ndarray:
        """The most similar training frames, nearest first.

        Args:
          frames: uint8 [B, S, S, 3].

        Returns:
          int [B, min(k, N)].
        """
        # The rows of a table ask about the same array one after the other: search once.
        if self._last is None or self._last[0] is not frames:
            vectors = self._describe(frames)
            found = self._search.kneighbors(vectors, return_distance=False)
            self._last = frames, found
        return self._last[1]


class NearestFrame:
    """Copies the flow of the nearest training frame, as in the tables of Walker 2015.

    It names one vector a cell and no probabilities.
    """

    def __init__(self, index: FrameIndex):
        self._index = index

    def __call__(self, frames: np.ndarray) -> dict[str, np.ndarray | None]:
        """Frames [B, S, S, 3] -> flow float32 [B, g, g, 2], probabilities None."""
        nearest = self._index.nearest(frames)[:, 0]
        return {"flow": self._index.flow[nearest], "probabilities": None}


class VotingFrames:
    """Lets the k nearest training frames vote on the class of each cell.

    The votes are smoothed with the class prior of the cell as one more voter, so that
    a class without a vote stays possible::

        p_c = (number of neighbours with class c + prior_c) / (k + 1)

    and decoded like the report's model (section 3): flow = sum over c of p_c m_c.
    """

    def __init__(
        self,
        index: FrameIndex,
        prior: np.ndarray,
        centers: np.ndarray,
    ):
        """Takes the cells' class prior [cells, K] and the codebook's centres [K, 2]."""
        self._index = index
        self._prior = prior
        self._centers = centers

    def __call__(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """Frames -> flow float32 [B, g, g, 2], probabilities float32 [B, cells, K]."""
        nearest = self._index.nearest(frames)
        codes = self._index.codes[nearest]  # [B, k, cells]
        size = len(frames), codes.shape[-1], len(self._centers)
        places = np.arange(size[0] * size[1]).reshape(size[0], 1, size[1])
        counts = np.bincount(
            (places * size[2] + codes).ravel(), minlength=math.prod(size)
        )
        votes = (counts.reshape(size) + self._prior).astype(np.float32)
        probabilities = votes / np.float32(nearest.shape[1] + 1)
        flow = probabilities @ self._centers
        shape = (len(frames), *self._index.flow.shape[1:])
        return {"flow": flow.reshape(shape), "probabilities": probabilities}
