"""Spatial softmax: one classification a cell, and back to continuous flow.

    logits [B, cells, K] -> loss, probabilities [B, cells, K], flow [B, g, g, 2]

With F_ic the probability that cell i moves like centre m_c of the codebook, the report
trains with

    L(I, Y) = - sum_i sum_c 1(y_i = c) log F_ic(I)         (all 400 cells)

and predicts with

    f_i = sum_c F_ic m_c

All of it in float32 whatever the precision policy. Flow is in pixels of the data's
frame per step, (dx right, dy down).
"""

import math

import tensorflow as tf


def loss(codes: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy summed over the cells of each image, the first equation.

    One value an image: Keras averages over the global batch, on any number of replicas.

    Args:
      codes: int32 [B, cells].
      logits: [B, cells, K].

    Returns:
      float32 [B], in nats.
    """
    each_cell = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=codes,
        logits=tf.cast(logits, tf.float32),
    )
    return tf.reduce_sum(each_cell, axis=-1)


def probabilities(logits: tf.Tensor) -> tf.Tensor:
    """F [B, cells, K] in float32: softmax over the codebook."""
    return tf.nn.softmax(tf.cast(logits, tf.float32), axis=-1)


def expected_flow(logits: tf.Tensor, centers: tf.Tensor) -> tf.Tensor:
    """Probability-weighted mean of the centres, the second equation.

    Args:
      logits: [B, cells, K] over a square grid, cells row by row.
      centers: [K, 2].

    Returns:
      float32 [B, g, g, 2].
    """
    flow = tf.linalg.matmul(probabilities(logits), tf.cast(centers, tf.float32))
    grid_size = math.isqrt(logits.shape[1])
    return tf.reshape(flow, [-1, grid_size, grid_size, 2])


def predictions(logits: tf.Tensor, centers: tf.Tensor) -> dict[str, tf.Tensor]:
    """What a served model answers: flow, probabilities and codes.

    Returns:
      flow float32 [B, g, g, 2], probabilities float32 [B, cells, K] and codes int32
      [B, cells], the most probable centre of each cell.
    """
    return {
        "flow": expected_flow(logits, centers),
        "probabilities": probabilities(logits),
        "codes": tf.argmax(logits, axis=-1, output_type=tf.int32),
    }
