import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.models.network import build_model
from motionflow.models.run_dir import RunDir
from motionflow.serving import saved_model
from motionflow.serving.exporting import export_model
from tests import served, tiny_run

pytestmark = pytest.mark.slow


def test_the_labels_are_the_flow_vectors():
    assert saved_model.labels(tiny_run.CENTERS) == (
        "0 +0.000 +0.000\n"
        "1 +2.000 +0.000\n"
        "2 -2.000 +0.000\n"
        "3 +0.000 +3.000\n"
        "4 +0.000 -3.000\n"
    )


@pytest.mark.parametrize("place", ["weights", "codebook"])
def test_an_export_that_answers_otherwise_never_appears(
    place, run_dir, tmp_path, monkeypatch
):
    make = saved_model.make_signatures

    def spoiled(model, centers):
        if place == "codebook":
            return make(model, centers + np.float32(0.01))
        kernel = model.trainable_weights[0]
        kernel.assign_add(tf.ones_like(kernel))
        return make(model, centers)

    real_save = tf.saved_model.save

    def save_then_restore(module, path, signatures):
        real_save(module, path, signatures=signatures)
        if place == "weights":
            kernel = next(w for w in module.weights if "kernel" in w.name)
            kernel.assign_sub(tf.ones_like(kernel))

    monkeypatch.setattr(saved_model, "make_signatures", spoiled)
    monkeypatch.setattr(tf.saved_model, "save", save_then_restore)
    with pytest.raises(RuntimeError, match="of the export is off by"):
        export_model(run_dir, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_told_otherwise_is_found(guided_version, guided_run_dir, monkeypatch):
    hints_of, run = saved_model.inputs.hints_of, RunDir.open(guided_run_dir)

    def without_pins(*arguments):
        hints = hints_of(*arguments)
        return hints._replace(num_pins=0 * hints.num_pins)

    monkeypatch.setattr(saved_model.inputs, "hints_of", without_pins)
    again = served.loaded(guided_version)
    monkeypatch.setattr(tf.saved_model, "load", lambda path: again)
    with pytest.raises(RuntimeError, match="guided.* of the export is off by"):
        saved_model.check(guided_version, run.load_model(), run.codebook.centers)


def test_what_the_server_would_refuse_never_appears(run_dir, tmp_path, monkeypatch):
    make = saved_model.make_signatures

    def with_python(model, centers):
        @tf.function(input_signature=[tf.TensorSpec([None, 4], name="image")])
        def python(image):
            flow = tf.numpy_function(np.sin, [image], tf.float32)
            return {"flow": tf.ensure_shape(flow, [None, 4])}

        return make(model, centers) | {"extra": python.get_concrete_function()}

    monkeypatch.setattr(saved_model, "make_signatures", with_python)
    with pytest.raises(RuntimeError, match="would refuse it: the operation PyFunc"):
        export_model(run_dir, tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- folding ---------------------------------------------------------------------


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
    assert saved_model.fold(folded) is folded
    found = folded(frames, training=False).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    assert np.abs(expected).max() > 0.01


def test_folding_by_hand():
    """(2 x + 1 - 3) * 4 / sqrt(5 + 11) + 6 = 2 x + 4."""
    inputs = keras.Input([1, 1, 1])
    conv = keras.layers.Conv2D(1, 1)
    norm = keras.layers.BatchNormalization(epsilon=11.0)
    model = keras.Model(inputs, norm(conv(inputs)))
    conv.set_weights([np.full((1, 1, 1, 1), 2.0), np.ones(1)])
    norm.set_weights([np.full(1, v) for v in (4.0, 6.0, 3.0, 5.0)])
    saved_model.fold(model)
    kernel, bias = conv.get_weights()
    assert kernel.ravel() == 2 and bias == 4
    x = np.float32([[[[10.0]]]])
    assert model(x, training=False).numpy().ravel() == 24
