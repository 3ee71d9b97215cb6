"""Flow vectors to codes and back: the report's 40 representative motions.

    float32 [..., 2] --encode--> int32 [...] --decode--> float32 [..., 2]

About three quarters of all vectors are still. With its default re-seeding,
MiniBatchKMeans then puts 16 to 19 of 40 centres on zero; `reassignment_ratio=0` gives
the report's picture: one centre near zero that takes the still vectors.
"""

import hashlib
from pathlib import Path

import numpy as np

from motionflow.errors import InputError

_CHUNK = 1 << 16  # vectors compared at once: 16 MB of distances for 40 centres


class Codebook:
    """Centres of motion, in pixels.

    Attributes:
      centers: float32 [K, 2], (dx, dy).
      counts: int64 [K], training vectors nearest to each centre.
    """

    def __init__(self, centers: np.ndarray, counts: np.ndarray | None = None):
        """Takes centres [K, 2] and, where known, the training counts [K]."""
        self.centers = np.asarray(centers, np.float32)
        if self.centers.ndim != 2 or self.centers.shape[1] != 2:
            raise InputError(f"centers are {self.centers.shape}, expected [K, 2]")
        if not np.isfinite(self.centers).all():
            raise InputError("the codebook holds centres that are not finite")
        if len(np.unique(self.centers, axis=0)) < len(self.centers):
            raise InputError("the codebook holds the same centre twice")
        size = len(self.centers)
        self.counts = np.zeros(size, np.int64) if counts is None else np.asarray(counts)

    @property
    def num_clusters(self) -> int:
        """K."""
        return len(self.centers)

    @property
    def zero_index(self) -> int:
        """The code of "still": the centre with the smallest magnitude."""
        return int(np.argmin(np.linalg.norm(self.centers, axis=1)))

    @property
    def fingerprint(self) -> str:
        """16 hex digits that two codebooks share only if their centres are equal."""
        return hashlib.sha256(self.centers.astype("<f4").tobytes()).hexdigest()[:16]

    def encode(self, flow: np.ndarray) -> np.ndarray:
        """Assigns each vector of float32 [..., 2] its nearest centre, int32 [...]."""
        vectors = np.asarray(flow, np.float32).reshape(-1, 1, 2)
        codes = [
            ((vectors[i : i + _CHUNK] - self.centers) ** 2).sum(-1).argmin(-1)
            for i in range(0, len(vectors), _CHUNK)
        ]
        return np.concatenate(codes).astype(np.int32).reshape(np.shape(flow)[:-1])

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Returns the centres of int [...] codes, float32 [..., 2]."""
        return self.centers[codes]

    def save(self, path: str | Path) -> None:
        """Writes an .npz with centers and counts."""
        np.savez(path, centers=self.centers, counts=self.counts)

    @classmethod
    def load(cls, path: str | Path) -> "Codebook":
        """Reads what `save` wrote; InputError where the file is missing or no such."""
        try:
            with np.load(path) as file:
                return cls(file["centers"], file["counts"])
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"{path} is no codebook: {error}") from error


def fit_codebook(
    vectors: np.ndarray, num_clusters: int = 40, seed: int = 0
) -> Codebook:
    """Clusters training flow by minibatch k-means (the report's section 3).

    Args:
      vectors: float32 [N, 2] of the training split only, pixels.
      num_clusters: K; 40 in the report.
      seed: of the initialisation and the minibatches.

    Returns:
      A codebook ordered by magnitude, so that code 0 is "still".

    Raises:
      InputError: fewer than K distinct vectors, or a centre that no vector is near.
    """
    from sklearn.cluster import MiniBatchKMeans

    vectors = np.asarray(vectors, np.float32).reshape(-1, 2)
    distinct = len(np.unique(vectors, axis=0))
    if distinct < num_clusters:
        raise InputError(
            f"{distinct} distinct flow vectors cannot make num_clusters={num_clusters}"
        )
    kmeans = MiniBatchKMeans(
        num_clusters,
        batch_size=4096,
        n_init=3,
        reassignment_ratio=0,
        random_state=seed,
    ).fit(vectors)
    centers = kmeans.cluster_centers_
    centers = centers[np.argsort(np.linalg.norm(centers, axis=1))]
    counts = np.bincount(Codebook(centers).encode(vectors), minlength=num_clusters)
    if not counts.all():
        raise InputError(
            f"{np.sum(counts == 0)} of {num_clusters} centres take no training vector: "
            "choose fewer num_clusters or another seed"
        )
    return Codebook(centers, counts)
