import time

import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.models import network_names
from motionflow.models.network import Network, build_model


@pytest.fixture
def model():
    frames = keras.Input((8, 8, 3))
    network = Network(frames, keras.layers.Conv2D(2, 3)(frames))
    network.compile("sgd", "mse")
    return network


def test_an_empty_batch_has_no_predictions(model):
    assert model(np.zeros((0, 8, 8, 3), np.float32)).shape == (0, 6, 6, 2)
    frames = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(model(frames), model(frames, training=True), atol=1e-6)


def test_the_clock_counts_waiting_for_batches_and_not_the_steps(model):
    def slow():
        for _ in range(4):
            time.sleep(0.2)
            yield np.zeros((1, 8, 8, 3)), np.zeros((1, 6, 6, 2))

    signature = (tf.TensorSpec((1, 8, 8, 3)), tf.TensorSpec((1, 6, 6, 2)))
    batches = tf.data.Dataset.from_generator(slow, output_signature=signature)
    history = model.fit(batches, steps_per_epoch=4, verbose=0).history
    assert np.isfinite(history["loss"])
    waited = model.input_clock.read()
    assert 0.8 <= waited < 8
    assert model.input_clock.read() == 0


def test_fit_gives_what_keras_own_step_gives(model):
    plain = keras.Model(model.input, model.output)
    copy = keras.models.clone_model(plain)
    copy.set_weights(model.get_weights())
    copy.compile("sgd", "mse")
    random = np.random.default_rng(0)
    x, y = random.normal(size=(6, 8, 8, 3)), random.normal(size=(6, 6, 6, 2))
    ours, theirs = (
        m.fit(x, y, batch_size=2, shuffle=False, epochs=2, verbose=0).history
        for m in (model, copy)
    )
    assert ours == theirs
    for a, b in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


SIZES = {"convnext": (40, 4)}  # of the frame and the grid; for others, allconv's
TARGETS = {"dense": {"dense_size": 36}, "sequence": {"sequence_length": 2}}
TARGETS["dense_sequence"] = TARGETS["dense"] | TARGETS["sequence"]


@pytest.mark.slow
@pytest.mark.parametrize("name", network_names())
def test_no_name_depends_on_what_was_built_before(name):
    """Gradients are added up in the order of names: of "conv_10" before "conv_9"."""

    def names():
        size, grid = SIZES.get(name, (72, 4))
        model = build_model(
            name,
            mean_frame=np.zeros((size, size, 3), np.float32),
            num_clusters=5,
            grid_size=grid,
            width=0.02,
            dropout=0.3,
            **TARGETS.get(name, {}),
        )
        seen = [layer for layer in model.submodules if hasattr(layer, "name")]
        return [layer.name for layer in seen] + [w.name for w in model.weights]

    before = names()
    assert len(before) > 20 and len(set(before)) > 10
    assert names() == before
