"""Pictures of any size -> how each of their pixels moves, by a model of square frames.

    frames [B, H, W, 3] --flow_function(predictor)--> flow [B, H, W, 2]

The network was trained on squares of S pixels whose short side was the video's (the
report's section 2). A wide or tall picture is brought to that short side and covered by
overlapping squares, each what the network knows; nothing is cropped or squeezed::

    |<------ S ------>|              one distribution over the codebook in each cell,
    +---------+-------+---------+    averaged where squares overlap, weighted by the
    |         |       |         |    distance from the square's border
    +---------+-------+---------+

The flow decoded from these distributions is brought to the picture's own size.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.generate import warp
from motionflow.generate.fitting import resize, scale_sides
from motionflow.models import decoding
from motionflow.models.predictor import Predictor

MAX_ASPECT = 16


def flow_function(
    predictor: Predictor, temperature: float = 1.0, noise: np.ndarray | None = None
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Makes a function from pictures to flow, as `rollout.generate` takes it.

    Args:
      predictor: predicts squares of `predictor.frame_size`.
      temperature: see `decode`.
      noise: see `decode`; of a grid of `grid_shape` of the pictures.

    Returns:
      A function from float32 [B, H, W, 3] in 0..255 to float32 [B, H, W, 2] in pixels
      of these frames per prediction. It raises InputError for a picture whose one side
      is more than 16 times the other, where the size is known when it is called.
    """

    def predict(frames: tf.Tensor) -> tf.Tensor:
        if None not in frames.shape[1:3]:
            grid_shape(predictor, *frames.shape[1:3])
        probabilities = grid_probabilities(predictor, frames)
        flow = decode(probabilities, predictor.centers, temperature, noise)
        # The codebook speaks of pixels of the network's frame.
        shape, grid = tf.shape(frames)[1:3], tf.shape(flow)[1:3]
        cell = predictor.frame_size / predictor.grid_size
        scale = tf.cast(shape[::-1] / grid[::-1], tf.float32) / cell
        return warp.resize_flow(scale * flow, shape[0], shape[1])

    return predict


def future_functions(
    predictor: Predictor, size: tuple[int, int], num_futures: int, seed: int = 0
) -> list[Callable[[tf.Tensor], tf.Tensor]]:
    """Flow functions of futures that are drawn from the predicted distributions.

    Neighbouring cells are drawn together, and a future keeps its noise through all of
    its predictions, so that a motion once begun goes on.

    Args:
      predictor: predicts squares.
      size: height and width of the pictures.
      num_futures: how many.
      seed: of the noise; a future depends on the seed and its number only.
    """
    shape, num_clusters = grid_shape(predictor, *size), len(predictor.centers)
    return [
        flow_function(predictor, temperature=0, noise=noise)
        for noise in decoding.future_noise(num_futures, shape, num_clusters, seed)
    ]


def grid_shape(predictor: Predictor, height: int, width: int) -> tuple[int, int]:
    """Cells (rows, columns) of a picture: `grid_size` along the short side.

    Raises:
      InputError: one side is more than 16 times the other.
    """
    short = min(height, width)
    if max(height, width) > MAX_ASPECT * short:
        raise InputError(
            f"the picture is {width}x{height}; one side may be at most {MAX_ASPECT} "
            f"times the other"
        )
    return tuple(round(side * predictor.grid_size / short) for side in (height, width))


def grid_probabilities(predictor: Predictor, frames: tf.Tensor) -> tf.Tensor:
    """Predicts the distribution over the codebook in each cell of whole pictures.

    Args:
      predictor: predicts squares.
      frames: [B, H, W, 3] in 0..255; in a graph of any size, known or not.

    Returns:
      float32 [B, rows, columns, K].
    """
    size, grid_size = predictor.frame_size, predictor.grid_size
    cells = scale_sides(tf.shape(frames)[1:3], grid_size)
    scaled = resize(frames, *tf.unstack(_pixels(cells, size / grid_size)))
    starts = [_window_starts(count, grid_size) for count in tf.unstack(cells)]
    rows, columns = (
        _pixels(start, size / grid_size)[:, tf.newaxis] + tf.range(size)
        for start in starts
    )
    squares = tf.gather(tf.gather(scaled, rows, axis=1), columns, axis=3)
    squares = tf.transpose(squares, [1, 3, 0, 2, 4, 5])
    batch = tf.shape(squares)[:3]
    found = predictor(tf.reshape(squares, [-1, size, size, 3]))["probabilities"]
    shape = [grid_size, grid_size, found.shape[-1]]
    found = tf.reshape(found, tf.concat([batch, shape], 0))
    rows, columns = (
        _merging(count, start, grid_size)
        for count, start in zip(tf.unstack(cells), starts, strict=True)
    )
    return tf.einsum("rip,cjq,ijbpqk->brck", rows, columns, found)


def decode(
    probabilities: tf.Tensor,
    centers: np.ndarray,
    temperature: float = 1.0,
    noise: np.ndarray | None = None,
) -> tf.Tensor:
    """One flow from the distribution in each cell; in a graph too.

    Args:
      probabilities: [B, rows, columns, K].
      centers: [K, 2].
      temperature: 1 gives the expected flow, less the annealed mean (Zhang et al. 2016,
        equation 5), 0 the centre of the most probable class.
      noise: Gumbel noise [rows * columns, K] from `decoding.future_noise`; with it and
        temperature 0 the flow is one draw from the distribution.

    Returns:
      float32 [B, rows, columns, 2].
    """
    scores = tf.math.log(tf.maximum(probabilities, np.finfo(np.float32).tiny))
    if noise is not None:
        scores += tf.reshape(noise, tf.shape(scores)[1:])
    centers = tf.constant(centers, tf.float32)
    if temperature == 0:
        return tf.gather(centers, tf.argmax(scores, axis=-1))
    return tf.nn.softmax(scores / temperature) @ centers


def _pixels(cells: tf.Tensor, cell: float) -> tf.Tensor:
    return tf.cast(tf.round(tf.cast(cells, tf.float64) * cell), tf.int32)


def _window_starts(num_cells: tf.Tensor, grid_size: int) -> tf.Tensor:
    """First cells of the squares along one side, half a square apart at most."""
    rest = num_cells - grid_size
    count = 1 + (2 * rest + grid_size - 1) // grid_size  # 1 + rest / (grid_size / 2)
    gap = rest / tf.maximum(count - 1, 1)  # float64
    return _pixels(tf.range(count), gap)


def _merging(num_cells: tf.Tensor, starts: tf.Tensor, grid_size: int) -> tf.Tensor:
    """Weights [num_cells, squares, grid_size] of the squares' cells; sums of 1."""
    inside = tf.range(grid_size)
    border = tf.cast(tf.minimum(inside + 1, grid_size - inside), tf.float32)
    is_there = starts[:, tf.newaxis] + inside == tf.reshape(
        tf.range(num_cells), [-1, 1, 1]
    )
    weights = tf.where(is_there, border, 0.0)
    return weights / tf.reduce_sum(weights, axis=[1, 2], keepdims=True)
