"""Scores of cells -> sums of each clip.

    Truth, Prediction of a batch, clip of each sample -> arrays [clips, ...]

A clip is the smallest thing that may be drawn again: its frames, and all the more its
cells, are no independent observations. Memory grows with the number of clips and not
with the number of cells, and the sums do not depend on the batch size.
"""

import numpy as np

from motionflow.scoring.cells import (
    MASKS,
    TOP_K,
    Prediction,
    Truth,
    flow_scores,
    negative_log_likelihood,
    true_class_ranks,
)

# What is summed over the cells of each mask.
CELL_COLUMNS = ("count", "epe", "dir", "ori", *(f"top{k}" for k in TOP_K), "nll")
CLASS_KINDS = ("true", "predicted", "hits")
NUM_BINS = 15  # of the confidence, as in Guo et al. 2017
BIN_COLUMNS = ("count", "confidence", "hits")
# Lower edges of the buckets of the true magnitude, pixels per step.
MAGNITUDE_EDGES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)


class ClipSums:
    """Running sums of one predictor, clip by clip.

    What a predictor cannot say (the likelihood of a flow) is NaN in the sums, and NaN
    in whatever is made of them.

    Args:
      num_clips: clips of the split.
      grid_size: cells along one side, g.
      num_clusters: classes of the codebook, K.

    Attributes:
      arrays: float64, by name: cells [clips, 3 masks, CELL_COLUMNS], classes [clips, 3
        masks, CLASS_KINDS, K], bins [clips, NUM_BINS, BIN_COLUMNS], buckets [clips,
        len(MAGNITUDE_EDGES), 2 (count, EPE)], best [clips, 3 masks, 2 (frames, EPE of
        the best of n)].
      frames: float64 [samples, 3 masks, 3]: cells of each frame, their mean predicted
        magnitude and mean EPE, in the order of the samples.
      confusion: int64 [K, K], rows the truth.
      cell_hits: int64 [g * g], frames whose class is right, cell by cell.
    """

    def __init__(self, num_clips: int, grid_size: int, num_clusters: int):
        masks = len(MASKS)
        shapes = {
            "cells": (masks, len(CELL_COLUMNS)),
            "classes": (masks, len(CLASS_KINDS), num_clusters),
            "bins": (NUM_BINS, len(BIN_COLUMNS)),
            "buckets": (len(MAGNITUDE_EDGES), 2),
            "best": (masks, 2),
        }
        self.arrays = {n: np.zeros((num_clips, *s)) for n, s in shapes.items()}
        self.confusion = np.zeros((num_clusters, num_clusters), np.int64)
        self.cell_hits = np.zeros(grid_size**2, np.int64)
        self._num_clusters = num_clusters
        self._frames: list[np.ndarray] = []

    @property
    def frames(self) -> np.ndarray:
        """See above."""
        return np.concatenate(self._frames)

    def update(
        self,
        clips: np.ndarray,
        truth: Truth,
        prediction: Prediction,
        futures: np.ndarray | None = None,
    ) -> None:
        """Adds one batch.

        Args:
          clips: int [B], the row of each sample's clip.
          truth: of the batch.
          prediction: of the batch.
          futures: float [n, B, cells, 2], sampled flows, for the best of n; without
            them the one prediction is the best.
        """
        cells = cell_scores(truth, prediction)
        if prediction.ranking is not None:
            self._add_guesses(truth, prediction.codes)
            self._add("classes", clips, self._class_counts(truth, prediction.codes))
        else:
            self.arrays["classes"][:] = np.nan
        if prediction.probabilities is not None:
            self._add("bins", clips, confidence_bins(prediction, truth.codes))
        else:
            self.arrays["bins"][:] = np.nan
        columns = np.stack([cells[name] for name in CELL_COLUMNS], axis=-1)
        sums = np.einsum("mbc,bcf->bmf", truth.masks, columns, optimize=True)
        self._add("cells", clips, sums)
        self._add("buckets", clips, magnitude_buckets(truth.flow, cells["epe"]))
        self._add("best", clips, _best_of(futures, truth, cells["epe"]))
        self._frames.append(_frame_means(truth, prediction.flow, cells["epe"]))

    def _add(self, name: str, clips: np.ndarray, values: np.ndarray) -> None:
        np.add.at(self.arrays[name], clips, values)

    def _add_guesses(self, truth: Truth, codes: np.ndarray) -> None:
        pairs = truth.codes * self._num_clusters + codes
        counts = np.bincount(pairs.ravel(), minlength=self.confusion.size)
        self.confusion += counts.reshape(self.confusion.shape)
        self.cell_hits += (truth.codes == codes).sum(axis=0)

    def _class_counts(self, truth: Truth, codes: np.ndarray) -> np.ndarray:
        """[B, masks, kinds, K]: how often each class was there, said, and both."""
        hits = truth.codes == codes
        kinds = ((truth.codes, 1.0), (codes, 1.0), (codes, hits))
        counts = [
            [
                _counts(index, self._num_clusters, mask * weight)
                for index, weight in kinds
            ]
            for mask in truth.masks
        ]
        return np.moveaxis(np.array(counts), 2, 0)


