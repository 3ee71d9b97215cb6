import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import blocks
from motionflow.models.fully_connected import LocalResponseNorm
from motionflow.models.network import build_model


def build(frame_size=200, grid_size=20, num_clusters=40, **options):
    mean_frame = np.full((frame_size, frame_size, 3), 100, np.float32)
    return build_model(
        "walker",
        mean_frame=mean_frame,
        num_clusters=num_clusters,
        grid_size=grid_size,
        **options,
    )


def test_the_parameters_of_the_public_files():
    # kernel * kernel * in * out + out; two halves see half of the channels each, and
    # 6x6x256 numbers reach the first fully connected layer.
    rows = [(121, 3, 96), (25, 48, 256), (9, 256, 384), (9, 192, 384), (9, 192, 256)]
    rows += [(36, 256, 4096), (1, 4096, 4096), (1, 4096, 16000)]
    assert sum(k * i * o + o for k, i, o in rows) == 122_420_224
    # In a graph the weights are declared but not filled: no 490 MB of random numbers.
    with tf.Graph().as_default():
        assert blocks.count_parameters(build()) == 122_420_224


def test_every_layer_has_the_output_of_caffe():
    kinds = (keras.layers.Conv2D, keras.layers.MaxPooling2D, keras.layers.Dense)
    shapes = [
        layer.output_shape[1:]
        for layer in build(width=1 / 16).layers
        if isinstance(layer, kinds)
    ]
    # Caffe: (200 - 11) // 4 + 1 = 48; poolings ceil((n - 3) / 2) + 1.
    assert shapes == [
        (48, 48, 6),
        (24, 24, 6),
        (24, 24, 8),
        (24, 24, 8),
        (12, 12, 16),
        (12, 12, 24),
        (12, 12, 12),
        (12, 12, 12),
        (12, 12, 8),
        (12, 12, 8),
        (6, 6, 16),
        (256,),
        (256,),
        (16000,),
    ]


def normalised_by_hand(x):
    """Krizhevsky 2012, section 3.3, with Caffe's k = 1 and alpha / n."""
    out = np.empty_like(x)
    channels = x.shape[-1]
    for c in range(channels):
        total = 0.0
        for j in range(max(0, c - 2), min(channels, c + 3)):
            total = total + x[..., j] ** 2
        out[..., c] = x[..., c] / (1 + 1e-4 / 5 * total) ** 0.75
    return out


def test_local_response_normalisation_is_the_papers():
    x = np.random.default_rng(0).normal(0, 200, (2, 3, 3, 9)).astype(np.float32)
    out = LocalResponseNorm()(x).numpy()
    np.testing.assert_allclose(out, normalised_by_hand(x.astype(float)), rtol=1e-4)
    # One channel of 100 alone: 100 / (1 + 2e-5 * 10000)^0.75 = 100 / 1.2^0.75.
    alone = LocalResponseNorm()(np.full((1, 1, 1, 1), 100, np.float32)).numpy()
    assert alone.item() == pytest.approx(87.2203, abs=1e-3)


def test_normalisation_is_float32_under_any_policy():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        layer = LocalResponseNorm()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    # 300^2 is beyond float16: 300 / (1 + 2e-5 * 3 * 90000)^0.75 at the first channel.
    out = layer(tf.fill([1, 1, 1, 5], tf.constant(300, tf.float16)))
    assert out.dtype == tf.float32
    np.testing.assert_allclose(out[0, 0, 0, 0], 300 / 6.4**0.75, rtol=1e-5)


def test_the_order_of_layers():
    names = [type(layer).__name__ for layer in build(64, 3, width=0.05).layers]
    short = {
        "PaddedConv2D": "C",
        "LocalResponseNorm": "N",
        "MaxPooling2D": "P",
        "Dense": "D",
        "CountedDropout": "d",
    }
    assert "".join(short.get(name, "") for name in names) == "CNPCCNPCCCCCPDdDdD"
    assert "BatchNormalization" not in names


def forward_by_hand(model, frame):
    """The convolutions, by a loop over windows in float64; [S, S, 3] -> pool5."""
    layers = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    weights = [[w.numpy().astype(float) for w in layer.weights] for layer in layers]

    def convolve(x, kernel, bias, stride, pad):
        x = np.pad(x, [(pad, pad), (pad, pad), (0, 0)])
        k = len(kernel)
        size = (len(x) - k) // stride + 1
        out = np.empty((size, size, kernel.shape[-1]))
        for i in range(size):
            for j in range(size):
                at = x[i * stride : i * stride + k, j * stride : j * stride + k]
                out[i, j] = np.tensordot(at, kernel, 3) + bias
        return np.maximum(out, 0)

    def pool(x):
        size = -(-(len(x) - 3) // 2) + 1
        windows = [[x[2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max((0, 1))
                    for j in range(size)] for i in range(size)]  # fmt: skip
        return np.array(windows)

    def halves(x, first, second, pad):
        half = x.shape[-1] // 2
        parts = (
            convolve(x[..., :half], *first, 1, pad),
            convolve(x[..., half:], *second, 1, pad),
        )
        return np.concatenate(parts, axis=-1)

    x = convolve(frame.astype(float) - 100, *weights[0], 4, 0)
    x = pool(normalised_by_hand(x))
    x = pool(normalised_by_hand(halves(x, weights[1], weights[2], 2)))
    x = convolve(x, *weights[3], 1, 1)
    x = halves(x, weights[4], weights[5], 1)
    return pool(halves(x, weights[6], weights[7], 1))


def test_the_convolutions_by_hand():
    # 67 -> 15 -> 7 -> 3 -> 1: odd sides, where Caffe pads nothing. 72 -> 16 -> 8 -> 4.
    model = build(72, 3, width=1 / 32)
    frame = np.random.default_rng(0).integers(0, 256, (72, 72, 3)).astype(np.uint8)
    pools = [x for x in model.layers if isinstance(x, keras.layers.MaxPooling2D)]
    inside = keras.Model(model.input, pools[-1].output)
    found = inside(frame[None])[0]
    expected = forward_by_hand(model, frame)
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_biases_start_as_in_the_public_files():
    layers = build(64, 3, width=0.05).layers
    kinds = (keras.layers.Conv2D, keras.layers.Dense)
    biases = [x.bias.numpy() for x in layers if isinstance(x, kinds)]
    starts = [0, 0.1, 0.1, 0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0]
    for bias, start in zip(biases, starts, strict=True):
        np.testing.assert_allclose(bias, start)


def test_every_weight_has_a_gradient():
    model = build(64, 3, width=0.05)
    frames = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(frames, training=True) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(np.any(gradient) for gradient in gradients)


def test_what_it_refuses():
    with pytest.raises(InputError, match="literal_head is for allconv"):
        build(64, 3, width=0.05, literal_head=True)
    with pytest.raises(InputError, match="11 pixels, found 10"):
        build(10, 3, width=0.05)
    assert build(11, 3, width=0.05).output_shape == (None, 1, 3, 3, 40)


def test_its_features_are_fc7():
    model = build(64, 3, width=0.05)
    dense = [x for x in model.layers if isinstance(x, keras.layers.Dense)]
    assert model.get_layer(blocks.FEATURES) is dense[1]
