"""What can be said of the motion from what is known, without looking at the frame.

    known [B, g, g, 7] -> flow [B, g, g, 2]

    past_goes_on    v = factor * past, zero where it is not known
    spread_arrows   v = sum_i w_i a_i / (sum_i w_i + REST) over the told cells i,
                    w_i = exp(-d_i^2 / 2 width^2), d in cells
    naive_answer    the two mixed by a = min(1, sum_i w_i): a spread + (1 - a) past

A pin is an arrow of length zero. Told cells keep their own vector. See `data.known` for
the channels. A network that does not beat these is not worth its weight.
"""

import tensorflow as tf

from motionflow.data.known import Known, split_known

FACTOR, WIDTH = 0.7, 2.5
REST = 0.3  # far from all arrows nothing moves


def past_goes_on(known: tf.Tensor, factor: float = FACTOR) -> tf.Tensor:
    """The motion just before, a factor smaller: float32 [B, g, g, 2]."""
    channels = split_known(known)
    return keep_told(factor * channels.past, channels)


def spread_arrows(
    known: tf.Tensor, width: float = WIDTH
) -> tuple[tf.Tensor, tf.Tensor]:
    """The mean of the told vectors, by nearness.

    Args:
      known: [B, g, g, 7].
      width: of the Gaussian, cells.

    Returns:
      flow float32 [B, g, g, 2] and the sum of the weights [B, g, g, 1].
    """
    channels, grid_size = split_known(known), known.shape[1]
    near = tf.exp(-squared_distances(grid_size) / (2 * width**2))
    told = tf.concat([channels.told, channels.arrows], axis=-1)
    sums = tf.matmul(near, tf.reshape(told, [-1, grid_size**2, 3]))
    weight, vectors = tf.split(
        tf.reshape(sums, [-1, grid_size, grid_size, 3]), [1, 2], axis=-1
    )
    return keep_told(vectors / (weight + REST), channels), weight


def naive_answer(
    known: tf.Tensor, factor: float = FACTOR, width: float = WIDTH
) -> tf.Tensor:
    """Both, mixed: float32 [B, g, g, 2]."""
    channels = split_known(known)
    flow, weight = spread_arrows(known, width)
    share = tf.minimum(weight, 1.0)
    return keep_told(share * flow + (1 - share) * factor * channels.past, channels)


def keep_told(flow: tf.Tensor, channels: Known) -> tf.Tensor:
    """Flow [B, g, g, 2] with the vectors of the cells that are told."""
    return tf.where(channels.told > 0, channels.arrows, flow)


def squared_distances(grid_size: int) -> tf.Tensor:
    """Between all cells, in cells: float32 [g * g, g * g]."""
    rows, columns = tf.meshgrid(*2 * [tf.range(float(grid_size))], indexing="ij")
    places = tf.reshape(tf.stack([rows, columns], axis=-1), [-1, 2])
    return tf.reduce_sum((places[:, None] - places) ** 2, axis=-1)
