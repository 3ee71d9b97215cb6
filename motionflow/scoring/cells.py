"""Prediction and truth of a batch -> scores of each cell.

    flow_true, flow_pred [B, cells, 2]                  -> EPE (px), Dir, Ori
    codes_true [B, cells], probabilities [B, cells, K]  -> rank of the true class, nll
      all of it: `cell_columns`, [B, cells, CELL_COLUMNS]

With u predicted and v true (`v` is the unquantised grid, as Walker 2015 and Pintea 2014
score it, so a perfect classifier keeps the quantisation error)::

    EPE = |u - v|             the report's L2, pixels per step
    Dir = u.v / (|u| |v|)     cosine; here |u| = sqrt(x^2 + y^2 + 1e-10): zero scores 0
    Ori = |u.v| / (|u| |v|)   the same without the sign
    nll = -log F_y            natural logarithm, the report's loss of one cell

Three masks: `all` cells; `canny`, cells that hold a Canny edge (`forest.edge_cells`);
`nz`, cells whose true code is not the smallest centre (Walker).
"""

import dataclasses
import functools
import itertools

import numpy as np

from motionflow.errors import InputError
from motionflow.labels.codebook import Codebook
from motionflow.models.decoding import classes_first, first_largest

MASKS = ("all", "canny", "nz")
TOP_K = (1, 5, 10)
# Lower edges of the buckets of the true magnitude, pixels per step.
MAGNITUDE_EDGES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
CELL_COLUMNS = ("count", "epe", "dir", "ori", *(f"top{k}" for k in TOP_K), "nll")


@dataclasses.dataclass(frozen=True)
class Truth:
    """What really happens in a batch, prepared once for all predictors.

    Attributes:
      flow: float64 [B, cells, 2], unquantised, pixels per step.
      codes: int64 [B, cells].
      masks: float64 [3, B, cells], 1 inside; in the order of MASKS.
    """

    flow: np.ndarray
    codes: np.ndarray
    masks: np.ndarray

    @classmethod
    def of_batch(
        cls, flow: np.ndarray, codes: np.ndarray, canny: np.ndarray, codebook: Codebook
    ) -> "Truth":
        """Prepares flow [B, g, g, 2], codes [B, cells] and bool canny [B, cells]."""
        codes = np.asarray(codes, np.int64)
        masks = [np.ones(codes.shape), canny, codes != codebook.zero_index]
        flow = np.asarray(flow, np.float64).reshape(*codes.shape, 2)
        return cls(flow, codes, np.stack(masks).astype(np.float64))

    @functools.cached_property
    def parts(self) -> np.ndarray:
        """The masks, then the buckets of magnitude: float64 [B, parts, cells]."""
        magnitude = np.sqrt((self.flow**2).sum(axis=-1))
        edges = (*MAGNITUDE_EDGES, np.inf)
        buckets = [
            (low <= magnitude) & (magnitude < high)
            for low, high in itertools.pairwise(edges)
        ]
        return np.stack([*self.masks, *buckets], axis=1)

    @functools.cached_property
    def combinations(self) -> np.ndarray:
        """Which masks hold each cell, bit by bit: int64 [B, cells]."""
        bits = 1 << np.arange(len(self.masks))
        return np.tensordot(bits, self.masks.astype(np.int64), 1)


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a predictor says about a batch, or B = 1: the same about every frame.

    Attributes:
      flow: float64 [B, cells, 2], pixels per step.
      probabilities: [B, cells, K]; None for a predictor of flow only.
      ranking: [B, cells, K], larger is likelier: the probabilities, or how near each
        centre is to the flow. So every predictor can be asked for its first five
        classes, as Walker's table asks a nearest neighbour. None where the predictor's
        classes are not those of the data.
      is_decoding: whether it is another reading of a distribution that is there, too:
        no futures are drawn of it.
    """

    flow: np.ndarray
    probabilities: np.ndarray | None
    ranking: np.ndarray | None
    is_decoding: bool = False

    @classmethod
    def of_output(
        cls,
        flow: np.ndarray,
        probabilities: np.ndarray | None,
        codebook: Codebook | None,
        is_decoding: bool = False,
    ) -> "Prediction":
        """Prepares flow [B, g, g, 2] and probabilities [B, cells, K], or None.

        The codebook is that of the data; None where the predictor has other classes.

        Raises:
          InputError: predictions that are not finite (a diverged model).
        """
        flow = _finite(flow, "flow")
        flow = flow.reshape(len(flow), -1, 2)
        if codebook is None:
            return cls(flow.astype(np.float64), None, None, is_decoding)
        if probabilities is not None:
            # Without a copy: constant predictors repeat one frame's.
            ranking = probabilities = _finite(probabilities, "probabilities")
        else:
            ranking = ranking_by_distance(flow, codebook.centers)
        return cls(flow.astype(np.float64), probabilities, ranking, is_decoding)

    @property
    def codes(self) -> np.ndarray:
        """int64 [B, cells], the class that comes first."""
        return self._first[1]

    @property
    def confidence(self) -> np.ndarray:
        """[B, cells], the probability of the class that comes first."""
        assert self.ranking is self.probabilities, "no probabilities"
        return self._first[0]

    def ranks(self, codes: np.ndarray) -> np.ndarray:
        """`true_class_ranks` of codes int64 [B, cells]."""
        if self._by_class.shape[1] > 1:
            return _ranks(self._by_class, codes)
        return np.take_along_axis(self._ranks_of_all, codes[np.newaxis], axis=0)[0]

    @functools.cached_property
    def _by_class(self) -> np.ndarray:
        assert self.ranking is not None, "other classes than the data's"
        return classes_first(self.ranking)

    @functools.cached_property
    def _first(self) -> tuple[np.ndarray, np.ndarray]:
        return first_largest(self._by_class)

    @functools.cached_property
    def _ranks_of_all(self) -> np.ndarray:
        """The rank of every class, [K, 1, cells]."""
        order = np.argsort(-self._by_class, axis=0, kind="stable")
        return np.argsort(order, axis=0)


def _finite(values: np.ndarray, name: str) -> np.ndarray:
    # NaN compares as "not greater", which would rank the true class first.
    values = np.asarray(values)
    if not np.isfinite(values).all():
        raise InputError(
            f"the predicted {name} hold NaN or infinity, expected finite numbers: "
            "the model has probably diverged"
        )
    return values


def ranking_by_distance(flow: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Minus half the squared distance to each centre, up to a constant of the cell.

    |f - c|^2 = |f|^2 - 2 f.c + |c|^2, and |f|^2 does not change the order. Flow [...,
    2] and centers [K, 2] -> [..., K], in float64: equal distances must not be told
    apart by rounding.
    """
    centers = np.asarray(centers, np.float64)
    return np.asarray(flow, np.float64) @ centers.T - (centers**2).sum(axis=-1) / 2


