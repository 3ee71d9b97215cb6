import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import blocks
from motionflow.models.network import build_model

pytestmark = pytest.mark.slow


def build(frame_size=200, grid_size=20, num_clusters=40, **options):
    return build_model(
        "vgg",
        mean_frame=np.full((frame_size, frame_size, 3), 100, np.float32),
        num_clusters=num_clusters,
        grid_size=grid_size,
        **options,
    )


def test_the_parameters_of_configuration_d():
    # kernel * kernel * in * out + out, in the order of table 1 of Simonyan's paper; its
    # 138 million are for 224x224 frames (7x7x512 into fc6) and 1000 classes.
    rows = [(9, 3, 64), (9, 64, 64), (9, 64, 128), (9, 128, 128)]
    rows += [(9, 128, 256), (9, 256, 256), (9, 256, 256)]
    rows += [(9, 256, 512)] + 5 * [(9, 512, 512)]
    papers = [*rows, (49, 512, 4096), (1, 4096, 4096), (1, 4096, 1000)]
    assert sum(k * i * o + o for k, i, o in papers) == 138_357_544
    rows += [(36, 512, 4096), (1, 4096, 4096), (1, 4096, 16000)]
    assert sum(k * i * o + o for k, i, o in rows) == 172_549_568
    # In a graph the weights are declared but not filled: no 690 MB of random numbers.
    with tf.Graph().as_default():
        assert blocks.count_parameters(build()) == 172_549_568


def test_every_layer_has_the_output_of_configuration_d():
    kinds = (keras.layers.Conv2D, keras.layers.MaxPooling2D, keras.layers.Dense)
    shapes = [
        layer.output_shape[1:]
        for layer in build(width=1 / 64).layers
        if isinstance(layer, kinds)
    ]
    expected = 2 * [(200, 200, 1)] + [(100, 100, 1)]
    expected += 2 * [(100, 100, 2)] + [(50, 50, 2)]
    expected += 3 * [(50, 50, 4)] + [(25, 25, 4)]
    expected += 3 * [(25, 25, 8)] + [(12, 12, 8)]
    expected += 3 * [(12, 12, 8)] + [(6, 6, 8)]
    assert shapes == [*expected, (64,), (64,), (16000,)]


def test_the_order_of_layers():
    short = {
        "PaddedConv2D": "C",
        "BatchNormalization": "N",
        "ReLU": "R",
        "MaxPooling2D": "P",
        "Dense": "D",
        "CountedDropout": "d",
    }
    layers = build(32, 3, width=0.05).layers
    order = "".join(short.get(type(layer).__name__, "") for layer in layers)
    two, three = 2 * "CNR" + "P", 3 * "CNR" + "P"
    assert order == 2 * two + 3 * three + "DdDdD"
    dense = [x for x in layers if isinstance(x, keras.layers.Dense)]
    assert [x.activation.__name__ for x in dense] == ["relu", "relu", "linear"]


def forward_by_hand(model, frame):
    """[S, S, 3] -> last pooling; new normalisations divide by sqrt(1 + 1e-5) only."""
    layers = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    weights = iter([x.numpy().astype(float) for x in y.weights] for y in layers)

    def convolve(x, kernel, bias):
        padded = np.pad(x, [(1, 1), (1, 1), (0, 0)])
        out = np.empty((len(x), len(x), len(bias)))
        for i in range(len(x)):
            for j in range(len(x)):
                out[i, j] = np.tensordot(padded[i : i + 3, j : j + 3], kernel, 3) + bias
        return np.maximum(out / np.sqrt(1 + 1e-5), 0)

    x = (frame.astype(float) - 100) / 255
    for num_convolutions in (2, 2, 3, 3, 3):
        for _ in range(num_convolutions):
            x = convolve(x, *next(weights))
        half = len(x) // 2
        x = x[: 2 * half, : 2 * half]
        x = np.maximum(x[::2], x[1::2])
        x = np.maximum(x[:, ::2], x[:, 1::2])
    return x


def test_the_convolutions_by_hand():
    # 50 -> 25 -> 12 -> 6 -> 3 -> 1: odd sides lose their last row and column.
    model = build(50, 3, width=1 / 16)
    frame = np.random.default_rng(0).integers(0, 256, (50, 50, 3)).astype(np.uint8)
    pools = [x for x in model.layers if isinstance(x, keras.layers.MaxPooling2D)]
    found = keras.Model(model.input, pools[-1].output)(frame[None])[0]
    expected = forward_by_hand(model, frame)
    assert expected.shape == (1, 1, 32) and expected.max() > 1e-4
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * expected.max())


def test_the_frame_arrives_at_the_last_convolution():
    # Without normalisation, the ratio at this width is below a hundredth.
    keras.utils.set_random_seed(0)
    model = build(32, 3, width=1 / 8)
    frames = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3))
    frames = frames.astype(np.float32)
    relus = [x.output for x in model.layers if isinstance(x, keras.layers.ReLU)]
    first, *_, last = keras.Model(model.input, relus)(frames, training=True)
    ratio = np.sqrt(np.mean(np.square(last)) / np.mean(np.square(first)))
    assert 0.5 < ratio < 2


def test_every_kernel_has_a_gradient():
    model = build(32, 3, width=0.05)
    frames = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3))
    kinds = (keras.layers.Conv2D, keras.layers.Dense)
    kernels = [x.kernel for x in model.layers if isinstance(x, kinds)]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(frames, training=True) ** 2)
    assert len(kernels) == 16
    assert all(np.any(gradient) for gradient in tape.gradient(loss, kernels))


def test_l2_reaches_every_kernel():
    with tf.Graph().as_default():
        assert len(build(32, 3, width=0.05, l2=1e-4).losses) == 16


def test_what_it_refuses():
    with pytest.raises(InputError, match="literal_head is for allconv"):
        build(32, 3, width=0.05, literal_head=True)
    with pytest.raises(InputError, match="32 pixels, found 31"):
        build(31, 3, width=0.05)
    assert build(32, 3, width=0.05).output_shape == (None, 1, 3, 3, 40)


def test_its_features_are_fc7():
    model = build(32, 3, width=0.05)
    dense = [x for x in model.layers if isinstance(x, keras.layers.Dense)]
    assert model.get_layer(blocks.FEATURES) is dense[1]
