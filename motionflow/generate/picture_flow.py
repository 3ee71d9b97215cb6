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

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.generate import warp
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
      A function from float32 [B, H, W, 3] in 0..255, of one static size, to float32
      [B, H, W, 2] in pixels of these frames per prediction. It raises InputError for a
      picture whose one side is more than 16 times the other.
    """

    def predict(frames: tf.Tensor) -> tf.Tensor:
        height, width = frames.shape[1:3]
        probabilities = grid_probabilities(predictor, frames)
        flow = decode(probabilities, predictor.centers, temperature, noise)
        # The codebook speaks of pixels of the network's frame.
        rows, columns = grid_shape(predictor, height, width)
        cell = predictor.frame_size / predictor.grid_size
        scale = tf.constant([width / (columns * cell), height / (rows * cell)])
        return warp.resize_flow(scale * flow, height, width)

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
    grid_size = predictor.grid_size
    return tuple(round(side * grid_size / short) for side in (height, width))


def grid_probabilities(predictor: Predictor, frames: tf.Tensor) -> tf.Tensor:
    """Predicts the distribution over the codebook in each cell of whole pictures.

    Args:
      predictor: predicts squares.
      frames: [B, H, W, 3] in 0..255, of static height and width.

    Returns:
      float32 [B, rows, columns, K].
    """
    size, grid_size = predictor.frame_size, predictor.grid_size
    shape = grid_shape(predictor, *frames.shape[1:3])
    sides = [round(cells * size / grid_size) for cells in shape]
    scaled = _resize(frames, sides)
    starts = [_window_starts(cells, grid_size) for cells in shape]
    squares = [
        scaled[:, top : top + size, left : left + size]
        for top in (round(r * size / grid_size) for r in starts[0])
        for left in (round(c * size / grid_size) for c in starts[1])
    ]
    found = predictor(tf.concat(squares, axis=0))["probabilities"]
    found = tf.reshape(
        found,
        [len(starts[0]), len(starts[1]), -1, grid_size, grid_size, found.shape[-1]],
    )
    rows, columns = (
        _merging(cells, begin, grid_size)
        for cells, begin in zip(shape, starts, strict=True)
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
        scores += tf.reshape(tf.constant(noise), [1, *scores.shape[1:]])
    centers = tf.constant(centers, tf.float32)
    if temperature == 0:
        return tf.gather(centers, tf.argmax(scores, axis=-1))
    return tf.nn.softmax(scores / temperature) @ centers


def _resize(frames: tf.Tensor, sides: list[int]) -> tf.Tensor:
    """As `data.video.fit_frame` resizes: averages when shrinking."""
    if list(frames.shape[1:3]) == sides:
        return tf.cast(frames, tf.float32)
    shrinks = min(frames.shape[1:3]) > min(sides)
    return tf.image.resize(
        tf.cast(frames, tf.float32), sides, "area" if shrinks else "bilinear"
    )


def _window_starts(num_cells: int, grid_size: int) -> list[int]:
    """First cells of the squares along one side, half a square apart at most."""
    rest = num_cells - grid_size
    count = 1 + math.ceil(rest / (grid_size / 2))
    return [round(i * rest / max(count - 1, 1)) for i in range(count)]


def _merging(num_cells: int, starts: list[int], grid_size: int) -> tf.Tensor:
    """Weights [num_cells, squares, grid_size] of the squares' cells; sums of 1."""
    weights = np.zeros((num_cells, len(starts), grid_size), np.float32)
    inside = np.arange(grid_size)
    for square, start in enumerate(starts):
        border = np.minimum(inside + 1, grid_size - inside)
        weights[start + inside, square, inside] = border
    return tf.constant(weights / weights.sum(axis=(1, 2), keepdims=True))
