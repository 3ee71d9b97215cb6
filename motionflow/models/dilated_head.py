"""A head that looks around: what a cell does depends on what is far from it.

    maps [B, h, w, C] of any sides -> on the grid, side by side ("joined")
      -> 1x1 convolution ("look_in") -> blocks of dilation 1, 2, 4 -> features

A trunk's maps know what is where. A 1x1 convolution on them sees its own cell; here
each block reaches its dilation further, so the features see 7 cells on every side.
A block is a bottleneck (He et al. 2016, arXiv 1512.03385) whose 3x3 convolution is
dilated, as in YOLOF's encoder (Chen et al. 2021, arXiv 2103.09460):

    relu(x + (1x1 to C/4 -> 3x3 dilated -> 1x1 to C)(x))

On CPUs it is ten times as fast as two 3x3 convolutions of all channels. No convolution
has a bias, since batch normalisation follows each.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.models import NetworkOptions, blocks

JOINED = "joined"  # name of the layer that the head looks at
NUM_FEATURES = 256
DILATIONS = (1, 2, 4)
# At the start, scores are the class prior's, moved a little by the features.
FIRST_SCALE = 0.1


def join(maps: Sequence[tf.Tensor], grid_size: int) -> tf.Tensor:
    """Puts maps on the grid, side by side.

    Args:
      maps: [B, h, w, C] each, of any sides: all show the whole frame.
      grid_size: g, cells along one side of the grid.

    Returns:
      [B, g, g, sum of the C]: the layer `JOINED`.
    """
    on_grid = [_on_grid(x, grid_size, i) for i, x in enumerate(maps, start=1)]
    return keras.layers.Concatenate(name=JOINED)(on_grid)


def add_head(
    joined: tf.Tensor,
    options: NetworkOptions,
    guide: Callable[[tf.Tensor], tf.Tensor] | None = None,
) -> tf.Tensor:
    """Puts the head on joined maps.

    Args:
      joined: [B, g, g, C], see `join`.
      options: of the network. Dropped are joined maps, each as a whole; features made
        of them; and features on the branch of each block.
      guide: from the features behind the first block to what is added to them, both
        [B, g, g, 256 width]; None: nothing.

    Returns:
      [B, g, g, 256 width]: the layer `blocks.FEATURES`, from which scores are made.
    """
    x, l2, dropout = joined, options.l2, options.dropout
    if dropout:
        x = blocks.CountedDropout(dropout, whole_maps=True, name="maps_dropout")(x)
    x = _convolution(options.scaled(NUM_FEATURES), 1, l2, "look_in")(x)
    x = keras.layers.ReLU(name="look_relu")(_normalized(x, dropout, "look"))
    for dilation in DILATIONS:
        is_last = dilation == DILATIONS[-1]
        name = blocks.FEATURES if is_last else f"look{dilation}"
        x = keras.layers.ReLU(name=name)(_block(x, dilation, l2, dropout))
        if guide and dilation == DILATIONS[0]:
            x = keras.layers.Add(name="look_told")([x, guide(x)])
    return x


def start_at_prior(
    model: keras.Model, counts: np.ndarray, tilt: np.ndarray | float = 0.0
) -> None:
    """Lets a network begin with what is known before it has seen anything.

    Args:
      model: its layer `blocks.SCORES` gets log class shares as bias, and a tenth of its
        kernel.
      counts: [K], cells of each class in the training split; each counts one more.
      tilt: [K], what the loss teaches to add, see `losses.tilt`.
    """
    scores = model.get_layer(blocks.SCORES)
    shares = (counts + 1) / np.sum(counts + 1)
    scores.bias.assign(np.log(shares) + tilt)
    scores.kernel.assign(FIRST_SCALE * scores.kernel)


def _on_grid(x: tf.Tensor, grid_size: int, number: int) -> tf.Tensor:
    """Resizes a map to the grid; no place of a finer map is skipped.

    Bilinear reading skips places where a side shrinks to less than half. So a map of
    several grids' side becomes a multiple of the grid first, then each cell its mean:
    these layers have gradients and exist in every format of export, which cannot be
    said of TensorFlow's "area" and antialiased resizing.
    """
    times = [max(1, side // grid_size) for side in x.shape[1:3]]
    x = keras.layers.Resizing(
        *(grid_size * n for n in times),
        interpolation="bilinear",
        name=f"resized{number}",
    )(x)
    if max(times) == 1:
        return x
    return keras.layers.AveragePooling2D(times, name=f"averaged{number}")(x)


def _block(x: tf.Tensor, dilation: int, l2: float, dropout: float) -> tf.Tensor:
    """The sum of a block, before its ReLU."""
    filters, name, y = x.shape[-1], f"look{dilation}", x
    narrow = max(1, filters // 4)
    for part, kernel, rate in (("narrow", 1, 0.0), ("around", 3, dropout)):
        place = dilation if kernel > 1 else 1
        y = _convolution(narrow, kernel, l2, f"{name}_{part}", place)(y)
        y = _normalized(y, rate, f"{name}_{part}")
        y = keras.layers.ReLU(name=f"{name}_{part}_relu")(y)
    y = _convolution(filters, 1, l2, f"{name}_widen")(y)
    y = _normalized(y, 0.0, f"{name}_widen")
    return keras.layers.Add(name=f"{name}_sum")([x, y])


def _normalized(x: tf.Tensor, dropout: float, name: str) -> tf.Tensor:
    x = blocks.batch_norm(name=f"{name}_norm")(x)
    return blocks.CountedDropout(dropout, name=f"{name}_dropout")(x) if dropout else x


def _convolution(
    filters: int, kernel: int, l2: float, name: str, dilation: int = 1
) -> keras.layers.Layer:
    return keras.layers.Conv2D(
        filters,
        kernel,
        padding="same",  # symmetric, as the stride is 1
        dilation_rate=dilation,
        use_bias=False,
        name=name,
        **blocks.kernel_options(l2),
    )