def flow_scores(pred: np.ndarray, true: np.ndarray) -> np.ndarray:
    """EPE, Dir and Ori of each vector: float64 [..., 2] twice -> [..., 3]."""
    # Axis by axis: sums over two numbers are slow.
    (px, py), (tx, ty) = np.moveaxis(pred, -1, 0), np.moveaxis(true, -1, 0)
    epe = np.sqrt((px - tx) ** 2 + (py - ty) ** 2)
    norms = np.sqrt(px**2 + py**2 + 1e-10) * np.sqrt(tx**2 + ty**2 + 1e-10)
    cosine = (px * tx + py * ty) / norms
    return np.stack([epe, cosine, np.abs(cosine)], axis=-1)


def true_class_ranks(scores: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """How many classes come before the true one, 0 to K - 1.

    Equal scores are ordered by index, as in a stable sort: the true class waits behind
    every equal one before it. So constant scores earn top-1 on class 0 only, and rank 0
    is always what `argmax` picks. Scores [..., K], codes int [...] -> int64 [...].
    """
    return _ranks(classes_first(scores), codes)


def _ranks(by_class: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The same of scores [K, ...]."""
    chosen = np.take_along_axis(by_class, codes[np.newaxis], axis=0)[0]
    before = (by_class > chosen).sum(axis=0, dtype=np.int32).astype(np.int64)
    tied = (by_class == chosen).sum(axis=0, dtype=np.int32) > 1
    if tied.any():
        earlier = np.arange(len(by_class))[:, np.newaxis] < codes[tied]
        before[tied] += (earlier & (by_class[:, tied] == chosen[tied])).sum(axis=0)
    return before


def negative_log_likelihood(probabilities: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """-log of the probability of the true class, nats: [..., K] -> float64 [...]."""
    index = codes[..., None].astype(np.intp)
    chosen = np.take_along_axis(probabilities, index, axis=-1)[..., 0]
    # A float32 softmax underflows to 0; its smallest normal number bounds the cost of
    # one cell at 87 nats, where log(0) would make the whole mean infinite.
    return -np.log(np.maximum(chosen.astype(np.float64), np.finfo(np.float32).tiny))


def cell_columns(truth: Truth, prediction: Prediction) -> np.ndarray:
    """All scores of each cell, float64 [B, cells, CELL_COLUMNS].

    What a predictor cannot say is NaN.
    """
    columns = np.full((len(CELL_COLUMNS), *truth.codes.shape), np.nan)
    found = dict(zip(CELL_COLUMNS, columns, strict=True))
    scores = flow_scores(prediction.flow, truth.flow)
    found["count"][:] = 1
    found["epe"][:], found["dir"][:], found["ori"][:] = np.moveaxis(scores, -1, 0)
    if prediction.ranking is not None:
        ranks = prediction.ranks(truth.codes)
        for k in TOP_K:
            found[f"top{k}"][:] = ranks < k
    if prediction.probabilities is not None:
        likelihood = negative_log_likelihood(prediction.probabilities, truth.codes)
        found["nll"][:] = likelihood
    return np.moveaxis(columns, 0, -1)
