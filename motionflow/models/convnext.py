"""A ConvNeXt-style network: the all-convolutional one as it would be built today.

    standardised frames [B, 200, 200, 3] -> scores [B, 20, 20, 40]

After Liu et al. 2022, "A ConvNet for the 2020s" (arXiv 2201.03545), with as many
parameters as the report's table 2. A block mixes places with a depthwise 7x7
convolution, then channels with two 1x1 convolutions, four times as wide in between:

    x + scale * (depthwise 7x7 -> LayerNorm -> 1x1 to 4C -> GELU -> 1x1 to C)(x)

The stem and the downsampling cut the frame into patches that do not overlap, 5x5 and
then 2x2, so each cell of the grid begins as exactly its own 10x10 pixels, and the
blocks let it see its surroundings. Nothing depends on the other frames of a batch:
there is no batch normalisation. Stochastic depth is left out.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import NetworkOptions, blocks
from motionflow.models.depthwise import DepthwiseConv2D
from motionflow.models.dilated_head import add_head, join

# The paper's settings.
EPSILON = 1e-6
LAYER_SCALE = 1e-6
KERNEL = 7
EXPANSION = 4


class Stage(NamedTuple):
    """A patch convolution, then blocks at its resolution."""

    filters: int
    patch: int
    num_blocks: int


STAGES = (Stage(64, 5, 2), Stage(384, 2, 5))
CELL = 10  # pixels along one side of what becomes a cell: the product of the patches


class LayerScale(keras.layers.Layer):
    """A learned factor for each channel, small at first: blocks start as identity."""

    def build(self, input_shape: tf.TensorShape) -> None:
        """Creates the factors [C]."""
        self.scale = self.add_weight(
            name="scale",
            shape=input_shape[-1:],
            initializer=keras.initializers.Constant(LAYER_SCALE),
        )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] -> the same shape."""
        return inputs * self.scale


def build_convnext(
    inputs: tf.Tensor, options: NetworkOptions, *, head: str = "plain"
) -> tf.Tensor:
    """Stacks the stages on standardised frames.

    Args:
      inputs: [B, S, S, 3].
      options: of the network; features are dropped before the scores, and in the
        dilated head.
      head: "plain", or "dilated": a `dilated_head` on the normalised last stage.

    Returns:
      Scores [B, g, g, K].

    Raises:
      InputError: cells of other than 10x10 pixels.
    """
    frame_size, grid_size, l2 = inputs.shape[1], options.grid_size, options.l2
    if frame_size != CELL * grid_size:
        raise InputError(
            f"convnext makes each cell from its own {CELL}x{CELL} pixels, but the "
            f"data's {grid_size} cells a side lie on frames of {frame_size} pixels: "
            f"make the data with frame_size = {CELL} * grid_size (200 for 20), or "
            f"train --model=alexnet"
        )
    x = inputs
    for number, stage in enumerate(STAGES, start=1):
        filters, name = options.scaled(stage.filters), f"stage{number}"
        x = _patches(x, filters, stage, l2, f"{name}_patches")
        for i in range(1, stage.num_blocks + 1):
            x = _block(x, filters, l2, f"{name}_block{i}")
    is_plain = head == "plain"
    name = blocks.FEATURES if is_plain else "last_norm"
    x = keras.layers.LayerNormalization(epsilon=EPSILON, name=name)(x)
    if not is_plain:
        x = add_head(join([x], grid_size), options)
    elif options.dropout:
        x = blocks.CountedDropout(options.dropout, name=f"{name}_dropout")(x)
    return _convolution(options.num_clusters, 1, l2, blocks.SCORES)(x)


def gelu(x: tf.Tensor) -> tf.Tensor:
    """Each number times its cumulative probability in a normal distribution.

    Keras' own takes Erfc in newer TensorFlow, which the converter to ONNX lacks.
    """
    return 0.5 * x * (1 + tf.math.erf(x * 0.5**0.5))


def _patches(
    x: tf.Tensor, filters: int, stage: Stage, l2: float, name: str
) -> tf.Tensor:
    """Normalisation stands after the first convolution and before later ones."""
    convolve = _convolution(filters, stage.patch, l2, name, strides=stage.patch)
    normalize = keras.layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm")
    if stage is STAGES[0]:
        return normalize(convolve(x))
    return convolve(normalize(x))


def _block(x: tf.Tensor, filters: int, l2: float, name: str) -> tf.Tensor:
    y = DepthwiseConv2D(
        KERNEL,
        padding="same",
        depthwise_initializer=_initializer(),
        depthwise_regularizer=blocks.l2_penalty(l2),
        name=f"{name}_depthwise",
    )(x)
    y = keras.layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm")(y)
    y = _convolution(EXPANSION * filters, 1, l2, f"{name}_expand", activation=gelu)(y)
    y = _convolution(filters, 1, l2, f"{name}_project")(y)
    y = LayerScale(name=f"{name}_scale")(y)
    return keras.layers.Add(name=f"{name}_sum")([x, y])


def _convolution(
    filters: int, kernel: int, l2: float, name: str, **options: Any
) -> keras.layers.Layer:
    return keras.layers.Conv2D(
        filters,
        kernel,
        name=name,
        kernel_initializer=_initializer(),
        kernel_regularizer=blocks.l2_penalty(l2),
        **options,
    )


def _initializer() -> keras.initializers.Initializer:
    # A new one each time: Keras warns of instances that are used again.
    return keras.initializers.TruncatedNormal(stddev=0.02)
