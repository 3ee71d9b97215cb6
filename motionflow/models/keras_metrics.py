"""What training reports each epoch besides the loss.

    codes [B, cells], logits [B, cells, K] -> top1, top5, top10, mean_recall

Three quarters of all cells stand still, so top-k alone hides that a network predicts
"no motion" everywhere; the mean recall over the classes does not (report, section 4).
"""

import tensorflow as tf

from motionflow.compat import keras


class MeanRecall(keras.metrics.Metric):
    """Mean over the classes that occur of the share of their cells predicted right.

    Counts are summed over batches and replicas, so the value belongs to all cells seen,
    not to an average over batches.
    """

    def __init__(self, num_clusters: int, name: str = "mean_recall", **kwargs):
        super().__init__(name=name, dtype="float32", **kwargs)
        self.num_clusters = num_clusters
        shape = (num_clusters,)
        self.correct = self.add_weight("correct", shape, initializer="zeros")
        self.total = self.add_weight("total", shape, initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts codes [B, cells] and the highest of logits [B, cells, K]."""
        if sample_weight is not None:
            raise ValueError("MeanRecall has no notion of sample weights")
        codes = tf.reshape(tf.cast(y_true, tf.int32), [-1])
        predicted = tf.reshape(tf.argmax(y_pred, -1, output_type=tf.int32), [-1])
        hits = tf.cast(codes == predicted, tf.float32)
        self.correct.assign_add(self._sum_by_class(hits, codes))
        self.total.assign_add(self._sum_by_class(tf.ones_like(hits), codes))

    def _sum_by_class(self, values: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
        return tf.math.unsorted_segment_sum(values, codes, self.num_clusters)

    def reset_state(self):
        """Forgets all counts; Keras' own knows scalars only."""
        for counts in (self.correct, self.total):
            counts.assign(tf.zeros_like(counts))

    def result(self):
        """The mean recall, a scalar in 0..1; 0 before the first update."""
        occurring = tf.reduce_sum(tf.cast(self.total > 0, tf.float32))
        recalls = tf.math.divide_no_nan(self.correct, self.total)
        return tf.math.divide_no_nan(tf.reduce_sum(recalls), occurring)


def training_metrics(num_clusters: int) -> list[keras.metrics.Metric]:
    """Top-1, top-5 and top-10 accuracy over all cells, and the mean recall."""
    top = [
        keras.metrics.SparseTopKCategoricalAccuracy(
            k=k, name=f"top{k}", dtype="float32"
        )
        for k in (1, 5, 10)
    ]
    return [*top, MeanRecall(num_clusters)]
