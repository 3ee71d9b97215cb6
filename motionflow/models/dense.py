"""Flow finer than the trunk's grid, upsampled by learned, fractionally strided steps.

    rows of table 2: 50x50, 25x25, ..., features 20x20
      features -> 25x25 -> 50x50 -> 100x100 (-> 200x200) -> scores [B, D, D, K]
                  + row 2  + row 1  + frame      + frame

The report's first extension (section 5): "fractionally-strided convolution to upscale
the activation volumes", as in fully convolutional networks for segmentation (Long et
al. 2015), so that "the upscaling step would be learned rather than simple
interpolation". Each step is such a convolution, joined with what the trunk (or the
frame) knew at that size, and a 3x3 convolution of both, as in U-Net (Ronneberger et al.
2015): summing scores, as Long et al. do, cannot say "moves, up to that edge".

The first step undoes the two convolutions without padding (25 -> 22 -> 20), after which
everything lies where it lies in the frame.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import NetworkOptions, allconv, blocks

FILTERS = (256, 128, 64, 32)  # of 25x25, 50x50, 100x100, 200x200
FRAME_FILTERS = 32  # of the frame's own features


class Upsampler(keras.layers.Layer):
    """Features and what came before them -> scores at D x D.

    A layer, so that a sequence can use it, with the same weights, at each of its steps.

    Args:
      options: of the network.
      dense_size: D, half the frame's size or all of it.
      frame_size: S.
    """

    def __init__(
        self, options: NetworkOptions, dense_size: int, frame_size: int, **kwargs: Any
    ):
        super().__init__(**kwargs)
        sizes = _sizes(frame_size)
        lift = sizes[1] - allconv.grid_size_of(frame_size) + 1
        plain = blocks.kernel_options(options.l2)
        relu = plain | {"activation": "relu", "padding": "same"}
        self._up, self._join = [], []
        for step, filters in enumerate(FILTERS[: _num_steps(dense_size, frame_size)]):
            filters = options.scaled(filters)
            kernel = 4 if step else lift
            geometry = {"strides": 2} if step else {"padding": "valid"}
            geometry |= {"name": f"up{step}"}
            up = keras.layers.Conv2DTranspose(filters, kernel, **relu | geometry)
            self._up.append(up)
            join = blocks.SharedConv2D(filters, 3, name=f"join{step}", **relu)
            self._join.append(join)
        self._scores = blocks.SharedConv2D(
            options.num_clusters, 1, name=blocks.SCORES, **plain
        )

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """[features, *skips] -> scores [B, D, D, K]."""
        x, *skips = inputs
        for up, join, skip in zip(self._up, self._join, skips, strict=True):
            x = join(tf.concat([up(x), skip], axis=-1))
        return self._scores(x)


def skips(
    frames: tf.Tensor, rows: list[tf.Tensor], dense_size: int, options: NetworkOptions
) -> list[tf.Tensor]:
    """What each step is joined with, coarse to fine.

    Args:
      frames: standardised, [B, S, S, 3].
      rows: outputs of the rows of table 2.
      dense_size: D.
      options: of the network.

    Raises:
      InputError: a D that the steps do not lead to.
    """
    _check_size(dense_size, frames.shape[1], options.grid_size)
    relu = blocks.kernel_options(options.l2) | {"activation": "relu", "padding": "same"}
    strides = (2, 1)[: _num_steps(dense_size, frames.shape[1]) - 2]
    filters = options.scaled(FRAME_FILTERS)
    return [
        rows[1],
        rows[0],
        *(
            keras.layers.Conv2D(filters, 3, strides=s, name=f"frame{s}", **relu)(frames)
            for s in strides
        ),
    ]


def _check_size(dense_size: int, frame_size: int, grid_size: int) -> None:
    """Refuses a size that the steps do not lead to, as an InputError."""
    first, second = _sizes(frame_size)
    fits = frame_size == 2 * 2 * first == 2 * 2 * 2 * second
    if not fits or dense_size not in (frame_size, frame_size // 2):
        raise InputError(
            f"dense networks end at all or half of a frame's size, a multiple of 8: "
            f"from frames of {frame_size} not at {dense_size}; make the data with "
            f"--store_dense_flow={frame_size // 2}"
        )
    if dense_size % grid_size:
        raise InputError(
            f"{dense_size} cells a side are no multiple of the grid's {grid_size}; "
            f"grids of 2, 4, 5, 10 and 20 with frame_size = 8 * (grid_size + 5) fit"
        )


def _num_steps(dense_size: int, frame_size: int) -> int:
    return 4 if dense_size == frame_size else 3


def _sizes(frame_size: int) -> tuple[int, int]:
    """Cells a side after rows 1 and 2 of table 2."""
    first, second = (row[1:4] for row in allconv.TABLE[:2])
    size = blocks.output_size(frame_size, *first)
    return size, blocks.output_size(size, *second)


def build_dense(
    inputs: tf.Tensor, options: NetworkOptions, *, dense_size: int
) -> tf.Tensor:
    """The rows of table 2 on standardised frames, then the upsampling.

    Args:
      inputs: [B, S, S, 3].
      options: of the network; three rows of the trunk drop.
      dense_size: D, S or S / 2.

    Returns:
      Scores [B, D, D, K].

    Raises:
      InputError: a grid or D that this network does not give.
    """
    rows = allconv.apply_table(inputs, options)
    joined = skips(inputs, rows, dense_size, options)
    upsampler = Upsampler(options, dense_size, inputs.shape[1], name="upsampler")
    return upsampler([rows[-1], *joined])
