"""Predictions and ground truth -> the numbers of the report's Tables 3 and 4.

    flow_true, flow_pred [B, g, g, 2]                   -> EPE (px), Dir, Ori
    codes_true [B, cells], probabilities [B, cells, K]  -> top-k, recall, precision, nll

Everything is a running sum in float64 or int64, updated batch by batch, so memory does
not grow with the data and the result does not depend on the batch size.

Per cell, with u predicted and v true (`v` is the unquantised grid, as Walker 2015 and
Pintea 2014 score it, so a perfect classifier keeps the quantisation error)::

    EPE = |u - v|             the report's L2, pixels per step
    Dir = u.v / (|u| |v|)     cosine; here |u| = sqrt(x^2 + y^2 + 1e-10): zero scores 0
    Ori = |u.v| / (|u| |v|)   the same without the sign

Each is averaged over three masks: `all` cells; `nz`, cells whose true code is not the
smallest centre (Walker); `canny`, cells that hold a Canny edge (see `canny_cells`).
"""

import cv2
import numpy as np

from motionflow.data.codebook import Codebook
from motionflow.errors import InputError

MASKS = ("all", "canny", "nz")
TOP_K = (1, 5, 10)
CLASS_KEYS = (
    *("recall", "precision", "num_classes_true", "num_classes_predicted"),
    *("nll", "confusion", "top1_by_cell"),
)
CANNY_THRESHOLDS = (100, 200)


class FlowMetrics:
    """Running sums of one predictor's scores over a split.

    Args:
      codebook: gives the number of classes K and which of them is still (`nz`).
      grid_size: cells along one side, g.
    """

    def __init__(self, codebook: Codebook, grid_size: int):
        num_clusters = self._num_clusters = codebook.num_clusters
        self._zero_index = codebook.zero_index
        self._grid_size = grid_size
        self._columns: str | None = None
        self._num_samples = 0
        self._counts = dict.fromkeys(MASKS, 0)
        self._flow_sums = {mask: np.zeros(3) for mask in MASKS}
        # How often the true class came 1st, 2nd, ...: every top-k is a cumulative sum.
        self._ranks = {mask: np.zeros(num_clusters + 1, np.int64) for mask in MASKS}
        self._confusion = np.zeros((num_clusters, num_clusters), np.int64)
        self._cell_hits = np.zeros(grid_size**2, np.int64)
        self._nll_sum = 0.0

    def update(
        self,
        flow_true: np.ndarray,
        flow_pred: np.ndarray,
        codes_true: np.ndarray,
        probabilities: np.ndarray | None = None,
        *,
        codes_pred: np.ndarray | None = None,
        canny: np.ndarray | None = None,
    ) -> None:
        """Adds one batch.

        Args:
          flow_true: unquantised flow [B, g, g, 2], pixels per step.
          flow_pred: predicted flow, same shape.
          codes_true: int [B, cells].
          probabilities: [B, cells, K]; None for a predictor that ranks no classes.
          codes_pred: int [B, cells], used without probabilities only: a predictor with
            one guess a cell gets top-1, recall and precision, but no top-5, top-10 or
            nll. With probabilities the guess is their argmax.
          canny: bool [B, cells] from `canny_cells`; None leaves that mask out.

        Raises:
          InputError: predictions that are not finite (a diverged model).
          ValueError: shapes that do not fit, or class columns in some batches only.
        """
        shape = (len(codes_true), self._grid_size**2)
        true = np.asarray(flow_true, np.float64).reshape(*shape, 2)
        pred = _finite(flow_pred, "flow").astype(np.float64).reshape(*shape, 2)
        codes = np.asarray(codes_true).reshape(shape)
        masks = {"all": np.ones(shape, bool), "nz": codes != self._zero_index}
        if canny is not None:
            masks["canny"] = np.asarray(canny, bool).reshape(shape)

        self._set_columns(probabilities, codes_pred)
        self._num_samples += len(codes)
        scores = flow_scores(pred, true)
        for name, mask in masks.items():
            self._counts[name] += int(mask.sum())
            self._flow_sums[name] += scores[mask].sum(axis=0)
        if probabilities is not None:
            scores = _finite(probabilities, "probabilities").reshape(*shape, -1)
            self._add_nll(codes, scores)
            ranks = true_class_ranks(scores, codes)
            self._add_classes(codes, scores.argmax(axis=-1), ranks, masks)
        elif codes_pred is not None:
            guess = np.asarray(codes_pred).reshape(shape)
            # Right is rank 0; the rank of a wrong guess is unknown: beyond every k.
            ranks = np.where(guess == codes, 0, self._num_clusters)
            self._add_classes(codes, guess, ranks, masks)

    def result(self) -> dict:
        """The scores so far; None wherever there is nothing to average.

        Returns:
          num_samples; masks {all, canny, nz: {count (cells), epe, dir, ori, top1, top5,
          top10}}; recall, precision, num_classes_true, num_classes_predicted (see
          `recall_and_precision`); nll, mean over the cells in nats (the report's loss
          divided by its 400 cells); confusion, int64 [K, K], rows the truth;
          top1_by_cell, float64 [g, g]. Accuracies are fractions of 1.
        """
        result = {
            "num_samples": self._num_samples,
            "masks": {name: self._mask_result(name) for name in MASKS},
            **dict.fromkeys(CLASS_KEYS),
        }
        if self._columns in ("guess", "ranks"):
            hits = self._cell_hits.reshape(self._grid_size, self._grid_size)
            result |= recall_and_precision(self._confusion)
            result["confusion"] = self._confusion.copy()
            result["top1_by_cell"] = hits / self._num_samples
        if self._columns == "ranks":
            result["nll"] = float(self._nll_sum / self._counts["all"])
        return result

    def _mask_result(self, name: str) -> dict:
        count = self._counts[name]
        keys = ("epe", "dir", "ori", *(f"top{k}" for k in TOP_K))
        result = {"count": count, **dict.fromkeys(keys)}
        if count == 0:
            return result
        means = self._flow_sums[name] / count
        result |= dict(zip(("epe", "dir", "ori"), means.tolist(), strict=True))
        known = {"ranks": TOP_K, "guess": (1,), "flow": ()}[self._columns]
        top = self._ranks[name][: self._num_clusters].cumsum() / count
        return result | {f"top{k}": float(top[:k][-1]) for k in known}

    def _set_columns(self, probabilities, codes_pred) -> None:
        """A predictor gives the same columns in every batch, or means would mix."""
        columns = "guess" if codes_pred is not None else "flow"
        columns = "ranks" if probabilities is not None else columns
        if self._columns not in (None, columns):
            raise ValueError(f"found {columns}, expected {self._columns} as before")
        self._columns = columns

    def _add_classes(self, codes, guess, ranks, masks) -> None:
        pairs = codes.astype(np.int64) * self._num_clusters + guess
        counts = np.bincount(pairs.ravel(), minlength=self._num_clusters**2)
        self._confusion += counts.reshape(self._confusion.shape)
        self._cell_hits += (codes == guess).sum(axis=0)
        for name, mask in masks.items():
            counts = np.bincount(ranks[mask], minlength=self._num_clusters + 1)
            self._ranks[name] += counts

    def _add_nll(self, codes, probabilities) -> None:
        index = codes[..., None].astype(np.intp)
        chosen = np.take_along_axis(probabilities, index, axis=-1).astype(np.float64)
        # A float32 softmax underflows to 0; its smallest normal number bounds the cost
        # of one cell at 87 nats, where log(0) would make the whole mean infinite.
        self._nll_sum -= np.log(np.maximum(chosen, np.finfo(np.float32).tiny)).sum()


