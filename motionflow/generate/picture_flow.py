"""Pictures of any size -> how each of their pixels moves, by a model of square frames.

    frames [B, H, W, 3] --flow_function(predictor)--> flow [B, H, W, 2]

The network was trained on squares of S pixels whose short side was the video's (the
report's section 2). A wide or tall picture is brought to that short side and covered by
overlapping squares, each what the network knows; nothing is cropped or squeezed::

    |<------ S ------>|              one distribution over the codebook in each cell,
    +---------+-------+---------+    averaged where squares overlap, weighted by the
    |         |       |         |    distance from the square's border
    +---------+-------+---------+

The flow decoded from these distributions is brought to the picture's own size. Dense
networks have finer cells, sequences a distribution for each of their steps.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from motionflow.errors import InputError
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
      temperature: see `decoding.decode`.
      noise: see `decoding.decode`; of a grid of `grid_shape` of the pictures.

    Returns:
      From float32 [B, H, W, 3] in 0..255 to float32 [B, H, W, 2] in pixels of these
      frames per prediction; refuses a picture whose one side is more than 16 times the
      other, where the size is known when it is called.
    """
    steps = sequence_function(predictor, temperature, noise, num_steps=1)
    return lambda frames: steps(frames)[:, 0]


def sequence_function(
    predictor: Predictor,
    temperature: float = 1.0,
    noise: np.ndarray | None = None,
    num_steps: int | None = None,
) -> Callable[[tf.Tensor], tf.Tensor]:
    """`flow_function` of each step that the network predicts: to [B, T, H, W, 2].

    The flow of the frame, then that of the frames that it leads to; of the first
    `num_steps` only, if they are given.
    """

    def predict(frames: tf.Tensor) -> tf.Tensor:
        if None not in frames.shape[1:3]:
            grid_shape(predictor, *frames.shape[1:3])
        flow, _ = cell_flow(predictor, frames, None, num_steps, temperature, noise)
        shape = tf.shape(frames)[1:3]
        flow *= pixel_scale(predictor, shape, tf.shape(flow)[2:4])
        return resize(flow, shape[0], shape[1])

    return predict


def cell_flow(
    predictor: Predictor,
    frames: tf.Tensor,
    known: tf.Tensor | None = None,
    num_steps: int | None = None,
    temperature: float = 1.0,
    noise: np.ndarray | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The flow of each cell of whole pictures, and what it was decoded from.

    Args:
      predictor: predicts squares.
      frames: [B, H, W, 3] in 0..255; in a graph of any size, known or not.
      known: float32 [B, rows, columns, 7] for predictors that can be told, see
        `data.known`; vectors in pixels of the network's frame.
      num_steps: how many of the predictor's steps; None: all.
      temperature: see `decoding.decode`.
      noise: see `decoding.decode`.

    Returns:
      float32 [B, T, rows, columns, 2], pixels of the network's frame per step, and the
      distributions [B, T, rows, columns, K]; `fine_size` cells along the short side.
    """
    size, grid_size = predictor.frame_size, predictor.fine_size
    cells = scale_sides(tf.shape(frames)[1:3], grid_size)
    scaled = resize(frames, *tf.unstack(_pixels(cells, size / grid_size)))
    starts = [_window_starts(count, grid_size) for count in tf.unstack(cells)]
    pixels = [_pixels(start, size / grid_size) for start in starts]
    squares = _split(scaled, pixels, size)
    told = () if known is None else (_split(known, starts, grid_size),)
    found = predictor(squares, *told)
    merging = [
        _merging(count, start, grid_size)
        for count, start in zip(tf.unstack(cells), starts, strict=True)
    ]
    probabilities = _merge(found["step_probabilities"][:, :num_steps], *merging)
    flow = decoding.decode(probabilities, predictor.centers, temperature, noise)
    if known is not None:
        # Told cells keep their vector, beside what is expected of the distributions.
        expected = probabilities @ tf.constant(predictor.centers, tf.float32)
        flow += _merge(found["flow"][:, tf.newaxis], *merging) - expected
    return flow, probabilities


def pixel_scale(predictor: Predictor, size: tf.Tensor, cells: tf.Tensor) -> tf.Tensor:
    """Brings flow in pixels of the network's frame to pixels of a picture: [2].

    A factor for dx and one for dy, of a picture of this height and width, on so many
    rows and columns of cells.
    """
    cell = predictor.frame_size / predictor.fine_size
    return tf.cast(size[::-1] / cells[::-1], tf.float32) / cell


def future_noises(
    predictor: Predictor, size: tuple[int, int], num_futures: int, seed: int = 0
) -> list[tf.Tensor]:
    """Noise with which `flow_function` draws futures from the predicted distributions.

    Neighbouring cells are drawn together, and a future keeps its noise through all of
    its predictions, so that a motion once begun goes on. A future depends on the seed
    and its number only: [rows, columns, K] each, of pictures of this height and width.
    """
    shape, num_clusters = grid_shape(predictor, *size), len(predictor.centers)
    drawn = decoding.future_noise(num_futures, shape, num_clusters, seed)
    fine = scale_sides(tf.constant(size), predictor.fine_size)
    # The noise of a cell is that of all the finer ones in it: they move together.
    return tf.unstack(tf.image.resize(drawn, fine, "nearest"))


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
    rows, columns = (
        round(side * predictor.grid_size / short) for side in (height, width)
    )
    return rows, columns


def _pixels(cells: tf.Tensor, cell: float) -> tf.Tensor:
    return tf.cast(tf.round(tf.cast(cells, tf.float64) * cell), tf.int32)


def _window_starts(num_cells: tf.Tensor, grid_size: int) -> tf.Tensor:
    """First cells of the squares along one side, half a square apart at most."""
    rest = num_cells - grid_size
    count = 1 + (2 * rest + grid_size - 1) // grid_size  # 1 + rest / (grid_size / 2)
    gap = rest / tf.maximum(count - 1, 1)  # float64
    return _pixels(tf.range(count), gap)


def _split(maps: tf.Tensor, starts: Sequence[tf.Tensor], size: int) -> tf.Tensor:
    """Squares [B * i * j, size, size, C] of maps, from each row and each column on."""
    rows, columns = (start[:, tf.newaxis] + tf.range(size) for start in starts)
    squares = tf.gather(tf.gather(maps, rows, axis=1), columns, axis=3)
    squares = tf.transpose(squares, [1, 3, 0, 2, 4, 5])
    return tf.reshape(squares, [-1, size, size, maps.shape[-1]])


def _merge(found: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Squares [i * j * B, T, g, g, C], weighted by `_merging`, to [B, T, h, w, C]."""
    side, i, j = rows.shape[2], tf.shape(rows)[1], tf.shape(columns)[1]
    found = tf.reshape(found, [i, j, -1, found.shape[1], side, side, found.shape[-1]])
    return tf.einsum("rip,cjq,ijbtpqk->btrck", rows, columns, found)


def _merging(num_cells: tf.Tensor, starts: tf.Tensor, grid_size: int) -> tf.Tensor:
    """Weights [num_cells, squares, grid_size] of the squares' cells; sums of 1."""
    inside = tf.range(grid_size)
    border = tf.cast(tf.minimum(inside + 1, grid_size - inside), tf.float32)
    is_there = starts[:, tf.newaxis] + inside == tf.reshape(
        tf.range(num_cells), [-1, 1, 1]
    )
    weights = tf.where(is_there, border, 0.0)
    return weights / tf.reduce_sum(weights, axis=[1, 2], keepdims=True)
