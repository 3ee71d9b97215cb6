"""The layers that networks are made of.

    frames [B, S, S, 3] in 0..255 -> Standardize -> ConvBN / ConvBND -> ... -> scores

ConvBN is convolution, spatial batch normalisation, ReLU; ConvBND has dropout between
the normalisation and the ReLU (tables 1 and 2 of the report). The report's networks ran
in Torch7, whose conventions are kept where Keras has others:

- symmetric padding of exactly `pad` pixels on each side; Keras' "same" pads unevenly
  when the stride is not 1;
- convolutions have a bias although batch normalisation follows;
- batch normalisation averages with momentum 0.1 (Keras counts the other way: 0.9) and
  epsilon 1e-5. Keras' own 0.99 needs hundreds of steps before its moving averages mean
  anything, more than a short training has;
- weights start with Xavier (Glorot) initialisation.
"""

import random
from typing import Any

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.models import NetworkOptions

INITIALIZER = "glorot_uniform"
# Name of the layer whose output the scores are made from; every network has one.
FEATURES = "features"
SCORES = "scores"  # name of the layer that makes them
TRUNK = "trunk_"  # how names of layers begin that can be loaded and frozen


class Standardize(keras.layers.Layer):
    """(frame - mean_frame) / 255, in float32 whatever the precision policy.

    The mean is a weight that training leaves alone, so checkpoints and exports carry
    it and nobody can feed a frame wrongly. Input [B, S, S, 3] in 0..255, output in
    [-1, 1].
    """

    def __init__(self, **kwargs: Any):
        super().__init__(dtype="float32", **kwargs)

    def build(self, input_shape: tf.TensorShape) -> None:
        """Creates the mean frame, zero until `mean_frame.assign` sets it."""
        self.mean_frame = self.add_weight(
            name="mean_frame",
            shape=input_shape[1:],
            initializer="zeros",
            trainable=False,
        )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Frames [B, S, S, 3] -> standardised frames, float32."""
        return (inputs - self.mean_frame) / 255.0


class PaddedConv2D(keras.layers.Conv2D):
    """Convolution that pads `pad` zeros on each of the four sides.

    As Torch7 does; Keras' own "same" pads unevenly where the stride is not 1.
    """

    def __init__(self, filters: int, kernel_size: int, pad: int = 0, **kwargs: Any):
        kwargs["padding"] = "valid"
        super().__init__(filters, kernel_size, **kwargs)
        self.pad = pad

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Overrides how Keras pads; bias, dtype and shapes stay its own."""
        # Explicit paddings are slow on CPUs (oneDNN): "SAME" where it means
        # the same, else zeros around the input.
        pad, padding = [self.pad, self.pad], "VALID"
        if self.strides == (1, 1) and self.kernel_size == (2 * self.pad + 1,) * 2:
            padding = "SAME"
        elif self.pad:
            inputs = tf.pad(inputs, [[0, 0], pad, pad, [0, 0]])
        return tf.nn.conv2d(inputs, kernel, strides=self.strides, padding=padding)

    def compute_output_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        """The shape after padding and convolution."""
        batch, height, width, channels = tf.TensorShape(input_shape).as_list()
        grown = [batch, height + 2 * self.pad, width + 2 * self.pad, channels]
        return super().compute_output_shape(grown)

    def get_config(self) -> dict[str, Any]:
        """Adds `pad`, so that a copy of the layer pads as well."""
        return {**super().get_config(), "pad": self.pad}


class SharedConv2D(keras.layers.Conv2D):
    """A convolution that a network applies at several steps.

    Keras' would add the bias by an operation whose gradient oneDNN merges with the
    kernel's; where three or more of them are added up, it does so in an order that
    changes each time that the step is traced. A plain sum is left alone.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """What Keras' gives, to the last digits."""
        outputs = self.convolution_op(inputs, self.kernel) + self.bias
        return outputs if self.activation is None else self.activation(outputs)


_NUM_DRAWS = 2**16  # that a draw of dropout can be


