import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from motionflow import export
from motionflow.errors import InputError
from motionflow.models import predictor
from motionflow.serving import saved_model
from tests import tiny_run

# A process of its own, with TensorFlow alone.
STRANGER = """
import sys
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
frames = np.load(sys.argv[2])
answer = model.signatures["frames"](image=tf.constant(frames, tf.float32))
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
    for key in expected:
        values = answer[key].reshape(expected[key].shape)
        np.testing.assert_allclose(values, expected[key], atol=1e-5)


def test_a_version_holds_all_that_belongs_to_it(version):
    files = {
        str(path.relative_to(version)) for path in version.rglob("*") if path.is_file()
    }
    assert files - {"fingerprint.pb"} == {
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "assets/codebook.npz",
        "assets/labels.txt",
        "assets.extra/model_card.json",
        "assets.extra/model_card.md",
        "assets.extra/tf_serving_warmup_requests",
    }


def test_the_labels_are_the_flow_vectors(version):
    assert (version / "assets" / "labels.txt").read_text() == (
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
        export.export(run_dir, tmp_path)
    assert list(tmp_path.iterdir()) == []


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
        export.export(run_dir, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_run_directory(tmp_path):
    with pytest.raises(InputError, match="is no run directory"):
        export.export(tmp_path, tmp_path / "exported")


def test_the_command(run_dir, tmp_path):
    command = [sys.executable, "-m", "motionflow.export", f"--run_dir={run_dir}"]
    command += [f"--export_dir={tmp_path}", "--keep_versions=1", "--data_licence=CC0"]
    for number in (1, 2):
        process = subprocess.run(command, capture_output=True, text=True)
        assert process.returncode == 0, process.stderr[-2000:]
        assert f"exported {run_dir} to {tmp_path / str(number)}" in process.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["2"]
    card = (tmp_path / "2" / "assets.extra" / "model_card.md").read_text()
    assert "Licence of the data: CC0" in card


def test_flags_have_the_defaults_of_the_other_commands():
    values = flags.FlagValues()
    export.define_flags(values)
    values.mark_as_parsed()
    found = {name: values[name].value for name in values}
    assert found["run_dir"] == "runs/allconv" and found["export_dir"] == "exported"
    assert found["format"] == "saved_model" and found["keep_versions"] == 0
