"""Networks whose last layers see the whole frame for each cell (report, figure 4).

    standardised frames [B, 200, 200, 3] -> convolutions, poolings
      -> two layers of 4096 -> scores [B, g * g * K]

alexnet  table 1 of the report, after Walker et al. 2015: five ConvBN layers and three
         poolings shrink the frame to 5x5x256. 112,299,008 parameters, nearly all of
         them fully connected.
walker   Walker, Gupta, Hebert 2015, the report's reference [18]: Krizhevsky's AlexNet
         as the authors' public Caffe files spell it out (puffin444/
         optical_flow_prediction, opt_train_coarse_xavier.prototxt). Unlike table 1 it
         has local response normalisation after the first two ReLUs in place of batch
         normalisation; its second, fourth and fifth convolutions are two halves side by
         side, each seeing half of the channels; nothing is padded before the first
         convolution and poolings round up: 200 -> 48 -> 24 -> 12 -> 6; frames minus
         their mean are not divided by 255. 122,420,224 parameters.
vgg      the one that the report could not train (section 4, its [14]): configuration D
         of Simonyan and Zisserman 2015, thirteen 3x3 convolutions in five stages, a 2x2
         pooling after each (200 -> 6). 172,549,568 parameters. Each convolution is a
         ConvBN: Xavier's weights do not make up for what a ReLU cuts off, and without
         normalisation frames of root mean square 0.15 arrive at the thirteenth as
         0.0006 (normalised: 0.7) and training stays at the class prior. With He's
         larger weights alone it gets out, later. Measurements: configs/vgg.flags.

Any grid will do.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import NetworkOptions, blocks

NUM_UNITS = 4096  # of a fully connected layer
POOL = "pool"
# Table 1: (filters, kernel, stride, pad), or a 3x3 pooling with stride 2.
ALEXNET: tuple[tuple[int, int, int, int] | str, ...] = (
    (96, 11, 4, 2),
    POOL,
    (256, 5, 1, 2),
    POOL,
    (384, 3, 1, 1),
    (384, 3, 1, 1),
    (256, 3, 1, 1),
    POOL,
)
# Configuration D: (filters, number of convolutions) of each stage.
VGG = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


class Row(NamedTuple):
    """A convolution of Walker's with ReLU, then what follows it."""

    filters: int
    kernel: int
    stride: int
    pad: int
    num_groups: int
    bias: float
    is_normalized: bool = False
    is_pooled: bool = False


WALKER = (
    Row(96, 11, 4, 0, 1, 0.0, is_normalized=True, is_pooled=True),
    Row(256, 5, 1, 2, 2, 0.1, is_normalized=True, is_pooled=True),
    Row(384, 3, 1, 1, 1, 0.0),
    Row(384, 3, 1, 1, 2, 0.1),
    Row(256, 3, 1, 1, 2, 0.1, is_pooled=True),
)
# Caffe's "xavier": uniform within sqrt(3 / inputs), where Glorot counts outputs too.
_CAFFE_XAVIER = "lecun_uniform"


def build_alexnet(inputs: tf.Tensor, options: NetworkOptions) -> tf.Tensor:
    """Stacks the layers of table 1.

    Raises:
      InputError: frames too small for three poolings.
    """
    _check_frames("alexnet", inputs, 63)
    x = inputs
    for number, row in enumerate(ALEXNET, start=1):
        name = f"row{number}"
        if isinstance(row, str):
            x = keras.layers.MaxPooling2D(3, 2, name=name)(x)
        else:
            filters = options.scaled(row[0])
            x = blocks.conv_bn(x, filters, *row[1:], options.l2, name=name)
    return _fully_connected(x, options, _plain_dense(options))


def build_vgg(inputs: tf.Tensor, options: NetworkOptions) -> tf.Tensor:
    """Stacks the layers of configuration D.

    Raises:
      InputError: frames too small for five poolings.
    """
    _check_frames("vgg", inputs, 2 ** len(VGG))
    x = inputs
    for stage, (num_filters, num_convolutions) in enumerate(VGG, start=1):
        filters = options.scaled(num_filters)
        for i in range(1, num_convolutions + 1):
            name = f"stage{stage}_{i}"
            x = blocks.conv_bn(x, filters, 3, 1, 1, options.l2, name=name)
        x = keras.layers.MaxPooling2D(2, name=f"stage{stage}_pool")(x)
    return _fully_connected(x, options, _plain_dense(options))


