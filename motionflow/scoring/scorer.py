"""Batches and what is said of them -> sums of clips, batch by batch.

batch, Prediction of each row --add--> Truth, futures -> cells -> sums of its clips
"""

from collections.abc import Mapping

import numpy as np

from motionflow.baselines.forest import edge_cells
from motionflow.data.data_dir import DataDir
from motionflow.models import decoding
from motionflow.scoring.cells import Prediction, Truth, cell_columns
from motionflow.scoring.rows import KnownRows
from motionflow.scoring.scores import NUM_FUTURES
from motionflow.scoring.sums import ClipSums, sample_sums


class Scorer:
    """Takes the batches of a split in their order.

    Args:
      data: that the batches are of.
      sample_clips: int [N], the row of each sample's clip.
      known: what is measured with known motion besides.
      seed: of the sampled futures.

    Attributes:
      sums: of the clips; table "" is without known motion.
    """

    def __init__(
        self,
        data: DataDir,
        sample_clips: np.ndarray,
        known: KnownRows | None,
        seed: int,
    ):
        num_clusters, sides = data.codebook.num_clusters, (data.grid_size,) * 2
        noise = decoding.future_noise(NUM_FUTURES, sides, num_clusters, seed)
        self.sums = ClipSums(len(np.unique(sample_clips)))
        self._noise = noise.reshape(NUM_FUTURES, -1, num_clusters)
        self._data, self._known, self._sample_clips = data, known, sample_clips
        self._num_seen = 0
        self._drawn: dict[str, tuple[Prediction, np.ndarray]] = {}

    def add(
        self, batch: Mapping[str, np.ndarray], predictions: Mapping[str, Prediction]
    ) -> None:
        """Takes the next batch, see `pipeline.first_step`, and each row's answer."""
        codebook, columns = self._data.codebook, {}
        begin, self._num_seen = self._num_seen, self._num_seen + len(batch["frames"])
        clips = self._sample_clips[begin : self._num_seen]
        edges = edge_cells(batch["frames"], self._data.grid_size)
        truth = Truth.of_batch(batch["flow"], batch["codes"], edges, codebook)
        for name, one in predictions.items():
            columns[name] = cell_columns(truth, one)
            kept = sample_sums(
                truth,
                one,
                columns[name],
                codebook.num_clusters,
                self._futures(name, one),
            )
            self.sums.add("", name, clips, kept)
        if self._known is not None:
            for kind, name, cells in self._known.sums(batch, truth, columns, codebook):
                self.sums.add(kind, name, clips, {"cells": cells})

    def _futures(self, name: str, prediction: Prediction) -> np.ndarray | None:
        """Drawn of a distribution, [n, B, cells, 2]; of what is said again, once."""
        if prediction.probabilities is None or prediction.is_decoding:
            return None
        if name not in self._drawn or self._drawn[name][0] is not prediction:
            centers = self._data.codebook.centers
            futures = decoding.sample_flows(
                prediction.probabilities, centers, self._noise
            )
            self._drawn[name] = prediction, futures
        return self._drawn[name][1]
