"""Batch normalisation that stands still goes into the convolution before it."""

import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import graph, keras
from motionflow.models import normalized
from motionflow.models.network import build_model

EPSILON = 1e-3


def pair(kind, *args, **options):
    """A convolution and its normalisation, with weights unlike those at the start."""
    convolve = kind(*args, use_bias=False, padding="same", name="c", **options)
    norm = normalized.FoldedNorm(epsilon=EPSILON, name="n")
    convolve.fold(norm)
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, norm(convolve(inputs)))
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.uniform(0.5, 2, weight.shape))
    return model, convolve, norm


def frames():
    return np.random.default_rng(1).normal(size=(2, 4, 4, 3)).astype(np.float32)


def by_hand(x, norm):
    gamma, beta, mean, variance = norm.get_weights()
    return gamma * (x - mean) / np.sqrt(variance + EPSILON) + beta


KINDS = [
    # Of one pixel, so that a convolution is a product of matrices, or of channels.
    (normalized.FoldingConv2D, (5, 1), lambda x, k: x @ k[0, 0]),
    (normalized.FoldingDepthwiseConv2D, (1,), lambda x, k: x * k[0, 0, :, 0]),
]


@pytest.mark.parametrize("kind, args, product", KINDS)
def test_it_is_the_convolution_then_its_normalisation(kind, args, product):
    model, convolve, norm = pair(kind, *args)
    expected = by_hand(product(frames(), convolve.get_weights()[0]), norm)
    np.testing.assert_allclose(model(frames()), expected, rtol=1e-5, atol=1e-5)
    # Folded: what lies between the two is normalised already.
    inside = keras.Model(model.input, convolve.output)
    np.testing.assert_allclose(inside(frames()), expected, rtol=1e-5, atol=1e-5)
    before = norm.get_weights()
    norm.trainable = False
    found = model(frames(), training=True)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    for new, old in zip(norm.get_weights(), before, strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize("kind, args, product", KINDS)
def test_in_training_the_batch_normalises(kind, args, product):
    model, convolve, norm = pair(kind, *args)
    gamma, beta, mean, _ = norm.get_weights()
    x = product(frames(), convolve.get_weights()[0])
    axes = (0, 1, 2)
    expected = (x - x.mean(axes)) / np.sqrt(x.var(axes) + EPSILON) * gamma + beta
    found = model(frames(), training=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    moved = 0.99 * mean + 0.01 * x.mean(axes)
    np.testing.assert_allclose(norm.moving_mean, moved, rtol=1e-5, atol=1e-6)


def test_weights_belong_to_their_own_layer():
    _, convolve, norm = pair(normalized.FoldingConv2D, 5, 1)
    assert [weight.name for weight in convolve.weights] == ["c/kernel:0"]
    assert len(norm.weights) == 4


def test_a_kernel_trains_through_a_fixed_normalisation():
    model, convolve, norm = pair(normalized.FoldingConv2D, 5, 1)
    norm.trainable = False
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model(frames(), training=True))
    (found,) = tape.gradient(total, convolve.trainable_weights)
    gamma, _, _, variance = norm.get_weights()
    sums = frames().sum(axis=(0, 1, 2))[:, None]
    expected = sums * gamma / np.sqrt(variance + EPSILON)
    np.testing.assert_allclose(found[0, 0], expected, rtol=1e-4)


def test_copies_are_not_half_folded():
    model, convolve, norm = pair(normalized.FoldingConv2D, 5, 1)
    kinds = {type(one).__name__: type(one) for one in (convolve, norm)}
    with keras.utils.custom_object_scope(kinds):
        copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    np.testing.assert_allclose(copy(frames()), model(frames()), rtol=1e-5, atol=1e-5)


def test_a_frozen_trunk_is_folded_and_nothing_goes_back_through_it():
    model = build_model(
        "guided",
        mean_frame=np.zeros((32, 32, 3), np.float32),
        num_clusters=3,
        grid_size=2,
        width=0.05,
        freeze_trunk=True,
    )
    inputs = tf.zeros((1, 32, 32, 3)), tf.zeros((1, 2, 2, 7))
    targets = tf.zeros((1, 1, 2, 2, 3))
    model.compile("sgd", loss=lambda targets, logits: tf.reduce_mean(logits**2))
    step = graph(model.train_step).get_concrete_function((inputs, targets))
    kinds = [op.type for op in step.graph.get_operations()]
    # A stem, and 16 blocks, of which the first does not widen; its head's 7 norms.
    assert kinds.count("DepthwiseConv2dNative") == 16
    assert not [kind for kind in kinds if "DepthwiseConv2dNativeBackprop" in kind]
    # Of 10 convolutions with a norm in look, and of what is told.
    head = [
        layer
        for layer in model.submodules
        if isinstance(layer, keras.layers.Conv2D)
        and not layer.name.startswith("trunk_")
    ]
    assert kinds.count("Conv2DBackpropFilter") == len(head)
    norms = [kind for kind in kinds if kind == "FusedBatchNormV3"]
    assert len(norms) == len([x for x in head if "look" in x.name or "embed" in x.name])
    assert kinds.count("FusedBatchNormGradV3") == len(norms)
