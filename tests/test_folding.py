import numpy as np
import pytest

from motionflow.compat import keras
from motionflow.models.building import build_model
from motionflow.serving.folding import fold

pytestmark = pytest.mark.slow


def built(name, size, grid, **options):
    keras.utils.set_random_seed(0)
    mean_frame = np.full((size, size, 3), 100, np.float32)
    model = build_model(
        name=name,
        num_clusters=4,
        grid_size=grid,
        width=0.05,
        mean_frame=mean_frame,
        **options,
    )
    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # As after a training: nothing is zero or one.
            shape = layer.gamma.shape
            values = [random.uniform(0.5, 2, shape), random.normal(0, 1, shape)]
            values += [random.normal(0, 1, shape), random.uniform(0.1, 3, shape)]
            layer.set_weights(values)
    return model


@pytest.mark.parametrize(
    "name, size, grid, options",
    [
        ("allconv", 64, 3, {"dropout": 0.3}),
        ("allconv", 64, 3, {"literal_head": True}),
        ("alexnet", 200, 20, {}),
        ("walker", 200, 20, {}),
        ("convnext", 30, 3, {}),
        ("efficientnet", 64, 3, {}),
    ],
)
def test_a_folded_network_answers_alike(name, size, grid, options, short_trunk):
    model, folded = (
        built(name, size, grid, **options),
        built(name, size, grid, **options),
    )
    frames = np.random.default_rng(1).uniform(0, 255, (2, size, size, 3))
    frames = frames.astype(np.float32)
    expected = model(frames, training=False).numpy()
    assert fold(folded) is folded
    found = folded(frames, training=False).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    assert np.abs(expected).max() > 0.01


def test_by_hand():
    """(2 x + 1 - 3) * 4 / sqrt(5 + 11) + 6 = 2 x + 4."""
    inputs = keras.Input([1, 1, 1])
    conv = keras.layers.Conv2D(1, 1)
    norm = keras.layers.BatchNormalization(epsilon=11.0)
    model = keras.Model(inputs, norm(conv(inputs)))
    conv.set_weights([np.full((1, 1, 1, 1), 2.0), np.ones(1)])
    norm.set_weights([np.full(1, v) for v in (4.0, 6.0, 3.0, 5.0)])
    fold(model)
    kernel, bias = conv.get_weights()
    assert kernel.ravel() == 2 and bias == 4
    x = np.float32([[[[10.0]]]])
    assert model(x, training=False).numpy().ravel() == 24
