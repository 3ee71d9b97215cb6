import numpy as np
import pytest
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.models import predictor
from motionflow.serving import tflite
from motionflow.serving.exporting import export_model
from tests import served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def version(run_dir, tmp_path_factory):
    return export_model(run_dir, tmp_path_factory.mktemp("exported"), "tflite")


def test_a_version_holds_the_three_files_and_the_card(version):
    files = {str(p.relative_to(version)) for p in version.rglob("*") if p.is_file()}
    assert files == {
        "model.tflite",
        "model-dynamic.tflite",
        "model-float16.tflite",
        "codebook.npz",
        "assets.extra/model_card.json",
        "assets.extra/model_card.md",
    }


@pytest.mark.parametrize(
    "name, tolerance",
    [
        ("model.tflite", 1e-4),
        ("model-float16.tflite", 0.02),
        ("model-dynamic.tflite", 0.25),
    ],
)
@pytest.mark.parametrize("batch", [1, 2])
def test_the_interpreter_answers_like_the_run(run_dir, version, name, tolerance, batch):
    frames = served.pictures(batch, 64, 64)
    answer = tflite.open_runner(version / name)(frames)
    expected = {k: v.numpy() for k, v in predictor.load(run_dir)(frames).items()}
    grid = batch, 3, 3
    probabilities = expected["probabilities"].reshape(*grid, 5)
    assert set(answer) == {"flow", "speed", "codes", "confidence", "probabilities"}
    assert answer["codes"].dtype == np.int32 and answer["codes"].shape == grid
    np.testing.assert_allclose(answer["probabilities"], probabilities, atol=tolerance)
    np.testing.assert_allclose(answer["flow"], expected["flow"], atol=10 * tolerance)
    np.testing.assert_allclose(
        answer["speed"], np.hypot(*np.moveaxis(answer["flow"], -1, 0)), atol=1e-4
    )
    np.testing.assert_allclose(
        answer["confidence"], answer["probabilities"].max(axis=-1), atol=1e-6
    )


def test_quantised_files_are_smaller(version):
    sizes = {path.name: path.stat().st_size for path in version.glob("*.tflite")}
    full = sizes["model.tflite"]
    # Weights and the mean frame are most of each file; 8-bit biases stay of 32.
    assert sizes["model-float16.tflite"] < 0.65 * full
    assert sizes["model-dynamic.tflite"] < full


def test_the_plain_runtime_is_enough(version):
    for path in version.glob("*.tflite"):
        interpreter = tf.lite.Interpreter(str(path))
        operations = {one["op_name"] for one in interpreter._get_ops_details()}
        assert not any("Flex" in name or name == "CUSTOM" for name in operations)


def test_files_that_answer_otherwise_never_appear(run_dir, tmp_path, monkeypatch):
    convert = tflite._convert

    def spoiled(function, holder, quantisation):
        kernel = next(w for w in holder.weights if "kernel" in w.name)
        kernel.assign_add(tf.ones_like(kernel))
        data = convert(function, holder, quantisation)
        kernel.assign_sub(tf.ones_like(kernel))
        return data

    monkeypatch.setattr(tflite, "_convert", spoiled)
    with pytest.raises(RuntimeError, match="model.tflite: probabilities are off by"):
        export_model(run_dir, tmp_path, "tflite")
    assert list(tmp_path.iterdir()) == []


def test_another_format_needs_another_folder(run_dir, version):
    with pytest.raises(InputError, match="has the format tflite"):
        export_model(run_dir, version.parent)
