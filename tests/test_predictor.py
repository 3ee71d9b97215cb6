import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

from motionflow.errors import InputError
from motionflow.export import export
from motionflow.models import predictor
from motionflow.models.run_dir import RunDir
from tests import tiny_run


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predictor")
    return {
        "run": tiny_run.write_run(folder / "run"),
        "export": export(folder / "run", folder / "exported"),
    }


@pytest.fixture(params=["run", "export"])
def loaded(request, folders):
    return predictor.load(folders[request.param])


def frames(dtype=np.uint8):
    size = tiny_run.FRAME_SIZE
    return np.random.default_rng(0).integers(0, 256, (3, size, size, 3)).astype(dtype)


def test_it_answers_what_the_network_says(loaded, folders):
    logits = RunDir(folders["run"]).load_model()(frames()).numpy()
    answer = loaded(frames())
    probabilities = softmax(logits, -1)
    flow = (probabilities[..., None] * tiny_run.CENTERS).sum(-2).reshape(3, 3, 3, 2)
    np.testing.assert_allclose(answer["probabilities"], probabilities, atol=1e-5)
    np.testing.assert_allclose(answer["flow"], flow, atol=1e-5)
    np.testing.assert_array_equal(answer["codes"], logits.argmax(-1))
    types = {key: value.dtype for key, value in answer.items()}
    assert types == {
        "flow": tf.float32,
        "probabilities": tf.float32,
        "codes": tf.int32,
    }


def test_float_frames_are_not_rounded(loaded):
    whole, between = loaded(frames(np.float32)), loaded(frames(np.float32) + 0.4)
    np.testing.assert_array_equal(whole["flow"], loaded(frames())["flow"])
    assert np.any(whole["flow"] != between["flow"])


def test_its_attributes(loaded, folders):
    assert (loaded.frame_size, loaded.grid_size) == (64, 3)
    np.testing.assert_array_equal(loaded.centers, tiny_run.CENTERS)
    is_run = predictor.load(folders["run"]).num_parameters
    assert loaded.num_parameters in (is_run, None)
    assert is_run > 1000


def test_frames_of_another_size_are_refused(loaded):
    for shape in [(1, 64, 63, 3), (64, 64, 3), (1, 64, 64, 1)]:
        with pytest.raises(InputError, match=r"expected \[B, 64, 64, 3\]"):
            loaded(np.zeros(shape, np.uint8))


def test_load_says_what_it_expected(tmp_path):
    with pytest.raises(InputError, match="holds no model: expected a run directory"):
        predictor.load(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        predictor.load(tmp_path / "nothing")


def test_a_foreign_saved_model_is_refused(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(InputError, match="was it written by motionflow.export"):
        predictor.load(tmp_path)
