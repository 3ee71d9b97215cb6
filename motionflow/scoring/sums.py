"""Scores of cells -> sums of each sample -> of each clip.

    Truth, Prediction of a batch --sample_sums--> arrays [B, ...]
      --ClipSums.add, clip of each sample--> arrays [clips, ...]

A clip is the smallest thing that may be drawn again: its frames, and all the more its
cells, are no independent observations. Memory grows with the number of clips and not
with the number of cells, and the sums do not depend on the batch size.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from motionflow.scoring.cells import Prediction, Truth

Sums = dict[str, np.ndarray]  # of one row, by name

TRUE, PREDICTED, HITS = range(3)  # counts of each class
NUM_BINS = 15  # of the confidence, as in Guo et al. 2017
# Lower edges of the buckets of the true magnitude, pixels per step.
MAGNITUDE_EDGES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
BY_SAMPLE = ("frames",)  # what is not summed over clips, but kept
OF_ALL = ("confusions", "cell_hits")  # what is summed over all clips


class ClipSums:
    """Running sums: table -> row -> name -> array.

    A table is an evaluation, a kind of known motion, or a score of a comparison.

    Args:
      num_clips: clips that the samples come from.

    """

    def __init__(self, num_clips: int):
        self._num_clips = num_clips
        self._tables: dict[str, dict[str, dict[str, Any]]] = {}

    def add(
        self, table: str, row: str, clips: np.ndarray, values: Mapping[str, np.ndarray]
    ) -> None:
        """Adds a batch to a row: the clip of each sample [B], and values [B, ...]."""
        sums = self._tables.setdefault(table, {}).setdefault(row, {})
        for name, value in values.items():
            if name in BY_SAMPLE:
                sums.setdefault(name, []).append(value)
            elif name in OF_ALL:
                sums[name] = sums.get(name, 0) + value
            else:
                shape = (self._num_clips, *value.shape[1:])
                np.add.at(sums.setdefault(name, np.zeros(shape)), clips, value)

    def rows(self, table: str) -> dict[str, Sums]:
        """What was added to a table: row -> name -> float64 [clips, ...].

        `BY_SAMPLE` is [samples, ...] in their order, `OF_ALL` has no such axis.
        """
        return {
            row: {
                name: np.concatenate(value) if name in BY_SAMPLE else value
                for name, value in sums.items()
            }
            for row, sums in self._tables.get(table, {}).items()
        }


def add_up(sums: Mapping[str, np.ndarray], weights: np.ndarray | None = None) -> Sums:
    """Adds clips up, {name: [clips, ...]} -> {name: [...]}; leaves out what is not so.

    With weights [draws, clips], how often each clip counts: {name: [draws, ...]}.
    """
    by_clip = {n: v for n, v in sums.items() if n not in (*BY_SAMPLE, *OF_ALL)}
    if weights is None:
        return {name: values.sum(axis=0) for name, values in by_clip.items()}
    return {n: np.tensordot(weights, values, 1) for n, values in by_clip.items()}


def sample_sums(
    truth: Truth,
    prediction: Prediction,
    cells: np.ndarray,
    num_clusters: int,
    futures: np.ndarray | None = None,
) -> Sums:
    """What is kept of each sample of a batch.

    What a predictor cannot say (the likelihood of a flow) is NaN in the sums, and NaN
    in whatever is made of them.

    `cells` are [B, cells, CELL_COLUMNS] of `cell_columns`; futures, [n, B, cells, 2],
    are for the best of n: without them the one prediction is the best.

    Returns:
      cells [B, 3 masks, CELL_COLUMNS];
      classes [B, 3 masks, 3 (TRUE, PREDICTED, HITS), K];
      bins [B, NUM_BINS, 3 (count, confidence, hits)];
      buckets [B, len(MAGNITUDE_EDGES), 2 (count, EPE)];
      best [B, 3 masks, 2 (frames, EPE of the best of n)];
      frames [B, 3 masks, 3]: cells of each frame, their mean predicted magnitude, their
      mean EPE; and of all samples together confusions int64 [K, K], rows the truth, and
      cell_hits int64 [cells], how often each cell's class is right.
    """
    epe, size = cells[..., 1], len(truth.codes)
    classes = np.full((size, len(truth.masks), 3, num_clusters), np.nan)
    bins = np.full((size, NUM_BINS, 3), np.nan)
    confusion = np.zeros((num_clusters, num_clusters), np.int64)
    hits = np.zeros(truth.codes.shape, bool)
    if prediction.ranking is not None:
        hits = truth.codes == prediction.codes
        pairs = (truth.codes * num_clusters + prediction.codes).ravel()
        confusion += np.bincount(pairs, minlength=confusion.size).reshape(
            num_clusters, -1
        )
        classes = _class_counts(truth, prediction.codes, num_clusters)
    if prediction.probabilities is not None:
        bins = confidence_bins(prediction.probabilities, hits)
    return {
        "cells": np.einsum("mbc,bcf->bmf", truth.masks, cells, optimize=True),
        "classes": classes,
        "bins": bins,
        "buckets": magnitude_buckets(truth.flow, epe),
        "best": _best_of(futures, truth, epe),
        "frames": _frame_means(truth, prediction.flow, epe),
        "confusions": confusion,
        "cell_hits": hits.sum(axis=0),
    }


def _class_counts(truth: Truth, codes: np.ndarray, num_clusters: int) -> np.ndarray:
    """[B, masks, kinds, K]: how often each class was there, said, and both."""
    hits = truth.codes == codes
    kinds = ((truth.codes, 1.0), (codes, 1.0), (codes, hits))
    counts = [
        [_counts(index, num_clusters, mask * weight) for index, weight in kinds]
        for mask in truth.masks
    ]
    return np.moveaxis(np.array(counts), 2, 0)


def _counts(index: np.ndarray, size: int, weights: np.ndarray) -> np.ndarray:
    """Sums weights [B, n] by an index [B, n] for each sample: float64 [B, size]."""
    rows = np.arange(len(index))[:, None] * size
    flat = np.bincount(
        (rows + index).ravel(), weights.ravel(), minlength=len(index) * size
    )
    return flat.reshape(len(index), size)


def confidence_bins(probabilities: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Cells by confidence, the probability of the first class: [B, bins, 3].

    Bin b holds confidences in (b / n, (b + 1) / n], as in Guo et al. 2017.
    """
    confidence = probabilities.max(axis=-1).astype(np.float64)
    index = np.clip(np.ceil(confidence * NUM_BINS).astype(int) - 1, 0, NUM_BINS - 1)
    columns = (np.ones(hits.shape), confidence, hits)
    return np.stack([_counts(index, NUM_BINS, column) for column in columns], axis=-1)


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
