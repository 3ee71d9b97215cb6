"""Flow vectors to codes and back: the report's 40 representative motions.

    float32 [..., 2] --encode--> int32 [...] --decode--> float32 [..., 2]

The centres are found by minibatch k-means over a stream of vectors, so that a data set
of any size fits into memory:

    all vectors --> a sample --k-means--> first centres
                --> two passes of minibatches --> centres --> counts

About three quarters of all vectors are still. With its default re-seeding,
MiniBatchKMeans then puts 16 to 19 of 40 centres on zero; `reassignment_ratio=0` gives
the report's picture: one centre near zero that takes the still vectors.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from motionflow.errors import InputError
from motionflow.files import drafts

_CHUNK = 1 << 16  # vectors compared at once: 16 MB of distances for 40 centres
_SAMPLE_SIZE = 1 << 17  # vectors that the first centres are found from
_BATCH_SIZE = 1 << 16  # smaller ones pull the centres about: 4096 ends 1 % worse
_BUFFER_SIZE = 4 * _BATCH_SIZE  # vectors shuffled together
_NUM_PASSES = 2  # a third would lower the quantisation error by 0.1 %
# EOFError: an empty file; TypeError: an .npy of one array.
_NO_CODEBOOK = (OSError, EOFError, LookupError, TypeError, ValueError, BadZipFile)
_REMEDY = "choose fewer num_clusters, another seed, or a codebook that exists"


class Codebook:
    """Centres of motion, in pixels.

    Attributes:
      centers: float32 [K, 2], (dx, dy).
      counts: int64 [K], training vectors nearest to each centre.
      settings: how the centres were found; empty where that is not known.
    """

    def __init__(
        self,
        centers: np.ndarray,
        counts: np.ndarray | None = None,
        settings: dict | None = None,
    ):
        """Takes centres [K, 2] and, where known, counts [K] and settings."""
        self.centers = np.asarray(centers, np.float32)
        if self.centers.ndim != 2 or self.centers.shape[1] != 2:
            raise InputError(f"centers are {self.centers.shape}, expected [K, 2]")
        if not np.isfinite(self.centers).all():
            raise InputError("the codebook holds centres that are not finite")
        size = len(self.centers)
        if len(np.unique(self.centers, axis=0)) < size:
            raise InputError("the codebook holds the same centre twice")
        self.counts = np.zeros(size, np.int64)
        if counts is not None:
            self.counts = np.asarray(counts, np.int64)
        if self.counts.shape != (size,):
            raise InputError(f"counts are {self.counts.shape}, expected {(size,)}")
        self.settings = dict(settings or {})

    @property
    def num_clusters(self) -> int:
        """K."""
        return len(self.centers)

    @property
    def zero_index(self) -> int:
        """The code of "still", the centre with the smallest magnitude."""
        return int(np.argmin(self._magnitudes))

    @property
    def num_near_zero(self) -> int:
        """How many centres mean "still"; 1 is right.

        What is near depends on how fast the data is and on K. If K equal discs covered
        the disc of the vectors' root mean square speed, each would have the radius
        rms / sqrt(K): near zero is within a quarter of that (0.07 px for HMDB-51).
        0 is what a camera that never rests gives.
        """
        weights = self.counts if self.counts.any() else None
        rms = np.sqrt(np.average(self._magnitudes**2, weights=weights))
        return int(np.sum(self._magnitudes <= 0.25 * rms / np.sqrt(self.num_clusters)))

    @property
    def fingerprint(self) -> str:
        """16 hex digits that two codebooks share only if their centres are equal."""
        return hashlib.sha256(self.centers.astype("<f4").tobytes()).hexdigest()[:16]

    @property
    def _magnitudes(self) -> np.ndarray:
        return np.linalg.norm(self.centers, axis=1)

    def encode(self, flow: np.ndarray) -> np.ndarray:
        """Assigns each vector of float32 [..., 2] its nearest centre, int32 [...]."""
        vectors = np.asarray(flow, np.float32).reshape(-1, 2)
        codes = np.empty(len(vectors), np.int32)
        for i in range(0, len(vectors), _CHUNK):
            dx, dy = vectors[i : i + _CHUNK].T[..., None] - self.centers.T[:, None]
            codes[i : i + _CHUNK] = (dx * dx + dy * dy).argmin(-1)
        return codes.reshape(np.shape(flow)[:-1])

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The centres of int [...] codes, float32 [..., 2]."""
        return self.centers[codes]

    def counted(self, batches: Iterable[np.ndarray]) -> "Codebook":
        """The same centres with the counts of these vectors, float32 [n, 2] each."""
        counts = np.zeros(self.num_clusters, np.int64)
        for batch in _joined(batches):
            counts += np.bincount(self.encode(batch), minlength=self.num_clusters)
        return Codebook(self.centers, counts, self.settings)

    def save(self, path: str | Path) -> None:
        """Writes an .npz; the same codebook gives the same bytes."""
        settings = json.dumps(self.settings, sort_keys=True)
        arrays = {"centers": self.centers, "counts": self.counts}
        drafts.write_arrays(path, arrays | {"settings": settings})

    @classmethod
    def load(cls, path: str | Path) -> "Codebook":
        """Reads what `save` wrote; InputError where the file is missing or no such.

        An .npz needs to hold `centers` only, so anyone can write one.
        """
        try:
            with np.load(path) as file:
                settings = json.loads(str(file.get("settings", "{}")))
                return cls(file["centers"], file.get("counts"), settings)
        except _NO_CODEBOOK as error:
            raise InputError(f"{path} is no codebook: {error}") from error


