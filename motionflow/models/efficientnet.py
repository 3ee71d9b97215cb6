"""EfficientNet-Lite0 under a head for the grid: a trunk that has seen other pictures.

    standardised frames [B, S, S, 3] -> trunk -> maps of stride 8, 16 and 32
      -> resized to the grid, side by side -> 1x1 convolution -> scores [B, g, g, K]

The mobile network of Tan and Le 2019 (arXiv 1905.11946) in its "lite" form: no squeeze
and excitation, ReLU6 for swish. Weights from ImageNet's 1.3 million labelled pictures
come from `efficientnet_weights` and go in with --pretrained; --freeze_trunk
trains the head alone. They expect frames as (frame - 127) / 128, which replaces the
data's mean frame (`building.PIXEL_MEANS`), and Keras' "same" padding,
which where the stride is 2 is uneven.

2,919,392 weights of convolutions in the trunk, 262,696 in a head of 40 clusters.
"""

from typing import NamedTuple

import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import blocks
from motionflow.models.trunk import TRUNK

PIXEL_MEAN, PIXEL_SCALE = 127.0, 128.0
EPSILON = 1e-3
STEM = 32  # filters
NUM_FEATURES = 512


class Stage(NamedTuple):
    """Some blocks alike; the first of them has the stride."""

    num_blocks: int
    kernel: int
    stride: int
    expansion: int
    filters: int
    is_used: bool = False  # by the head: the last of its stride


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40, is_used=True),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112, is_used=True),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320, is_used=True),
)
SMALLEST = 32  # pixels of a frame: the stride of the last map


def build_efficientnet(
    inputs: tf.Tensor,
    grid_size: int,
    num_clusters: int,
    *,
    width: float = 1.0,
    l2: float = 0.0,
    dropout: float = 0.2,
    literal_head: bool = False,
) -> tf.Tensor:
    """Puts the trunk and its head on standardised frames.

    Args:
      inputs: [B, S, S, 3], (frame - 127) / 255.
      grid_size: cells along one side of the data's grid; any will do.
      num_clusters: K, the size of the codebook.
      width: factor on the number of features; the trunk is what it is.
      l2: weight of the L2 regularisation of the head: it would pull a pretrained trunk
        away from what it knows.
      dropout: share of the features dropped before the scores.
      literal_head: belongs to the report's table 2 and must be False.

    Returns:
      Scores [B, grid_size, grid_size, K].

    Raises:
      InputError: frames too small for five halvings, or `literal_head`.
    """
    frame_size = inputs.shape[1]
    if literal_head:
        raise InputError("efficientnet has no literal head: it is for allconv")
    if frame_size < SMALLEST:
        raise InputError(
            f"efficientnet needs frames of {SMALLEST} pixels, found {frame_size}"
        )
    maps = build_trunk(
        keras.layers.Rescaling(255.0 / PIXEL_SCALE, name="scaled")(inputs)
    )
    resized = [
        keras.layers.Resizing(
            grid_size, grid_size, interpolation="bilinear", name=f"resized{i}"
        )(x)
        for i, x in enumerate(maps, start=1)
    ]
    x = keras.layers.Concatenate(name="joined")(resized)
    num_features = blocks.scaled(NUM_FEATURES, width)
    x = blocks.conv_bn(x, num_features, 1, 1, 0, l2, name=blocks.FEATURES)
    if dropout:
        x = blocks.CountedDropout(dropout, name=f"{blocks.FEATURES}_dropout")(x)
    return blocks.scores(x, num_clusters, l2)


def build_trunk(inputs: tf.Tensor) -> list[tf.Tensor]:
    """The network without its classifier.

    Args:
      inputs: [B, S, S, 3], (frame - 127) / 128.

    Returns:
      [B, S / 8, S / 8, 40], [B, S / 16, S / 16, 112] and [B, S / 32, S / 32, 320],
      sides rounded up.
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
    x = keras.layers.DepthwiseConv2D(
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=_initializer(),
        name=name,
    )(x)
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(_normalize(x, name))


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
    x = keras.layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=_initializer(),
        name=name,
    )(x)
    x = _normalize(x, name)
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(x) if is_active else x


def _normalize(x: tf.Tensor, name: str) -> tf.Tensor:
    return blocks.batch_norm(epsilon=EPSILON, name=f"{name}_norm")(x)


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
