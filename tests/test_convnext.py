import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import blocks
from motionflow.models.convnext import LayerScale
from motionflow.models.network import build_model

pytestmark = pytest.mark.slow


def build(frame_size=200, grid_size=20, num_clusters=40, **options):
    return build_model(
        "convnext",
        mean_frame=np.full((frame_size, frame_size, 3), 100, np.float32),
        num_clusters=num_clusters,
        grid_size=grid_size,
        **options,
    )


def spread(model, stddev=0.3):
    """Weights as after a training: no factor of a millionth hides a block."""
    random = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign_add(random.normal(0, stddev, weight.shape))
    return model


def test_the_parameters():
    def block(c):  # depthwise, 1x1 to 4c, 1x1 to c, each with a bias
        return (49 * c + c) + (4 * c * c + 4 * c) + (4 * c * c + c)

    expected = 75 * 64 + 64 + 2 * block(64)
    expected += 4 * 64 * 384 + 384 + 5 * block(384)
    expected += 384 * 40 + 40
    assert expected == 6_195_368 < 7_159_848  # no more than allconv's
    with tf.Graph().as_default():
        assert blocks.count_parameters(build()) == expected


def test_every_convolution_has_its_output():
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    shapes = [
        layer.output_shape[1:]
        for layer in build(width=1 / 16).layers
        if isinstance(layer, kinds)
    ]
    early = 2 * [(40, 40, 4), (40, 40, 16), (40, 40, 4)]
    late = 5 * [(20, 20, 24), (20, 20, 96), (20, 20, 24)]
    assert shapes == [(40, 40, 4), *early, (20, 20, 24), *late, (20, 20, 40)]


def normalized_by_hand(x):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)


def depthwise_by_hand(x, kernel, bias):
    height, width, _ = x.shape
    padded = np.pad(x, [(3, 3), (3, 3), (0, 0)])
    return bias + sum(
        padded[i : i + height, j : j + width] * kernel[i, j, :, 0]
        for i in range(7)
        for j in range(7)
    )


def gelu_by_hand(x):
    return x * stats.norm.cdf(x)


def test_a_block_by_hand():
    model = spread(build(40, 4, width=0.1))
    adds = [x for x in model.layers if isinstance(x, keras.layers.Add)]
    before, after = adds[0].input[0], adds[0].output
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    convolutions = [x for x in model.layers if isinstance(x, kinds)]
    depthwise, widen, narrow = convolutions[1:4]
    norm = [x for x in model.layers if isinstance(x, keras.layers.LayerNormalization)]
    scale = next(x for x in model.layers if isinstance(x, LayerScale))
    frames = np.random.default_rng(1).uniform(0, 255, (1, 40, 40, 3))
    x, found = keras.Model(model.input, [before, after])(frames.astype(np.float32))
    x = x[0].numpy().astype(float)
    y = depthwise_by_hand(x, *depthwise.get_weights())
    gamma, beta = norm[1].get_weights()
    y = normalized_by_hand(y) * gamma + beta
    kernel, bias = widen.get_weights()
    y = gelu_by_hand(y @ kernel[0, 0] + bias)
    kernel, bias = narrow.get_weights()
    expected = x + (y @ kernel[0, 0] + bias) * scale.scale.numpy()
    np.testing.assert_allclose(found[0], expected, atol=1e-4)
    assert np.abs(expected - x).max() > 0.1


def test_blocks_start_as_identity():
    model = build(40, 4, width=0.1)
    add = next(x for x in model.layers if isinstance(x, keras.layers.Add))
    frames = np.random.default_rng(1).uniform(0, 255, (1, 40, 40, 3))
    parts = keras.Model(model.input, [add.input[0], add.output])
    before, after = parts(frames.astype(np.float32))
    np.testing.assert_allclose(before, after, atol=1e-5)
    assert np.any(before != after)


def test_a_cell_is_its_own_10x10_pixels():
    # With the blocks' factors at zero nothing but the patches is left.
    model = spread(build(60, 6, num_clusters=2, width=0.1))
    for layer in model.layers:
        if isinstance(layer, LayerScale):
            layer.scale.assign(tf.zeros_like(layer.scale))
    frames = np.full((2, 60, 60, 3), 100, np.float32)
    frames[1, 10:20, 50:60] = 255  # row 1, column 5
    logits = model(frames).numpy()
    changed = np.flatnonzero(np.abs(logits[1] - logits[0]).max(-1))
    np.testing.assert_array_equal(changed, [1 * 6 + 5])
    # The blocks look around: 7x7 several times is more than this grid.
    logits = spread(build(60, 6, num_clusters=2, width=0.1))(frames).numpy()
    assert np.all(np.abs(logits[1] - logits[0]).max(-1) > 0)


def test_frames_of_a_batch_do_not_see_each_other():
    model = spread(build(20, 2, width=0.1), 0.1)
    frames = np.random.default_rng(0).uniform(0, 255, (3, 20, 20, 3))
    frames = frames.astype(np.float32)
    together = model(frames, training=True)
    alone = model(frames[1:2], training=True)
    np.testing.assert_allclose(alone[0], together[1], atol=1e-4)


def test_every_weight_has_a_gradient_and_l2_reaches_every_kernel():
    model = spread(build(20, 2, width=0.1, l2=1e-4), 0.1)
    frames = np.random.default_rng(0).uniform(0, 255, (4, 20, 20, 3))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(frames, training=True) ** 2)
    gradients = tape.gradient(loss, model.trainable_weights)
    assert all(np.any(gradient) for gradient in gradients)
    assert len(model.losses) == 2 + 7 * 3 + 1


def test_dropout_stands_between_the_features_and_the_scores():
    model = build(20, 2, width=0.1, dropout=0.3)
    *_, features, dropout, scores = [
        x for x in model.layers[:-2] if not isinstance(x, keras.layers.Add)
    ]
    assert features is model.get_layer(blocks.FEATURES)
    assert isinstance(dropout, blocks.CountedDropout) and dropout.rate == 0.3
    assert isinstance(scores, keras.layers.Conv2D) and scores.kernel_size == (1, 1)
    model = build(20, 2, width=0.1)
    *_, scores = (x for x in model.layers if isinstance(x, keras.layers.Conv2D))
    assert model.get_layer(blocks.FEATURES).output is scores.input


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision(policy):
    frames = np.random.default_rng(0).uniform(0, 255, (2, 20, 20, 3))
    frames = frames.astype(np.float32)
    model = spread(build(20, 2, width=0.1), 0.1)
    keras.mixed_precision.set_global_policy(policy)
    try:
        half = build(20, 2, width=0.1)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    half.set_weights(model.get_weights())
    features = half.get_layer(blocks.FEATURES)
    assert features.compute_dtype == policy.removeprefix("mixed_")
    assert half.output.dtype == tf.float32
    expected = model(frames).numpy()
    error = np.abs(half(frames).numpy() - expected).max()
    assert 0 < error < 0.05 * np.abs(expected).max()


def test_what_it_refuses():
    with pytest.raises(InputError, match="literal_head is for allconv"):
        build(20, 2, width=0.1, literal_head=True)
    message = r"20 cells a side lie on frames of 100 pixels: .* frame_size = 10 \*"
    with pytest.raises(InputError, match=message):
        build(100, 20, width=0.1)