def fit_codebook(
    batches: Callable[[], Iterable[np.ndarray]], num_clusters: int = 40, seed: int = 0
) -> Codebook:
    """Clusters training flow by minibatch k-means (the report's section 3).

    Neighbouring batches, which come from one clip, may look alike: the stream is
    shuffled in a bounded buffer, and the first centres come from a sample of all of it.

    Args:
      batches: starts a pass over the training split, which yields float32 [n, 2] in
        pixels; called four times, each time with the same outcome.
      num_clusters: K; 40 in the report.
      seed: of the sample, the initialisation and the shuffling.

    Returns:
      A codebook ordered by magnitude, so that code 0 is "still". Whether one of its
      centres is near zero depends on the videos: see `num_near_zero`.

    Raises:
      InputError: fewer than K distinct vectors, a centre that no vector is near, or
        more than one centre near zero.
    """
    import sklearn

    rng = np.random.default_rng(seed)
    sample, num_vectors = _sample(batches(), rng)
    distinct = len(np.unique(sample, axis=0))
    if distinct < num_clusters:
        raise InputError(
            f"{distinct} distinct flow vectors (of {len(sample)}) cannot make "
            f"num_clusters={num_clusters}"
        )
    centers = _fit_centers(sample, batches, num_clusters, seed, rng)
    settings = {
        "method": "MiniBatchKMeans.partial_fit",
        "num_clusters": num_clusters,
        "seed": seed,
        "reassignment_ratio": 0,
        "num_passes": _NUM_PASSES,
        "batch_size": _BATCH_SIZE,
        "buffer_size": _BUFFER_SIZE,
        "sample_size": len(sample),
        "num_vectors": num_vectors,
        "scikit_learn": sklearn.__version__,
    }
    codebook = Codebook(centers, settings=settings).counted(batches())
    _check(codebook)
    return codebook


def _fit_centers(
    sample: np.ndarray,
    batches: Callable[[], Iterable[np.ndarray]],
    num_clusters: int,
    seed: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Returns float64 [K, 2], ordered by magnitude."""
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    # Threads add in the order in which they finish, so the last bits would depend on
    # them; float64, because a running mean of 15 million vectors wants the digits.
    with threadpool_limits(1):
        first = KMeans(num_clusters, n_init=3, random_state=seed).fit(
            sample.astype(np.float64)
        )
        kmeans = MiniBatchKMeans(
            num_clusters,
            init=first.cluster_centers_,
            n_init=1,
            reassignment_ratio=0,
            random_state=seed,
        )
        for _ in range(_NUM_PASSES):
            for minibatch in _shuffled(batches(), rng):
                kmeans.partial_fit(minibatch.astype(np.float64))
    centers = kmeans.cluster_centers_
    return centers[np.argsort(np.linalg.norm(centers, axis=1), kind="stable")]


def _sample(
    batches: Iterable[np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Draws up to _SAMPLE_SIZE vectors from a stream, each with the same chance.

    Each gets a random key, and those with the smallest keys are kept. Returns how many
    came by, too.
    """
    keys, held = np.zeros(0), np.zeros((0, 2), np.float32)
    num_vectors, bound = 0, 1.0
    for vectors in _joined(batches):
        drawn = rng.random(len(vectors))
        num_vectors += len(vectors)
        keys = np.concatenate([keys, drawn[drawn < bound]])
        held = np.concatenate([held, vectors[drawn < bound]])
        if len(keys) > 2 * _SAMPLE_SIZE:
            keep = np.argpartition(keys, _SAMPLE_SIZE - 1)[:_SAMPLE_SIZE]
            keys, held = keys[keep], held[keep]
            bound = keys.max()
    return held[np.argsort(keys)[:_SAMPLE_SIZE]], num_vectors


def _shuffled(
    batches: Iterable[np.ndarray], rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yields all vectors as minibatches, mixed over the buffer and beyond it.

    Half of a full buffer leaves at a time, so that a vector can travel far.
    """
    held = np.zeros((0, 2), np.float32)
    for vectors in _joined(batches):
        held = np.concatenate([held, vectors])
        if len(held) >= _BUFFER_SIZE:
            held = rng.permutation(held)
            num_leaving = len(held) // 2 // _BATCH_SIZE * _BATCH_SIZE
            yield from _cut(held[:num_leaving])
            held = held[num_leaving:]
    yield from _cut(rng.permutation(held))


def _joined(batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Joins neighbours, so that many small clips cost no more than few large ones."""
    parts, size = [], 0
    for batch in batches:
        parts.append(np.asarray(batch, np.float32).reshape(-1, 2))
        size += len(parts[-1])
        if size >= _BATCH_SIZE:
            yield np.concatenate(parts)
            parts, size = [], 0
    if parts:
        yield np.concatenate(parts)


def _cut(vectors: np.ndarray) -> Iterator[np.ndarray]:
    for i in range(0, len(vectors), _BATCH_SIZE):
        yield vectors[i : i + _BATCH_SIZE]


def _check(codebook: Codebook) -> None:
    """Refuses centres that are wasted."""
    num_empty = int(np.sum(codebook.counts == 0))
    if num_empty:
        raise InputError(
            f"{num_empty} of {codebook.num_clusters} centres take no training vector: "
            + _REMEDY
        )
    if codebook.num_near_zero > 1:
        raise InputError(
            f"{codebook.num_near_zero} of {codebook.num_clusters} centres are near "
            f"zero, expected one: {_REMEDY}"
        )
