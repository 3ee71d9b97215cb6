"""The network of Walker, Gupta, Hebert 2015, the report's reference [18].

    standardised frames [B, 200, 200, 3] -> scores [B, 16000] (400 cells of 40)

Krizhevsky's AlexNet as the authors' public Caffe files spell it out
(puffin444/optical_flow_prediction, opt_train_coarse_xavier.prototxt). Beside table 1,
the report's network after it (`alexnet.py`):

- local response normalisation after the first two ReLUs instead of batch normalisation;
- the second, fourth and fifth convolutions are two halves side by side, each seeing
  half of the channels;
- no padding before the first convolution, and poolings that round up: 200 -> 48 -> 24
  -> 12 -> 6, so the fully connected layers see 6x6x256 numbers (table 1: 5x5x256);
- frames minus their mean are not divided by 255.

122,420,224 parameters, all but 2.3 million of them fully connected.
"""

import functools
from typing import Any, NamedTuple

import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import blocks

# Caffe's "xavier": uniform within sqrt(3 / inputs), where Glorot counts outputs too.
INITIALIZER = "lecun_uniform"
NUM_UNITS = 4096


class Row(NamedTuple):
    """A convolution with ReLU, then what follows it."""

    filters: int
    kernel: int
    stride: int
    pad: int
    num_groups: int
    bias: float
    is_normalized: bool = False
    is_pooled: bool = False


TABLE = (
    Row(96, 11, 4, 0, 1, 0.0, is_normalized=True, is_pooled=True),
    Row(256, 5, 1, 2, 2, 0.1, is_normalized=True, is_pooled=True),
    Row(384, 3, 1, 1, 1, 0.0),
    Row(384, 3, 1, 1, 2, 0.1),
    Row(256, 3, 1, 1, 2, 0.1, is_pooled=True),
)


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


def build_walker(
    inputs: tf.Tensor,
    grid_size: int,
    num_clusters: int,
    *,
    width: float = 1.0,
    l2: float = 0.0,
    dropout: float = 0.5,
    literal_head: bool = False,
) -> tf.Tensor:
    """Stacks Walker's layers on standardised frames.

    Args:
      inputs: [B, S, S, 3].
      grid_size: cells along one side of the data's grid; any will do.
      num_clusters: K, the size of the codebook.
      width: factor on every number of filters and units but the last.
      l2: weight of the L2 regularisation.
      dropout: share dropped after the first two fully connected layers.
      literal_head: belongs to the report's table 2 and must be False.

    Returns:
      Scores [B, grid_size * grid_size * K].

    Raises:
      InputError: frames smaller than the first window, or `literal_head`.
    """
    if literal_head:
        raise InputError("walker has no literal head: --literal_head is for allconv")
    if inputs.shape[1] < TABLE[0].kernel:
        raise InputError(f"walker needs frames of 11 pixels, found {inputs.shape[1]}")
    # Back to 0..255 around the mean: at a 255th of it the normalisation does nothing.
    x = keras.layers.Rescaling(255.0, name="scaled")(inputs)
    for number, row in enumerate(TABLE, start=1):
        name = f"row{number}"
        x = _convolution(x, row, width, l2, name)
        if row.is_normalized:
            x = LocalResponseNorm(name=f"{name}_norm")(x)
        if row.is_pooled:
            # On an even side "same" pads one pixel, at the end only: Caffe's rounding.
            x = keras.layers.MaxPooling2D(3, 2, padding="same", name=f"{name}_pool")(x)
    x = keras.layers.Flatten(name="flat")(x)
    for name in ("fc6", blocks.FEATURES):
        units = blocks.scaled(NUM_UNITS, width)
        x = _dense(units, l2, bias=0.1, activation="relu", name=name)(x)
        x = blocks.CountedDropout(dropout, name=f"{name}_dropout")(x)
    num_scores = grid_size * grid_size * num_clusters
    return _dense(num_scores, l2, name=blocks.SCORES)(x)


def _convolution(
    x: tf.Tensor, row: Row, width: float, l2: float, name: str
) -> tf.Tensor:
    # TensorFlow has no gradient of grouped convolutions on CPUs: convolve each half.
    filters = blocks.scaled(row.filters // 2, width) * 2 // row.num_groups
    split = functools.partial(tf.split, num_or_size_splits=row.num_groups, axis=-1)
    halves = keras.layers.Lambda(split, name=f"{name}_groups")(x)
    parts = [
        blocks.PaddedConv2D(
            filters,
            row.kernel,
            pad=row.pad,
            strides=row.stride,
            activation="relu",
            kernel_initializer=INITIALIZER,
            bias_initializer=keras.initializers.Constant(row.bias),
            kernel_regularizer=blocks.l2_penalty(l2),
            name=f"{name}_conv{i}",
        )(part)
        for i, part in enumerate(halves, start=1)
    ]
    return keras.layers.Concatenate(name=name)(parts)


def _dense(
    units: int, l2: float, bias: float = 0.0, **options: Any
) -> keras.layers.Layer:
    return keras.layers.Dense(
        units,
        kernel_initializer=INITIALIZER,
        bias_initializer=keras.initializers.Constant(bias),
        kernel_regularizer=blocks.l2_penalty(l2),
        **options,
    )
