import numpy as np
import pytest
import tensorflow as tf
from scipy.signal import correlate2d

from motionflow.compat import keras
from motionflow.models import NetworkOptions, blocks


@pytest.mark.parametrize("kernel,stride,pad", [(7, 4, 2), (3, 2, 1), (4, 1, 0)])
def test_padded_convolution_is_scipys_correlation_of_the_padded_image(
    kernel, stride, pad
):
    random = np.random.default_rng(0)
    image = random.normal(size=(1, 20, 20, 2)).astype(np.float32)
    layer = blocks.PaddedConv2D(3, kernel, pad=pad, strides=stride)
    answer = layer(image)[0].numpy()
    weights = layer.kernel.numpy()
    padded = np.pad(image[0], [(pad, pad), (pad, pad), (0, 0)])
    for output in range(3):
        expected = sum(
            correlate2d(padded[..., c], weights[..., c, output], "valid")
            for c in range(2)
        )[::stride, ::stride]
        np.testing.assert_allclose(answer[..., output], expected, atol=1e-4)


def test_padded_convolution_announces_the_shape_that_it_gives():
    inputs = keras.Input((20, 21, 2))
    layer = blocks.PaddedConv2D(3, 3, pad=1, strides=2)
    assert layer(inputs).shape == (None, 10, 11, 3)
    assert layer(np.zeros((2, 20, 21, 2), np.float32)).shape == (2, 10, 11, 3)


def test_a_copy_from_the_config_pads_as_well():
    layer = blocks.PaddedConv2D(3, 3, pad=2, strides=1)
    copy = blocks.PaddedConv2D.from_config(layer.get_config())
    assert copy(np.zeros((1, 5, 5, 1), np.float32)).shape == (1, 7, 7, 3)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_standardize_by_hand_in_float32(policy):
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        layer = blocks.Standardize()
        layer.build((None, 1, 2, 3))
    finally:
        keras.mixed_precision.set_global_policy(before)
    layer.mean_frame.assign([[[0, 100, 255], [1, 2, 3]]])
    frames = tf.constant([[[[255, 100, 0], [1, 53, 54]]]], tf.float32)
    answer = layer(frames)
    assert answer.dtype == tf.float32
    np.testing.assert_allclose(answer[0, 0], [[1, 0, -1], [0, 0.2, 0.2]], atol=1e-7)
    assert not layer.trainable_weights


def test_dropout_drops_its_share_and_keeps_the_mean():
    dropout = blocks.CountedDropout(0.3)
    ones = tf.ones((100, 1000))
    answer = dropout(ones, training=True).numpy()
    assert abs(np.mean(answer == 0) - 0.3) < 0.01
    # The share is a multiple of 2^-16.
    np.testing.assert_allclose(answer[answer != 0], 1 / 0.7, rtol=1e-5)
    np.testing.assert_array_equal(dropout(ones, training=False), ones)
    np.testing.assert_array_equal(dropout(ones), ones)


def test_dropout_of_whole_maps_leaves_no_map_in_part():
    dropout = blocks.CountedDropout(0.3, whole_maps=True)
    answer = dropout(tf.ones((50, 3, 4, 40)), training=True).numpy()
    is_dropped = (answer == 0).all(axis=(1, 2))
    np.testing.assert_allclose(answer.min(axis=(1, 2))[~is_dropped], 1 / 0.7, rtol=1e-5)
    # Each frame has its own: 2,000 draws.
    assert abs(is_dropped.mean() - 0.3) < 0.05
    assert (is_dropped[0] != is_dropped[1]).any()


def test_dropout_masks_differ_by_step_and_layer_and_follow_from_the_weights():
    first, second = blocks.CountedDropout(0.5), blocks.CountedDropout(0.5)
    ones = tf.ones((1, 200))
    masks = [first(ones, training=True).numpy() for _ in range(2)]
    assert (masks[0] != masks[1]).any()
    assert (masks[0] != second(ones, training=True).numpy()).any()
    second.set_weights([first.get_weights()[0] - [0, 1]])
    np.testing.assert_array_equal(second(ones, training=True), masks[1])


def test_conv_bn_is_the_formula_in_inference():
    inputs = keras.Input((6, 6, 2))
    model = keras.Model(inputs, blocks.conv_bn(inputs, 4, 3, 1, 1, name="a"))
    assert [type(layer).__name__ for layer in model.layers[1:]] == [
        "PaddedConv2D",
        "BatchNormalization",
        "ReLU",
    ]
    random = np.random.default_rng(0)
    gamma, beta, mean = random.normal(size=(3, 4))
    variance = random.uniform(0.5, 2, 4)
    model.layers[2].set_weights([gamma, beta, mean, variance])
    image = random.normal(size=(1, 6, 6, 2)).astype(np.float32)
    before = model.layers[1](image).numpy()
    expected = np.maximum(gamma * (before - mean) / np.sqrt(variance + 1e-5) + beta, 0)
    np.testing.assert_allclose(model(image), expected, atol=1e-5)


def test_moving_averages_take_a_tenth_of_each_batch():
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, blocks.conv_bn(inputs, 1, 1, 1, 0, name="a"))
    model.layers[1].set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    model(np.full((2, 4, 4, 1), 5.0, np.float32), training=True)
    np.testing.assert_allclose(model.layers[2].moving_mean, [0.5], rtol=1e-6)


def test_conv_bnd_has_dropout_before_the_relu():
    inputs = keras.Input((6, 6, 2))
    model = keras.Model(
        inputs, blocks.conv_bn(inputs, 4, 3, 1, 1, dropout=0.3, name="a")
    )
    kinds = [type(layer).__name__ for layer in model.layers[2:]]
    assert kinds == ["BatchNormalization", "CountedDropout", "ReLU"]


def test_the_gradient_of_the_penalty_is_l2_times_the_kernel():
    inputs = keras.Input((6, 6, 2))
    model = keras.Model(inputs, blocks.conv_bn(inputs, 4, 3, 1, 1, l2=0.01, name="a"))
    kernel = model.layers[1].kernel
    with tf.GradientTape() as tape:
        (penalty,) = model.losses
    np.testing.assert_allclose(
        tape.gradient(penalty, kernel), 0.01 * kernel.numpy(), rtol=1e-6
    )


@pytest.mark.parametrize(
    "num,width,expected", [(96, 1.0, 96), (96, 0.25, 24), (96, 0.001, 1), (10, 0.26, 3)]
)
def test_scaled(num, width, expected):
    assert NetworkOptions(20, 40, width).scaled(num) == expected


def test_the_tilt_is_taken_off_the_predictions_but_not_in_training():
    layer = blocks.Untilt()
    logits = np.float32([[[1, 2, 3], [0, 0, 0]]])
    np.testing.assert_array_equal(layer(logits), logits)
    layer.tilt.assign([1, 0, -1])
    np.testing.assert_array_equal(layer(logits), [[[0, 2, 4], [-1, 0, 1]]])
    np.testing.assert_array_equal(layer(logits, training=True), logits)
    assert not layer.trainable_weights
