"""What training reports each epoch besides the loss.

    packed targets [B, T, s, s, 3], logits [B, T, s, s, K]
      -> cross_entropy, top1, top5, top10, mean_recall, epe, epe_nz

Three quarters of all cells stand still, so top-k alone hides that a network predicts
"no motion" everywhere; the mean recall over the classes does not (report, section 4),
nor the endpoint error over the cells that move (nz: their code is not "still").
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data.pipeline import unpack_targets
from motionflow.labels.codebook import Codebook
from motionflow.models import decoding, losses


class MeanRecall(keras.metrics.Metric):
    """Mean over the classes that occur of the share of their cells predicted right.

    Of all cells seen, in whatever batches and replicas.

    Attributes:
      confusion: variable float64 [K, K], cells by true and predicted code.
    """

    def __init__(self, num_clusters: int, name: str = "mean_recall", **kwargs: Any):
        super().__init__(name=name, dtype="float32", **kwargs)
        self.num_clusters = num_clusters
        # float32 stops counting at 17 million.
        self.confusion = self.add_weight(
            "confusion", (num_clusters,) * 2, initializer="zeros", dtype=tf.float64
        )

    def update_state(
        self,
        y_true: tf.Tensor,
        y_pred: tf.Tensor,
        sample_weight: tf.Tensor | None = None,
    ) -> None:
        """Counts packed targets [B, T, s, s, 3], the highest of [B, T, s, s, K]."""
        if sample_weight is not None:
            raise ValueError("MeanRecall has no notion of sample weights")
        codes, _ = unpack_targets(y_true)
        pairs = codes * self.num_clusters + tf.argmax(y_pred, -1, tf.int32)
        counts = tf.math.bincount(pairs, minlength=self.num_clusters**2)
        counts = tf.reshape(counts, self.confusion.shape)
        self.confusion.assign_add(tf.cast(counts, tf.float64))

    def reset_state(self) -> None:
        """Forgets all counts; Keras' own knows scalars only."""
        self.confusion.assign(tf.zeros_like(self.confusion))

    def result(self) -> tf.Tensor:
        """The mean recall, a scalar in 0..1; 0 before the first update."""
        total = tf.reduce_sum(self.confusion, axis=1)
        recalls = tf.math.divide_no_nan(tf.linalg.diag_part(self.confusion), total)
        occurring = tf.math.count_nonzero(total, dtype=tf.float64)
        mean = tf.math.divide_no_nan(tf.reduce_sum(recalls), occurring)
        return tf.cast(mean, tf.float32)


class EndpointError(keras.metrics.Mean):
    """Mean distance of the expected flow from the true one, pixels of the frame.

    Over all cells, or over those whose code is not `still`.
    """

    def __init__(self, centers: np.ndarray, still: int | None = None, **kwargs: Any):
        super().__init__(dtype="float32", **kwargs)
        self._centers, self._still = centers, still

    def update_state(
        self,
        y_true: tf.Tensor,
        y_pred: tf.Tensor,
        sample_weight: tf.Tensor | None = None,
    ) -> None:
        """Adds the cells of packed targets [B, T, s, s, 3], logits [B, T, s, s, K]."""
        if sample_weight is not None:
            raise ValueError("EndpointError has no notion of sample weights")
        codes, flow = unpack_targets(y_true)
        expected = decoding.probabilities(y_pred) @ self._centers
        moving = None if self._still is None else codes != self._still
        super().update_state(tf.norm(expected - flow, axis=-1), moving)


def _on_codes(
    function: Callable[..., tf.Tensor], **options: Any
) -> keras.metrics.Metric:
    """Makes a metric of packed targets from a function of codes and logits."""

    def of_targets(targets: tf.Tensor, logits: tf.Tensor, **options: Any) -> tf.Tensor:
        return function(unpack_targets(targets)[0], logits, **options)

    return keras.metrics.MeanMetricWrapper(of_targets, dtype="float32", **options)


def training_metrics(codebook: Codebook) -> list[keras.metrics.Metric]:
    """Cross-entropy, top-1, top-5, top-10, mean recall, EPE, EPE over moving cells."""
    top_k = keras.metrics.sparse_top_k_categorical_accuracy
    return [
        _on_codes(losses.cross_entropy, name="cross_entropy"),
        *(_on_codes(top_k, name=f"top{k}", k=k) for k in (1, 5, 10)),
        MeanRecall(codebook.num_clusters),
        EndpointError(codebook.centers, name="epe"),
        EndpointError(codebook.centers, codebook.zero_index, name="epe_nz"),
    ]
