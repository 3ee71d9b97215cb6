import importlib.util

import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import predictor
from motionflow.models.building import build_model
from motionflow.serving import onnx
from motionflow.serving.exporting import export_model
from tests import served, tiny_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def version(run_dir, tmp_path_factory):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    return export_model(run_dir, tmp_path_factory.mktemp("exported"), "onnx")


@pytest.mark.parametrize("batch", [1, 3])
def test_the_runtime_answers_like_the_run(run_dir, version, batch):
    frames = served.pictures(batch, 64, 64)
    answer = onnx.open_runner(version / "model.onnx")(frames)
    expected = {k: v.numpy() for k, v in predictor.load(run_dir)(frames).items()}
    grid = batch, 3, 3
    probabilities = expected["probabilities"].reshape(*grid, 5)
    assert set(answer) == {"flow", "speed", "codes", "confidence", "probabilities"}
    np.testing.assert_allclose(answer["probabilities"], probabilities, atol=1e-5)
    np.testing.assert_allclose(answer["flow"], expected["flow"], atol=1e-4)
    np.testing.assert_array_equal(answer["codes"], expected["codes"].reshape(grid))
    assert answer["codes"].dtype == np.int32


def test_the_input_is_the_frame_as_it_is(version):
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(version / "model.onnx"), providers=["CPUExecutionProvider"]
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
    (written,) = onnx.write(tmp_path, model, tiny_run.CENTERS)
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