def cell_scores(truth: Truth, prediction: Prediction) -> dict[str, np.ndarray]:
    """Every one of CELL_COLUMNS, [B, cells]; NaN what a predictor cannot say."""
    scores = flow_scores(prediction.flow, truth.flow)
    cells = {name: np.full(truth.codes.shape, np.nan) for name in CELL_COLUMNS}
    cells |= dict(zip(("epe", "dir", "ori"), np.moveaxis(scores, -1, 0), strict=True))
    cells["count"] = np.ones(truth.codes.shape)
    if prediction.ranking is not None:
        ranks = true_class_ranks(prediction.ranking, truth.codes)
        cells |= {f"top{k}": ranks < k for k in TOP_K}
    if prediction.probabilities is not None:
        cells["nll"] = negative_log_likelihood(prediction.probabilities, truth.codes)
    return cells


def _counts(index: np.ndarray, size: int, weights: np.ndarray) -> np.ndarray:
    """Sums weights [B, n] by an index [B, n] for each sample: float64 [B, size]."""
    rows = np.arange(len(index))[:, None] * size
    flat = np.bincount(
        (rows + index).ravel(), weights.ravel(), minlength=len(index) * size
    )
    return flat.reshape(len(index), size)


def confidence_bins(prediction: Prediction, codes: np.ndarray) -> np.ndarray:
    """Cells by confidence, the probability of the first class: [B, bins, columns].

    Bin b holds confidences in (b / n, (b + 1) / n], as in Guo et al. 2017.
    """
    assert prediction.probabilities is not None, "a predictor of flow only"
    confidence = prediction.probabilities.max(axis=-1).astype(np.float64)
    index = np.clip(np.ceil(confidence * NUM_BINS).astype(int) - 1, 0, NUM_BINS - 1)
    columns = (np.ones(codes.shape), confidence, prediction.codes == codes)
    sums = [_counts(index, NUM_BINS, np.asarray(c, np.float64)) for c in columns]
    return np.stack(sums, axis=-1)


def magnitude_buckets(flow: np.ndarray, epe: np.ndarray) -> np.ndarray:
    """Count and EPE of cells by their true magnitude: [B, buckets, 2]."""
    magnitude = np.linalg.norm(flow, axis=-1)
    index = np.searchsorted(MAGNITUDE_EDGES, magnitude, side="right") - 1
    columns = (np.ones(epe.shape), epe)
    sums = [_counts(index, len(MAGNITUDE_EDGES), column) for column in columns]
    return np.stack(sums, axis=-1)


def _best_of(futures: np.ndarray | None, truth: Truth, epe: np.ndarray) -> np.ndarray:
    """Whether a frame has cells in a mask, and its smallest mean EPE: [B, masks, 2]."""
    if futures is not None:
        epe = np.linalg.norm(futures - truth.flow.astype(futures.dtype), axis=-1)
    count = truth.masks.sum(axis=-1)
    means = np.einsum("mbc,...bc->...mb", truth.masks, epe) / np.maximum(count, 1)
    best = means.min(axis=0) if futures is not None else means
    return np.stack([count > 0, best], axis=-1).swapaxes(0, 1)


def _frame_means(truth: Truth, flow: np.ndarray, epe: np.ndarray) -> np.ndarray:
    columns = np.stack([np.linalg.norm(flow, axis=-1), epe], axis=-1)
    sums = np.einsum("mbc,bcf->bmf", truth.masks, columns)
    count = truth.masks.sum(axis=-1).T[..., None]
    return np.concatenate([count, sums / np.maximum(count, 1)], axis=-1)