def build_walker(inputs: tf.Tensor, options: NetworkOptions) -> tf.Tensor:
    """Stacks Walker's layers.

    Raises:
      InputError: frames smaller than the first window.
    """
    _check_frames("walker", inputs, WALKER[0].kernel)
    # Back to 0..255 around the mean: at a 255th of it the normalisation does nothing.
    x = keras.layers.Rescaling(255.0, name="scaled")(inputs)
    for number, row in enumerate(WALKER, start=1):
        name = f"row{number}"
        x = _grouped_convolution(x, row, options, name)
        if row.is_normalized:
            x = LocalResponseNorm(name=f"{name}_norm")(x)
        if row.is_pooled:
            # On an even side "same" pads one pixel, at the end only: Caffe's rounding.
            x = keras.layers.MaxPooling2D(3, 2, padding="same", name=f"{name}_pool")(x)

    def dense(units: int, name: str, activation: str | None = None) -> Any:
        bias = 0.1 if activation else 0.0
        kernel = _caffe_kernel(options, bias)
        return keras.layers.Dense(units, activation, name=name, **kernel)

    return _fully_connected(x, options, dense)


class LocalResponseNorm(keras.layers.Layer):
    """Krizhevsky's normalisation across neighbouring channels, with Caffe's settings.

    y_c = x_c / (1 + alpha / 5 * sum of x_j^2 over |j - c| <= 2)^0.75, alpha 1e-4. Caffe
    divides alpha by the size of the window, TensorFlow does not. In float32 whatever
    the precision policy: squares of hundreds overflow float16.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """[B, H, W, C] -> the same shape, float32."""
        return tf.nn.local_response_normalization(
            inputs, depth_radius=2, bias=1.0, alpha=1e-4 / 5, beta=0.75
        )


def _check_frames(name: str, inputs: tf.Tensor, smallest: int) -> None:
    if inputs.shape[1] < smallest:
        raise InputError(
            f"{name} needs frames of {smallest} pixels, found {inputs.shape[1]}"
        )


def _fully_connected(
    x: tf.Tensor, options: NetworkOptions, dense: Callable[..., Any]
) -> tf.Tensor:
    """Table 1's last layers, with dropout after two: [B, h, w, C] -> [B, g * g * K]."""
    x = keras.layers.Flatten(name="flat")(x)
    for name in ("fc6", blocks.FEATURES):
        x = dense(options.scaled(NUM_UNITS), name=name, activation="relu")(x)
        x = blocks.CountedDropout(options.dropout, name=f"{name}_dropout")(x)
    num_scores = options.grid_size**2 * options.num_clusters
    return dense(num_scores, name=blocks.SCORES)(x)


def _plain_dense(options: NetworkOptions) -> Callable[..., Any]:
    return functools.partial(keras.layers.Dense, **blocks.kernel_options(options.l2))


def _grouped_convolution(
    x: tf.Tensor, row: Row, options: NetworkOptions, name: str
) -> tf.Tensor:
    # TensorFlow has no gradient of grouped convolutions on CPUs: convolve each half.
    filters = options.scaled(row.filters // 2) * 2 // row.num_groups
    split = functools.partial(tf.split, num_or_size_splits=row.num_groups, axis=-1)
    halves = keras.layers.Lambda(split, name=f"{name}_groups")(x)
    parts = [
        blocks.PaddedConv2D(
            filters,
            row.kernel,
            pad=row.pad,
            strides=row.stride,
            activation="relu",
            name=f"{name}_conv{i}",
            **_caffe_kernel(options, row.bias),
        )(part)
        for i, part in enumerate(halves, start=1)
    ]
    return keras.layers.Concatenate(name=name)(parts)


def _caffe_kernel(options: NetworkOptions, bias: float) -> dict[str, Any]:
    return {
        "kernel_initializer": _CAFFE_XAVIER,
        "bias_initializer": keras.initializers.Constant(bias),
        "kernel_regularizer": blocks.l2_penalty(options.l2),
    }
