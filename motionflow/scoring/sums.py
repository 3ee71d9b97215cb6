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

from motionflow.scoring.cells import MASKS, Prediction, Truth

Sums = dict[str, np.ndarray]  # of one row, by name

TRUE, PREDICTED, HITS = range(3)  # counts of each class
NUM_BINS = 15  # of the confidence, as in Guo et al. 2017
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
    size, shape = len(truth.codes), truth.codes.shape
    totals = truth.parts @ cells
    classes = np.full((size, len(MASKS), 3, num_clusters), np.nan)
    bins = np.full((size, NUM_BINS, 3), np.nan)
    confusion = np.zeros((num_clusters, num_clusters), np.int64)
    hits = np.zeros(shape, bool)
    if prediction.ranking is not None:
        codes = np.broadcast_to(prediction.codes, shape)
        hits = truth.codes == codes
        pairs = (truth.codes * num_clusters + codes).ravel()
        confusion += np.bincount(pairs, minlength=confusion.size).reshape(
            num_clusters, -1
        )
        classes = _class_counts(truth, codes, num_clusters)
    if prediction.probabilities is not None:
        bins = confidence_bins(np.broadcast_to(prediction.confidence, shape), hits)
    frames = _frame_means(truth, prediction.flow, totals[:, : len(MASKS)])
    return {
        "cells": totals[:, : len(MASKS)],
        "classes": classes,
        "bins": bins,
        "buckets": totals[:, len(MASKS) :, :2],
        "best": _best_of(futures, truth, frames),
        "frames": frames,
        "confusions": confusion,
        "cell_hits": hits.sum(axis=0),
    }


def _class_counts(truth: Truth, codes: np.ndarray, num_clusters: int) -> np.ndarray:
    """[B, masks, kinds, K]: how often each class was there, said, and both."""
    # One look at the cells for all masks: those of each combination are counted.
    number = 1 << len(MASKS)
    is_inside = np.arange(number) >> np.arange(len(MASKS))[:, None] & 1

    def counted(index: np.ndarray, num_kinds: int) -> np.ndarray:
        size = num_kinds * num_clusters
        counts = _counts(truth.combinations * size + index, number * size)
        return is_inside.astype(float) @ counts.reshape(len(codes), number, size)

    true = counted(truth.codes, 1)
    wrong_right = counted((truth.codes == codes) * num_clusters + codes, 2)
    wrong, right = np.split(wrong_right, 2, axis=-1)
    return np.stack([true, wrong + right, right], axis=2)


def _counts(
    index: np.ndarray, size: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Sums weights [B, n], or ones, by an index [B, n] of each sample: [B, size]."""
    rows = np.arange(len(index))[:, None] * size
    flat = np.bincount(
        (rows + index).ravel(),
        None if weights is None else weights.ravel(),
        minlength=len(index) * size,
    )
    return flat.reshape(len(index), size)


def confidence_bins(confidence: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Cells by confidence, the probability of the first class: [B, bins, 3].

    Bin b holds confidences in (b / n, (b + 1) / n], as in Guo et al. 2017.
    """
    confidence = confidence.astype(np.float64)
    index = np.clip(np.ceil(confidence * NUM_BINS).astype(int) - 1, 0, NUM_BINS - 1)
    columns = (None, confidence, hits)
    return np.stack([_counts(index, NUM_BINS, column) for column in columns], axis=-1)


def _best_of(
    futures: np.ndarray | None, truth: Truth, frames: np.ndarray
) -> np.ndarray:
    """Whether a frame has cells in a mask, and its smallest mean EPE: [B, masks, 2].

    Futures are [n, B or 1, cells, 2]; without them it is that of `_frame_means`.
    """
    count, _, best = np.moveaxis(frames, -1, 0)
    if futures is not None:
        (fx, fy), (tx, ty) = (
            np.moveaxis(each, -1, 0)
            for each in (futures, truth.flow.astype(futures.dtype))
        )
        epe = np.sqrt((fx - tx) ** 2 + (fy - ty) ** 2)
        masks = truth.parts[:, : len(MASKS)].swapaxes(1, 2)
        totals = epe.swapaxes(0, 1).astype(np.float64) @ masks
        best = totals.min(axis=1) / np.maximum(count, 1)
    return np.stack([count > 0, best], axis=-1)


def _frame_means(truth: Truth, flow: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Count, mean magnitude and mean EPE: [B, masks, 3], of totals [B, masks, ...]."""
    magnitude = np.sqrt(flow[..., 0] ** 2 + flow[..., 1] ** 2)
    sums = truth.parts[:, : len(MASKS)] @ magnitude[..., np.newaxis]
    count, epe = totals[..., :1], totals[..., 1:2]
    return np.concatenate(
        [count, *(each / np.maximum(count, 1) for each in (sums, epe))], -1
    )
