import numpy as np
import pytest
import tensorflow as tf

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
    inputs, run = saved_model.told.inputs, RunDir.open(guided_run_dir)

    def without_pins(control):
        said = inputs(control)
        return said | {"num_pins": 0 * said["num_pins"]}

    monkeypatch.setattr(saved_model.told, "inputs", without_pins)
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
