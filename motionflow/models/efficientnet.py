"""EfficientNet-Lite0 under a head for the grid: a trunk that has seen other pictures.

    standardised frames [B, S, S, 3] -> trunk -> maps of stride 4, 8, 16 and 32
      -> a head that looks around (`dilated_head`) -> scores [B, g, g, K]

The plain head takes the last three maps, resized to the grid and side by side, and one
1x1 convolution.

The mobile network of Tan and Le 2019 (arXiv 1905.11946) in its "lite" form: no squeeze
and excitation, ReLU6 for swish. Weights from ImageNet's 1.3 million labelled pictures
come from `efficientnet_weights` and go in with --pretrained; --freeze_trunk
trains the head alone, --train_trunk_from the last blocks too. They expect frames as
(frame - 127) / 128, which replaces the data's mean frame, and Keras' "same" padding,
which where the stride is 2 is uneven.

2,919,392 weights of convolutions in the trunk, 346,152 in a head of 40 clusters
(the plain one: 262,696).
"""

from typing import NamedTuple

import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import NetworkOptions, blocks
from motionflow.models.blocks import TRUNK
from motionflow.models.dilated_head import JOINED, add_head, join
from motionflow.models.network import declares
from motionflow.models.normalized import (
    FoldedNorm,
    FoldingConv2D,
    FoldingDepthwiseConv2D,
)

PIXEL_MEAN, PIXEL_SCALE = 127.0, 128.0
EPSILON = 1e-3
STEM = 32  # filters
NUM_FEATURES = 512  # of the plain head


class Stage(NamedTuple):
    """Some blocks alike; the first of them has the stride."""

    num_blocks: int
    kernel: int
    stride: int
    expansion: int
    filters: int
    is_used: bool = False  # by a head: the last of its stride


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24, is_used=True),
    Stage(2, 5, 2, 6, 40, is_used=True),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112, is_used=True),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320, is_used=True),
)
SMALLEST = 32  # pixels of a frame: the stride of the last map


@declares(pixel_mean=PIXEL_MEAN)
def build_efficientnet(
    inputs: tf.Tensor, options: NetworkOptions, *, head: str = "dilated"
) -> tf.Tensor:
    """Puts the trunk and its head on standardised frames.

    Args:
      inputs: [B, S, S, 3], (frame - 127) / 255.
      options: of the head; the trunk is what it is, and L2 would pull it away from what
        it knows.
      head: "plain" or "dilated".

    Returns:
      Scores [B, g, g, K], any grid.

    Raises:
      InputError: frames too small for five halvings.
    """
    maps = trunk_maps(inputs)
    if head == "dilated":
        x = add_head(join(maps, options.grid_size), options)
    else:
        x = _plain_head(maps[1:], options)
    return blocks.scores(x, options)


def _plain_head(maps: list[tf.Tensor], options: NetworkOptions) -> tf.Tensor:
    size, name = [options.grid_size] * 2, blocks.FEATURES
    resized = [
        keras.layers.Resizing(*size, interpolation="bilinear", name=f"resized{i}")(x)
        for i, x in enumerate(maps, start=1)
    ]
    x = keras.layers.Concatenate(name=JOINED)(resized)
    num_features = options.scaled(NUM_FEATURES)
    x = blocks.conv_bn(x, num_features, 1, 1, 0, options.l2, name=name)
    if options.dropout:
        x = blocks.CountedDropout(options.dropout, name=f"{name}_dropout")(x)
    return x


def trunk_maps(inputs: tf.Tensor) -> list[tf.Tensor]:
    """What `build_trunk` gives of standardised frames [B, S, S, 3].

    Raises:
      InputError: frames too small for five halvings.
    """
    if inputs.shape[1] < SMALLEST:
        raise InputError(
            f"EfficientNet needs frames of {SMALLEST} pixels, found {inputs.shape[1]}"
        )
    scale = keras.layers.Rescaling(255.0 / PIXEL_SCALE, name="scaled")
    return build_trunk(scale(inputs))


def build_trunk(inputs: tf.Tensor) -> list[tf.Tensor]:
    """The network without its classifier.

    Args:
      inputs: [B, S, S, 3], (frame - 127) / 128.

    Returns:
      [B, S / 4, S / 4, 24], [B, S / 8, S / 8, 40], [B, S / 16, S / 16, 112] and
      [B, S / 32, S / 32, 320], sides rounded up.
    """
    x, maps, number = convolution(inputs, STEM, 3, f"{TRUNK}stem", stride=2), [], 0
    for stage in STAGES:
        for i in range(stage.num_blocks):
            name, stride = f"{TRUNK}block{number}_", stage.stride if i == 0 else 1
            x = _block(x, stage, stride, name)
            number += 1
        if stage.is_used:
            maps.append(x)
    return maps


def build_classifier(frame_size: int) -> keras.Model:
    """The published network, to hold converted weights against.

    Returns:
      A model from (frame - 127) / 128 [B, S, S, 3] to the logits of ImageNet's classes
      [B, 1000]; 4,652,008 parameters.
    """
    inputs = keras.Input((frame_size, frame_size, 3))
    x = convolution(build_trunk(inputs)[-1], 1280, 1, "top")
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(1000, name="classes")(x))


def _block(x: tf.Tensor, stage: Stage, stride: int, name: str) -> tf.Tensor:
    """Widens, mixes places in each channel, narrows (an inverted bottleneck)."""
    y, num_inputs = x, x.shape[-1]
    if stage.expansion > 1:
        y = convolution(y, stage.expansion * num_inputs, 1, f"{name}expand")
    y = _depthwise(y, stage.kernel, stride, f"{name}depthwise")
    y = convolution(y, stage.filters, 1, f"{name}project", is_active=False)
    if stride == 1 and num_inputs == stage.filters:
        y = keras.layers.Add(name=f"{name}sum")([x, y])
    return y


def _depthwise(x: tf.Tensor, kernel: int, stride: int, name: str) -> tf.Tensor:
    convolve = FoldingDepthwiseConv2D(
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=_initializer(),
        name=name,
    )
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(_normalized(convolve, x))


def convolution(
    x: tf.Tensor,
    filters: int,
    kernel: int,
    name: str,
    *,
    stride: int = 1,
    is_active: bool = True,
) -> tf.Tensor:
    """Convolution without bias, batch normalisation and, where active, ReLU6."""
    convolve = FoldingConv2D(
        filters,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=_initializer(),
        name=name,
    )
    x = _normalized(convolve, x)
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(x) if is_active else x


def _normalized(
    convolve: FoldingConv2D | FoldingDepthwiseConv2D, x: tf.Tensor
) -> tf.Tensor:
    norm = blocks.batch_norm(f"{convolve.name}_norm", EPSILON, FoldedNorm)
    convolve.fold(norm)
    return norm(convolve(x))


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
