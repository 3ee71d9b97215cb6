import numpy as np
import pytest
import tensorflow as tf

from motionflow.models import predictor
from motionflow.serving import onnx, portable, tflite
from motionflow.serving.exporting import export_model
from tests import served, tiny_run

pytestmark = pytest.mark.slow


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


FILES = pytest.mark.parametrize(
    "module, name", [(tflite, "model.tflite"), (onnx, "model.onnx")]
)


def test_onnx_of_a_network_that_can_be_told_is_told(guided_run_dir, tmp_path):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    version = export_model(guided_run_dir, tmp_path, "onnx")
    frames, known = served.pictures(3, 64, 64), portable.example_known(3, 4)
    run = onnx.open_runner(version / "model.onnx")
    model = predictor.load(guided_run_dir)
    for told in (known, np.zeros_like(known)):
        found, expected = run(frames, told), model(frames, told)
        np.testing.assert_allclose(found["flow"], expected["flow"], atol=1e-3)
        np.testing.assert_allclose(
            found["probabilities"], expected["probabilities"], atol=1e-4
        )
    # The arrow's cell keeps its vector; zeros say nothing.
    np.testing.assert_allclose(run(frames, known)["flow"][0, 0, 0], [3, -1], atol=1e-4)
    np.testing.assert_allclose(found["flow"], model(frames)["flow"], atol=1e-3)


@FILES
def test_files_of_a_dense_sequence_say_all_of_its_steps(
    module, name, steps_run_dir, tmp_path
):
    if module is onnx:
        pytest.importorskip("tf2onnx")
        pytest.importorskip("onnxruntime")
    format_name = module.__name__.split(".")[-1]
    version = export_model(steps_run_dir, tmp_path, format_name)
    frames = served.pictures(2, 72, 72)
    found = module.open_runner(version / name)(frames)["steps"]
    chances = predictor.load(steps_run_dir)(frames)["step_probabilities"].numpy()
    expected = (chances @ tiny_run.CENTERS).reshape(2, 3, 36, 36, 2)
    np.testing.assert_allclose(found, expected, atol=1e-4)
