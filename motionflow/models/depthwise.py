"""Depthwise convolutions whose gradients are fast in low precision on a CPU, too."""

from typing import Any

import tensorflow as tf

from motionflow.compat import keras


class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Keras' own with the gradients of `depthwise`."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """[B, h, w, C] -> [B, h', w', C]."""
        kernel = tf.convert_to_tensor(self.depthwise_kernel)
        outputs = depthwise(inputs, kernel, self.strides, self.padding.upper())
        return tf.nn.bias_add(outputs, self.bias) if self.use_bias else outputs


def depthwise(
    inputs: tf.Tensor, kernel: tf.Tensor, strides: tuple[int, int], padding: str
) -> tf.Tensor:
    """Depthwise convolution whose gradients are fast in low precision, too.

    On a CPU they are computed in float32: in bfloat16 TensorFlow takes four to six
    times as long for those of large maps, though not for the convolution itself.

    Args:
      inputs: [B, h, w, C].
      kernel: [k, k, C, 1], of the same type.
      strides: of rows and columns.
      padding: "SAME" or "VALID".

    Returns:
      [B, h', w', C].
    """
    options: dict[str, Any] = {"strides": [1, *strides, 1], "padding": padding}

    def convolve(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return tf.nn.depthwise_conv2d(inputs, kernel, **options)

    if inputs.dtype == tf.float32 or not is_on_cpu():
        return convolve(inputs, kernel)

    @tf.custom_gradient
    def convolve_low(inputs: tf.Tensor, kernel: tf.Tensor) -> tuple:
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            x, w, dy = (tf.cast(t, tf.float32) for t in (inputs, kernel, upstream))
            dx = tf.nn.depthwise_conv2d_backprop_input(tf.shape(x), w, dy, **options)
            dw = tf.nn.depthwise_conv2d_backprop_filter(x, w.shape, dy, **options)
            return tf.cast(dx, inputs.dtype), tf.cast(dw, kernel.dtype)

        return convolve(inputs, kernel), gradients

    return convolve_low(inputs, kernel)


def is_on_cpu() -> bool:
    """Whether networks are computed on CPUs: there is nothing else."""
    return not any(map(tf.config.list_logical_devices, ("GPU", "TPU")))
