import numpy as np
import pytest
import tensorflow as tf

from motionflow import export
from motionflow.errors import InputError
from motionflow.models import predictor
from motionflow.serving import portable, tflite
from tests import served, tiny_run


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return tiny_run.write_run(tmp_path_factory.mktemp("tflite") / "run")


@pytest.fixture(scope="module")
def version(run_dir, tmp_path_factory):
    return export.export(run_dir, tmp_path_factory.mktemp("exported"), "tflite")


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
        export.export(run_dir, tmp_path, "tflite")
    assert list(tmp_path.iterdir()) == []


def test_another_format_needs_another_folder(run_dir, version):
    with pytest.raises(InputError, match="has the format tflite"):
        export.export(run_dir, version.parent)


def measured(tmp_path, change, bound=1e-4):
    """A file that answers as its graph does, but for a change."""

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.uint8)])
    def function(image):
        mean = tf.reduce_mean(tf.cast(image, tf.float32), axis=3) / 255.0
        return {
            "flow": tf.stack([mean, -mean], axis=-1),
            "speed": mean,
            "codes": tf.cast(mean > 0.5, tf.int32),
            "confidence": mean,
            "probabilities": tf.stack([mean, 1 - mean], axis=-1),
        }

    def run(frames):
        answer = {k: v.numpy() for k, v in function(tf.constant(frames)).items()}
        return change(answer, len(frames))

    (tmp_path / "model.x").write_bytes(b"12345")
    return portable.measure(tmp_path / "model.x", run, function, bound)


def test_differences_are_measured(tmp_path):
    def change(answer, batch):
        answer["flow"] = answer["flow"] + np.float32([0.3, 0.4])
        answer["probabilities"] = answer["probabilities"] + np.float32(0.01)
        answer["codes"] = answer["codes"].copy()
        answer["codes"][0] = 7  # one of the six frames, where there are six
        return answer

    found = measured(tmp_path, change, bound=0.1)
    assert (found.name, found.num_bytes) == ("model.x", 5)
    np.testing.assert_allclose(found.flow_error, 0.4, rtol=1e-5)
    np.testing.assert_allclose(found.mean_flow_error, 0.5, rtol=1e-5)
    np.testing.assert_allclose(found.probability_error, 0.01, rtol=1e-4)
    assert found.equal_codes == 5 / 6 and found.milliseconds > 0


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda a, n: {k: v for k, v in a.items() if k != "speed"}, "speed is missing"),
        (lambda a, n: a | {"codes": a["codes"].astype(np.int64)}, "codes is int64"),
        (lambda a, n: a | {"flow": a["flow"][:1]}, "flow is float32"),
        (lambda a, n: a | {"probabilities": a["probabilities"] * np.nan}, "by nan"),
        (
            lambda a, n: a | {"probabilities": a["probabilities"] + np.float32(n == 1)},
            "probabilities are off by 1",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, change, words):
    with pytest.raises(RuntimeError, match=words):
        measured(tmp_path, change)