def _finite(values: np.ndarray, name: str) -> np.ndarray:
    # NaN compares as "not greater", which would rank the true class first.
    values = np.asarray(values)
    if not np.isfinite(values).all():
        raise InputError(
            f"the predicted {name} hold NaN or infinity, expected finite numbers: "
            "the model has probably diverged"
        )
    return values


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
    is always what `argmax` picks.

    Args:
      scores: [..., K], larger is better.
      codes: int [...], the true classes.

    Returns:
      int64 [...].
    """
    codes = codes[..., None].astype(np.intp)
    chosen = np.take_along_axis(scores, codes, axis=-1)
    earlier = np.arange(scores.shape[-1]) < codes
    before = (scores > chosen) | ((scores == chosen) & earlier)
    return before.sum(axis=-1)


def recall_and_precision(confusion: np.ndarray) -> dict:
    """Mean recall and precision over the classes that occur in the truth (Table 3).

    Both averages run over the same classes whatever the predictor, so rows of a table
    compare. A class that is never predicted has precision 0: without that rule, always
    answering "still" would score the share of still cells, 75 %, where the report's
    best model has 16 %. Classes absent from the truth have no recall and are left out.

    Args:
      confusion: counts [K, K], rows the truth.

    Returns:
      recall, precision (fractions), num_classes_true (how many classes the means run
      over) and num_classes_predicted.
    """
    hits, true, predicted = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    present = true > 0
    # A count of 0 has 0 hits, so dividing by 1 instead gives the 0 of the rule above.
    recall = hits[present] / true[present]
    precision = hits[present] / np.maximum(predicted[present], 1)
    return {
        "recall": float(recall.mean()),
        "precision": float(precision.mean()),
        "num_classes_true": int(present.sum()),
        "num_classes_predicted": int((predicted > 0).sum()),
    }


def canny_cells(frames: np.ndarray, grid_size: int) -> np.ndarray:
    """Which cells hold at least one pixel of a Canny edge of the frame.

    `cv2.Canny` on the grey frame with hysteresis thresholds 100 and 200 on |dI/dx| +
    |dI/dy| (3x3 Sobel, grey levels 0-255), the values of OpenCV's own tutorial: the
    papers that score this mask name none.

    Args:
      frames: uint8 RGB [B, H, W, 3].
      grid_size: cells along one side, g.

    Returns:
      bool [B, g * g], row-major.
    """
    cells = np.zeros((len(frames), grid_size, grid_size), bool)
    for index, frame in enumerate(frames):
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        edges = cv2.Canny(grey, *CANNY_THRESHOLDS)
        rows, columns = np.nonzero(edges)
        height, width = edges.shape
        cells[index, rows * grid_size // height, columns * grid_size // width] = True
    return cells.reshape(len(frames), -1)
