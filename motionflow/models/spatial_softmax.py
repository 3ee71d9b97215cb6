"""Spatial softmax: one classification a cell, and back to continuous flow.

    logits [B, T, s, s, K] -> loss, probabilities, flow [B, T, s, s, 2]

With F_ic the probability that cell i moves like centre m_c of the codebook, the report
trains with

    L(I, Y) = - sum_i sum_c 1(y_i = c) log F_ic(I)         (all 400 cells)

and predicts with

    f_i = sum_c F_ic m_c

All of it in float32 whatever the precision policy. Flow is in pixels of the data's
frame per step, (dx right, dy down).
"""

import tensorflow as tf

_TINY = 1e-30  # a probability whose logarithm is finite


def loss(codes: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy summed over the cells of each image, the first equation.

    One value an image: Keras averages over the global batch, on any number of replicas.

    Args:
      codes: int32 [B, ...], of any cells and steps.
      logits: [B, ..., K].

    Returns:
      float32 [B], in nats.
    """
    return sum_cells(
        tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=codes, logits=tf.cast(logits, tf.float32)
        )
    )


def sum_cells(values: tf.Tensor) -> tf.Tensor:
    """Sums over the cells of all steps: [B, ...] -> [B]."""
    return tf.reduce_sum(values, axis=list(range(1, values.shape.rank)))


def probabilities(logits: tf.Tensor) -> tf.Tensor:
    """F [..., K] in float32: softmax over the codebook."""
    return tf.nn.softmax(tf.cast(logits, tf.float32), axis=-1)


def expected_flow(logits: tf.Tensor, centers: tf.Tensor) -> tf.Tensor:
    """Probability-weighted mean of the centres, the second equation.

    Args:
      logits: [..., K].
      centers: [K, 2].

    Returns:
      float32 [..., 2].
    """
    return tf.linalg.matmul(probabilities(logits), tf.cast(centers, tf.float32))


def drawn(chances: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """Codes int64 [...] drawn from chances [..., K] by Gumbel noise [..., K]."""
    return tf.argmax(tf.math.log(chances + _TINY) + noise, axis=-1)


def to_grid(values: tf.Tensor, grid_size: int) -> tf.Tensor:
    """Means over blocks: [..., s, s, C] -> [..., g, g, C], s a multiple of g.

    Of probabilities: the distribution of a pixel drawn from the cell. Its expected flow
    is the mean of the pixels' expected flow.
    """
    *_, side, channels = values.shape
    block = side // grid_size
    if block == 1:
        return values
    outer = tf.shape(values)[:-3]
    blocks = tf.concat([outer, [grid_size, block, grid_size, block, channels]], 0)
    return tf.reduce_mean(tf.reshape(values, blocks), axis=[-4, -2])


def predictions(
    logits: tf.Tensor, centers: tf.Tensor, grid_size: int
) -> dict[str, tf.Tensor]:
    """What a model says about frames.

    Args:
      logits: [B, T, s, s, K], s a multiple of g.
      centers: [K, 2].
      grid_size: g.

    Returns:
      of the first step on the grid g x g: flow float32 [B, g, g, 2], probabilities
      float32 [B, g, g, K] and codes int32 [B, g, g], the most probable centre of each
      cell; and step_probabilities float32 [B, T, s, s, K] of all it knows.
    """
    steps = probabilities(logits)
    first = to_grid(steps[:, 0], grid_size)
    return {
        "flow": tf.linalg.matmul(first, tf.cast(centers, tf.float32)),
        "probabilities": first,
        "codes": tf.argmax(first, axis=-1, output_type=tf.int32),
        "step_probabilities": steps,
    }
