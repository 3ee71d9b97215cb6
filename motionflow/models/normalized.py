"""Convolutions and the batch normalisation behind them, as one where it stands still.

    x -> convolution -> FoldedNorm

Outside of training, and where it is frozen, batch normalisation is a factor and an
offset for each channel: they go into the kernel and a bias, so that a convolution, its
normalisation and its ReLU are one pass over the map in place of three. The layers and
their weights are those of two layers, whatever is computed.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from motionflow.compat import keras
from motionflow.models.depthwise import depthwise


class FoldedNorm(keras.layers.BatchNormalization):
    """Batch normalisation that leaves its work to the convolution before it.

    Attributes:
      is_folded: whether there is one that does it, see `Folding.fold`.
    """

    is_folded = False

    def is_fixed(self, training: bool | None) -> bool:
        """Whether it is a factor and an offset only, which do not train."""
        return self.built and not (training and self.trainable)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """What Keras' gives, or the inputs where they are normalised already."""
        if self.is_folded and self.is_fixed(training):
            return inputs
        return super().call(inputs, training=training)

    def line(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Factor and offset of each channel, float32 [C]."""
        factor = self.gamma * tf.math.rsqrt(self.moving_variance + self.epsilon)
        return factor, self.beta - self.moving_mean * factor


class _Folding(keras.layers.Layer):
    """A convolution without bias; `kernel_shape` of the channels it makes."""

    _norm: Callable[[], FoldedNorm] | None = None

    def fold(self, norm: FoldedNorm) -> None:
        """Does the work of the normalisation behind it, where that is fixed."""
        norm.is_folded = True
        # In a function, so that Keras does not take its weights for this layer's.
        self._norm = lambda: norm

    def add_weight(self, *args: Any, **kwargs: Any) -> tf.Variable:
        """Keras' own, read in float32: a kernel is rounded once, when folded."""
        return super().add_weight(*args, experimental_autocast=False, **kwargs)

    def _convolve(
        self, inputs: tf.Tensor, kernel: tf.Tensor, training: bool | None
    ) -> tf.Tensor:
        norm = self._norm and self._norm()
        if not norm or not norm.is_fixed(training):
            return self.convolution_op(inputs, tf.cast(kernel, inputs.dtype))
        factor, offset = norm.line()
        # Of a depthwise kernel [k, k, C, 1], otherwise [k, k, C, filters].
        factor = tf.reshape(factor, self.factor_shape)
        outputs = self.convolution_op(inputs, tf.cast(kernel * factor, inputs.dtype))
        return tf.nn.bias_add(outputs, tf.cast(offset, inputs.dtype))


class FoldingConv2D(_Folding, keras.layers.Conv2D):
    """A convolution, see the module."""

    factor_shape = (-1,)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """[B, h, w, C] -> [B, h', w', filters]."""
        return self._convolve(inputs, self.kernel, training)


class FoldingDepthwiseConv2D(_Folding, keras.layers.DepthwiseConv2D):
    """A depthwise convolution, see the module."""

    factor_shape = (-1, 1)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """[B, h, w, C] -> [B, h', w', C]."""
        return self._convolve(inputs, self.depthwise_kernel, training)

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Without normalisation."""
        return depthwise(inputs, kernel, self.strides, self.padding.upper())
