import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, saved_model_pb2

from motionflow import export
from motionflow.errors import InputError
from motionflow.models import predictor
from tests import tiny_run

# A process of its own, with TensorFlow alone.
STRANGER = """
import sys
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
frames = np.load(sys.argv[2])
answer = model.signatures["serving_default"](image=tf.constant(frames))
np.savez(sys.argv[3], **{key: value.numpy() for key, value in answer.items()})
assert "motionflow" not in sys.modules
"""


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return tiny_run.write_run(tmp_path_factory.mktemp("export") / "run")


@pytest.fixture(scope="module")
def version(run_dir, tmp_path_factory):
    return export.export(run_dir, tmp_path_factory.mktemp("exported"))


def test_a_process_without_the_package_gets_the_same_answers(
    run_dir, version, tmp_path
):
    frames = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    np.save(tmp_path / "frames.npy", frames)
    files = [version, tmp_path / "frames.npy", tmp_path / "answer.npz"]
    subprocess.run([sys.executable, "-c", STRANGER, *files], check=True, cwd=tmp_path)
    answer, expected = np.load(files[-1]), predictor.load(run_dir)(frames)
    assert set(answer) == {"flow", "probabilities", "codes"}
    for key in answer:
        np.testing.assert_allclose(answer[key], expected[key], atol=1e-5)


def test_the_loader_of_tensorflow_serving_gets_the_same_answers(version, tmp_path):
    frames = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3), np.uint8)
    np.save(tmp_path / "frames.npy", frames)
    proto = saved_model_pb2.SavedModel.FromString(
        (version / "saved_model.pb").read_bytes()
    )
    signature = proto.meta_graphs[0].signature_def["serving_default"]
    arguments = [
        Path(tf.__file__).parent,
        version,
        tmp_path / "frames.npy",
        signature.inputs["image"].name,
        signature.outputs["flow"].name,
        tmp_path / "flow.npy",
    ]
    script = Path(__file__).with_name("cpp_loader.py")
    subprocess.run([sys.executable, script, *arguments], check=True)
    expected = tf.saved_model.load(str(version)).signatures["serving_default"](
        image=tf.constant(frames)
    )
    answer = np.load(tmp_path / "flow.npy")
    np.testing.assert_allclose(answer, expected["flow"], atol=1e-5)


def test_the_signature_is_the_public_interface(version):
    signature = tf.saved_model.load(str(version)).signatures["serving_default"]
    inputs = signature.structured_input_signature[1]
    assert inputs == {"image": tf.TensorSpec((None, 64, 64, 3), tf.uint8, name="image")}
    outputs = {
        key: (value.shape.as_list(), value.dtype)
        for key, value in signature.structured_outputs.items()
    }
    assert outputs == {
        "flow": ([None, 3, 3, 2], tf.float32),
        "probabilities": ([None, 9, 5], tf.float32),
        "codes": ([None, 9], tf.int32),
    }


def test_an_image_of_another_size_is_an_error_even_for_the_server(version):
    # As the server does: the graph with its input fed, no Python signature in between.
    graph = tf.Graph()
    with tf.compat.v1.Session(graph=graph) as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(version))
        definition = meta.signature_def["serving_default"]
        image, flow = definition.inputs["image"].name, definition.outputs["flow"].name
        # Straight to the C++ session: Python's `run` would check shapes by itself.
        options = config_pb2.CallableOptions(feed=[image], fetch=[flow])
        run = session._make_callable_from_options(options)
        (answer,) = run(np.zeros((2, 64, 64, 3), np.uint8))
        assert answer.shape == (2, 3, 3, 2)
        for shape in [(2, 72, 72, 3), (2, 64, 64, 1), (64, 64, 3)]:
            with pytest.raises(tf.errors.InvalidArgumentError):
                run(np.zeros(shape, np.uint8))


def test_the_graph_holds_no_python_and_no_xla(version):
    proto = (version / "saved_model.pb").read_bytes()
    assert b"image" in proto
    for forbidden in (b"PyFunc", b"_XlaMustCompile\x12\x02(\x01"):
        assert forbidden not in proto


def test_versions_count_up_and_nothing_else_stays_behind(run_dir, tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "notes").mkdir()
    assert export.export(run_dir, tmp_path) == tmp_path / "8"
    assert {path.name for path in tmp_path.iterdir()} == {"7", "8", "notes"}
    assert (tmp_path / "8" / "assets" / "codebook.npz").is_file()


def test_an_export_that_answers_otherwise_never_appears(run_dir, tmp_path, monkeypatch):
    original = export.servable

    def spoiled(model, run):
        module, signatures = original(model, run)
        module.weights[0].assign_add(tf.ones_like(module.weights[0]))
        return module, signatures

    def save_then_restore(module, path, signatures):
        real_save(module, path, signatures=signatures)
        module.weights[0].assign_sub(tf.ones_like(module.weights[0]))

    real_save = tf.saved_model.save
    monkeypatch.setattr(export, "servable", spoiled)
    monkeypatch.setattr(tf.saved_model, "save", save_then_restore)
    with pytest.raises(RuntimeError, match="flow of the export is off by"):
        export.export(run_dir, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_run_directory(tmp_path):
    with pytest.raises(InputError, match="is no run directory"):
        export.export(tmp_path, tmp_path / "exported")
