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

import numpy as np

from motionflow.errors import InputError
from motionflow.labels.codebook import Codebook

MASKS = ("all", "canny", "nz")
TOP_K = (1, 5, 10)
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


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a predictor says about a batch.

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

    @functools.cached_property
    def codes(self) -> np.ndarray:
        """int64 [B, cells], the class that comes first."""
        assert self.ranking is not None, "other classes than the data's"
        return self.ranking.argmax(axis=-1)


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
    epe = np.linalg.norm(pred - true, axis=-1)
    norms = np.sqrt((pred**2).sum(-1) + 1e-10) * np.sqrt((true**2).sum(-1) + 1e-10)
    cosine = (pred * true).sum(axis=-1) / norms
    return np.stack([epe, cosine, np.abs(cosine)], axis=-1)


def true_class_ranks(scores: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """How many classes come before the true one, 0 to K - 1.

    Equal scores are ordered by index, as in a stable sort: the true class waits behind
    every equal one before it. So constant scores earn top-1 on class 0 only, and rank 0
    is always what `argmax` picks. Scores [..., K], codes int [...] -> int64 [...].
    """
    codes = codes[..., None].astype(np.intp)
    chosen = np.take_along_axis(scores, codes, axis=-1)
    earlier = np.arange(scores.shape[-1]) < codes
    before = (scores > chosen) | ((scores == chosen) & earlier)
    return before.sum(axis=-1)


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
    scores = flow_scores(prediction.flow, truth.flow)
    found = {name: np.full(truth.codes.shape, np.nan) for name in CELL_COLUMNS}
    found |= dict(zip(("epe", "dir", "ori"), np.moveaxis(scores, -1, 0), strict=True))
    found["count"] = np.ones(truth.codes.shape)
    if prediction.ranking is not None:
        ranks = true_class_ranks(prediction.ranking, truth.codes)
        found |= {f"top{k}": ranks < k for k in TOP_K}
    if prediction.probabilities is not None:
        found["nll"] = negative_log_likelihood(prediction.probabilities, truth.codes)
    return np.stack([found[name] for name in CELL_COLUMNS], axis=-1)