class CountedDropout(keras.layers.Layer):
    """Dropout whose masks follow from a key and a step counter, both weights.

    Keras' dropout keeps its random state outside checkpoints, so a resumed training
    would draw other masks than an uninterrupted one. Here the state is saved with the
    weights. Replicas of a distribution strategy draw different masks.

    Args:
      rate: share dropped.
      whole_maps: drop a channel of [B, h, w, C] everywhere or nowhere: its neighbours
        would give a single value away (Tompson et al. 2015, arXiv 1411.4280).
    """

    def __init__(self, rate: float, whole_maps: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate, self.whole_maps = rate, whole_maps

    def build(self, input_shape: tf.TensorShape) -> None:
        """Creates the state [key, step]; the key comes from Python's `random`."""
        key = random.getrandbits(31)
        self.state = self.add_weight(
            name="state",
            shape=(2,),
            dtype=tf.int64,
            initializer=lambda shape, dtype: tf.constant([key, 0], dtype),
            trainable=False,
            # Each replica counts the same steps: keep a copy each, save the first.
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Zeroes a share `rate` of the inputs in training and scales up the others."""
        if not training or not self.rate:
            return inputs
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.random.experimental.stateless_fold_in(self.state + 0, replica)
        self.state.assign_add([0, 1])
        shape = tf.shape(inputs)
        if self.whole_maps:
            shape = tf.stack([shape[0], 1, 1, shape[-1]])
        # Two draws of 16 bits from a random number; a factor, for choosing is slow.
        size = tf.reduce_prod(shape)
        numbers = tf.random.stateless_uniform(
            [(size + 1) // 2], seed, minval=None, maxval=None, dtype=tf.uint32
        )
        draws = tf.reshape(tf.bitcast(numbers, tf.uint16), [-1])[:size]
        dropped = round(self.rate * _NUM_DRAWS)
        kept = tf.cast(tf.reshape(draws >= dropped, shape), inputs.dtype)
        return inputs * (kept * (_NUM_DRAWS / (_NUM_DRAWS - dropped)))

    def get_config(self) -> dict[str, Any]:
        """Adds `rate` and `whole_maps`."""
        options = {"rate": self.rate, "whole_maps": self.whole_maps}
        return {**super().get_config(), **options}


class Untilt(keras.layers.Layer):
    """Subtracts a tilt from the logits, but not in training.

    A loss with class weights or adjusted logits teaches a tilted posterior; outside of
    training this gives the probabilities back (see `losses.tilt`).
    """

    def build(self, input_shape: tf.TensorShape) -> None:
        """Creates the tilt [K], zero until it is assigned."""
        self.tilt = self.add_weight(
            name="tilt", shape=input_shape[-1:], initializer="zeros", trainable=False
        )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """[B, T, s, s, K] -> the same shape."""
        return inputs if training else inputs - self.tilt


def add_centers(layer: keras.layers.Layer, num_clusters: int) -> tf.Variable:
    """Gives a layer the codebook float32 [K, 2]: zero until it is assigned, saved."""
    return layer.add_weight(
        name="centers",
        shape=(num_clusters, 2),
        dtype=tf.float32,
        initializer="zeros",
        trainable=False,
        experimental_autocast=False,
    )


def output_size(size: int, kernel: int, stride: int, pad: int) -> int:
    """Pixels along one side after a convolution or pooling."""
    return (size + 2 * pad - kernel) // stride + 1


class _L2(keras.regularizers.Regularizer):
    """0.5 * l2 * |w|^2 in one pass through the weights; Keras' makes their squares."""

    def __init__(self, l2: float):
        self._l2 = l2

    def __call__(self, weights: tf.Tensor) -> tf.Tensor:
        """The penalty, a scalar."""
        return self._l2 * tf.nn.l2_loss(weights)

    def get_config(self) -> dict[str, float]:
        """What it was made with."""
        return {"l2": self._l2}


def l2_penalty(l2: float) -> keras.regularizers.Regularizer | None:
    """L2 regularisation as Torch7 counts it: `l2` * w is added to the gradient of w.

    Torch7's `optim.adam` does that when given weightDecay (`dfdx:add(wd, x)`, before
    the moments), which is the gradient of 0.5 * l2 * |w|^2. It decays every parameter;
    here kernels only, as is usual now: biases and batch normalisation stay free.
    """
    return _L2(l2) if l2 else None


def kernel_options(l2: float) -> dict[str, Any]:
    """How kernels start and decay, for layers of convolutions and dense ones."""
    return {"kernel_initializer": INITIALIZER, "kernel_regularizer": l2_penalty(l2)}


def scores(inputs: tf.Tensor, options: NetworkOptions) -> tf.Tensor:
    """A linear classifier in each cell: [B, h, w, C] -> [B, h, w, K]."""
    kernel = kernel_options(options.l2)
    return PaddedConv2D(options.num_clusters, 1, name=SCORES, **kernel)(inputs)


def batch_norm(
    name: str, epsilon: float = 1e-5, kind: type = keras.layers.BatchNormalization
) -> Any:
    """Batch normalisation as the module says."""
    # Replicas share their statistics: what is learned depends on the batch only. One
    # device computes the same with a faster kernel.
    is_shared = tf.distribute.get_strategy().num_replicas_in_sync > 1
    return kind(momentum=0.9, epsilon=epsilon, synchronized=is_shared, name=name)


def conv_bn(
    inputs: tf.Tensor,
    filters: int,
    kernel: int,
    stride: int,
    pad: int,
    l2: float = 0.0,
    dropout: float = 0.0,
    *,
    name: str,
) -> tf.Tensor:
    """ConvBN, or ConvBND where `dropout` is above zero: [B, h, w, filters].

    Names of its layers begin with `name`, which is the ReLU's.
    """
    x = PaddedConv2D(
        filters,
        kernel,
        pad=pad,
        strides=stride,
        name=f"{name}_conv",
        **kernel_options(l2),
    )(inputs)
    x = batch_norm(name=f"{name}_norm")(x)
    if dropout:
        x = CountedDropout(dropout, name=f"{name}_dropout")(x)
    return keras.layers.ReLU(name=name)(x)


def count_parameters(model: keras.Model) -> int:
    """Convolution and dense weights and biases, the numbers that papers compare.

    Batch normalisation, the mean frame and the dropout state do not count.
    """
    kinds = keras.layers
    counted = (kinds.Conv2D, kinds.DepthwiseConv2D, kinds.Dense)
    return sum(
        int(np.prod(weight.shape))
        for layer in model.submodules
        if isinstance(layer, counted)
        for weight in layer.weights
    )
