"""Depthwise convolutions in low precision: their gradients are those of float32."""

import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import graph
from motionflow.models import depthwise as module
from motionflow.models.depthwise import DepthwiseConv2D, depthwise


@pytest.mark.parametrize("strides, padding", [((1, 1), "SAME"), ((2, 2), "SAME")])
def test_low_gradients(strides, padding, monkeypatch):
    monkeypatch.setattr(module, "is_on_cpu", lambda: True)
    random = np.random.default_rng(2)
    x = tf.cast(random.normal(size=(2, 7, 7, 4)), tf.bfloat16)
    kernel = tf.cast(random.normal(size=(3, 3, 4, 1)), tf.bfloat16)

    def gradients(convolve, *values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            # Squares, so that what comes from above differs from place to place.
            total = tf.reduce_sum(tf.cast(convolve(*values), tf.float32) ** 2)
        return tape.gradient(total, values)

    def low(x, kernel):
        return depthwise(x, kernel, strides, padding)

    def exact(x, kernel):
        return tf.nn.depthwise_conv2d(x, kernel, [1, *strides, 1], padding)

    found = gradients(low, x, kernel)
    wide = tf.cast(x, tf.float32), tf.cast(kernel, tf.float32)
    for one, expected in zip(found, gradients(exact, *wide), strict=True):
        assert one.dtype == tf.bfloat16
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            tf.cast(one, tf.float32) / scale, expected / scale, atol=2e-2
        )
    traced = graph(lambda x, kernel: gradients(low, x, kernel))
    types = {
        op.type: op.get_attr("T")
        for op in traced.get_concrete_function(x, kernel).graph.get_operations()
        if "Backprop" in op.type
    }
    assert len(types) == 2 and set(types.values()) == {tf.float32}


def test_the_layer_is_keras_own():
    layer = DepthwiseConv2D(3, padding="same", name="d")
    layer(tf.zeros((1, 5, 5, 2)))
    random = np.random.default_rng(3)
    layer.set_weights([random.normal(size=w.shape) for w in layer.weights])
    x = random.normal(size=(2, 5, 5, 2)).astype(np.float32)
    own = super(DepthwiseConv2D, layer).call(x)
    np.testing.assert_allclose(layer(x), own, rtol=1e-5, atol=1e-6)
    assert [weight.name for weight in layer.weights] == [
        "d/depthwise_kernel:0",
        "d/bias:0",
    ]
