"""Files for other runtimes: converted, run, compared."""

import importlib.util
import types

import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.labels.codebook import Codebook
from motionflow.models import predictor
from motionflow.models.network import build_model
from motionflow.serving import portable
from motionflow.serving.exporting import export_model
from motionflow.serving.inputs import example_known
from tests import served, tiny_run

pytestmark = pytest.mark.slow


def needs_onnx():
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")


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


@pytest.mark.parametrize("format_name", ["tflite", "onnx"])
def test_files_of_a_dense_sequence_say_all_of_its_steps(
    format_name, steps_run_dir, tmp_path
):
    if format_name == "onnx":
        needs_onnx()
    version = export_model(steps_run_dir, tmp_path, format_name)
    frames = served.pictures(2, 72, 72)
    open_file = getattr(portable, f"open_{format_name}")
    found = open_file(version / f"model.{format_name}")(frames)["steps"]
    chances = predictor.load(steps_run_dir)(frames)["step_probabilities"].numpy()
    expected = (chances @ tiny_run.CENTERS).reshape(2, 3, 36, 36, 2)
    np.testing.assert_allclose(found, expected, atol=1e-4)


# --- TensorFlow Lite -------------------------------------------------------------


@pytest.fixture(scope="module")
def lite(run_dir, tmp_path_factory):
    return export_model(run_dir, tmp_path_factory.mktemp("exported"), "tflite")


def test_a_version_holds_the_three_files_and_the_card(lite):
    files = {str(p.relative_to(lite)) for p in lite.rglob("*") if p.is_file()}
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
def test_the_interpreter_answers_like_the_run(run_dir, lite, name, tolerance, batch):
    frames = served.pictures(batch, 64, 64)
    answer = portable.open_tflite(lite / name)(frames)
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


def test_quantised_files_are_smaller(lite):
    sizes = {path.name: path.stat().st_size for path in lite.glob("*.tflite")}
    full = sizes["model.tflite"]
    # Weights and the mean frame are most of each file; 8-bit biases stay of 32.
    assert sizes["model-float16.tflite"] < 0.65 * full
    assert sizes["model-dynamic.tflite"] < full


def test_the_plain_runtime_is_enough(lite):
    for path in lite.glob("*.tflite"):
        interpreter = tf.lite.Interpreter(str(path))
        operations = {one["op_name"] for one in interpreter._get_ops_details()}
        assert not any("Flex" in name or name == "CUSTOM" for name in operations)


def test_files_that_answer_otherwise_never_appear(run_dir, tmp_path, monkeypatch):
    convert = portable._converted

    def spoiled(function, holder, quantisation):
        kernel = next(w for w in holder.weights if "kernel" in w.name)
        kernel.assign_add(tf.ones_like(kernel))
        data = convert(function, holder, quantisation)
        kernel.assign_sub(tf.ones_like(kernel))
        return data

    monkeypatch.setattr(portable, "_converted", spoiled)
    with pytest.raises(RuntimeError, match="model.tflite: probabilities are off by"):
        export_model(run_dir, tmp_path, "tflite")
    assert list(tmp_path.iterdir()) == []


def test_another_format_needs_another_folder(run_dir, lite):
    with pytest.raises(InputError, match="has the format tflite"):
        export_model(run_dir, lite.parent)


# --- ONNX ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def graph_file(run_dir, tmp_path_factory):
    needs_onnx()
    folder = tmp_path_factory.mktemp("exported")
    return export_model(run_dir, folder, "onnx") / "model.onnx"


@pytest.mark.parametrize("batch", [1, 3])
def test_the_runtime_answers_like_the_run(run_dir, graph_file, batch):
    frames = served.pictures(batch, 64, 64)
    answer = portable.open_onnx(graph_file)(frames)
    expected = {k: v.numpy() for k, v in predictor.load(run_dir)(frames).items()}
    grid = batch, 3, 3
    probabilities = expected["probabilities"].reshape(*grid, 5)
    assert set(answer) == {"flow", "speed", "codes", "confidence", "probabilities"}
    np.testing.assert_allclose(answer["probabilities"], probabilities, atol=1e-5)
    np.testing.assert_allclose(answer["flow"], expected["flow"], atol=1e-4)
    np.testing.assert_array_equal(answer["codes"], expected["codes"].reshape(grid))
    assert answer["codes"].dtype == np.int32


def test_the_input_is_the_frame_as_it_is(graph_file):
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(graph_file), providers=["CPUExecutionProvider"]
    )
    (image,) = session.get_inputs()
    assert (image.name, image.type) == ("image", "tensor(uint8)")
    assert image.shape[1:] == [64, 64, 3] and not isinstance(image.shape[0], int)


@pytest.mark.parametrize(
    "name, size, grid",
    [
        ("alexnet", 200, 20),
        ("walker", 200, 20),
        ("vgg", 64, 4),
        ("convnext", 40, 4),
        ("efficientnet", 64, 4),
    ],
)
def test_the_other_networks_convert(name, size, grid, tmp_path, short_trunk):
    pytest.importorskip("tf2onnx")
    keras.utils.set_random_seed(0)
    model = build_model(
        name=name,
        num_clusters=5,
        grid_size=grid,
        width=0.02,
        mean_frame=np.full((size, size, 3), 127, np.float32),
    )
    codebook = Codebook(tiny_run.CENTERS, np.arange(5))
    run = types.SimpleNamespace(codebook=codebook)
    (written,) = portable.write_onnx(tmp_path, model, run)
    assert written.probability_error < 1e-4 and written.equal_codes > 0.99


def test_a_file_that_answers_otherwise_never_appears(run_dir, tmp_path, monkeypatch):
    tf2onnx = pytest.importorskip("tf2onnx")
    convert = tf2onnx.convert.from_function

    def spoiled(function, *args, **kwargs):
        @tf.function(input_signature=function.input_signature)
        def other(image):
            return function(255 - image)

        return convert(other, *args, **kwargs)

    monkeypatch.setattr(tf2onnx.convert, "from_function", spoiled)
    with pytest.raises(RuntimeError, match="model.onnx: probabilities are off by"):
        export_model(run_dir, tmp_path, "onnx")
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_are_named(run_dir, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n: None if n == "tf2onnx" else find(n)
    )
    with pytest.raises(InputError, match=r"needs tf2onnx: pip install 'motionflow\[on"):
        export_model(run_dir, tmp_path, "onnx")


def test_onnx_of_a_network_that_can_be_told_is_told(guided_run_dir, tmp_path):
    needs_onnx()
    version = export_model(guided_run_dir, tmp_path, "onnx")
    frames, known = served.pictures(3, 64, 64), example_known(3, 4)
    run = portable.open_onnx(version / "model.onnx")
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
