import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.labels.codebook import Codebook
from motionflow.models import predictor
from motionflow.models.network import build_model
from motionflow.models.run_dir import RunDir
from tests import tiny_run
from tests.tiny_run import CENTERS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def predictors(run_dir, version):
    return {"run": predictor.load(run_dir), "export": predictor.load(version)}


@pytest.fixture(params=["run", "export"])
def loaded(request, predictors):
    return predictors[request.param]


def frames(dtype=np.uint8):
    size = tiny_run.FRAME_SIZE
    return np.random.default_rng(0).integers(0, 256, (3, size, size, 3)).astype(dtype)


def test_it_answers_what_the_network_says(loaded, run_dir):
    logits = RunDir(run_dir).load_model()(frames()).numpy()
    answer = loaded(frames())
    probabilities = softmax(logits, -1)
    flow = (probabilities[..., None] * CENTERS).sum(-2)
    np.testing.assert_allclose(answer["probabilities"], probabilities[:, 0], atol=1e-5)
    np.testing.assert_allclose(answer["flow"], flow[:, 0], atol=1e-5)
    np.testing.assert_array_equal(answer["codes"], logits[:, 0].argmax(-1))
    types = {key: value.dtype for key, value in answer.items()}
    assert types == {
        "flow": tf.float32,
        "probabilities": tf.float32,
        "codes": tf.int32,
        "step_probabilities": tf.float32,
    }
    steps = answer["step_probabilities"]
    np.testing.assert_allclose(steps, probabilities, atol=1e-5)


def test_float_frames_are_not_rounded(loaded):
    whole, between = loaded(frames(np.float32)), loaded(frames(np.float32) + 0.4)
    np.testing.assert_array_equal(whole["flow"], loaded(frames())["flow"])
    assert np.any(whole["flow"] != between["flow"])


def test_a_dense_sequence_from_a_run_and_from_an_export(steps_run_dir, steps_version):
    model = predictor.load(steps_run_dir)
    assert (model.frame_size, model.grid_size) == (72, 4)
    assert (model.num_steps, model.fine_size) == (3, 36)
    frames = np.random.default_rng(0).integers(0, 256, (2, 72, 72, 3), np.uint8)
    answer = model(frames)
    assert answer["step_probabilities"].shape == (2, 3, 36, 36, 5)
    fine = (answer["step_probabilities"].numpy() @ CENTERS)[:, 0]
    coarse = fine.reshape(2, 4, 9, 4, 9, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(answer["flow"], coarse, atol=1e-5)
    exported = predictor.load(steps_version)
    assert (exported.num_steps, exported.fine_size) == (3, 36)
    for key, value in exported(frames).items():
        np.testing.assert_allclose(value, answer[key], atol=1e-5)
    for one in (model, exported):
        noise = np.zeros((2, 4, 4, 5), np.float32)
        noise[0, ..., 2] = noise[1, ..., 3] = 1e6
        noise[1, 0, 0, 1] = 2e6  # the cell at the top left goes another way
        drawn = one.sample_steps(frames, noise).numpy()
        assert drawn.shape == (2, 2, 3, 36, 36, 2)
        assert (drawn[0] == CENTERS[2]).all()
        np.testing.assert_array_equal(drawn[1, 0, 2, 8, 8], CENTERS[1])
        np.testing.assert_array_equal(drawn[1, 0, 2, 9, 8], CENTERS[3])
    # Told what was drawn, the second step is not what it says by itself.
    free = np.random.default_rng(1).gumbel(size=(8, 4, 4, 5)).astype(np.float32)
    told, alone = (m.sample_steps(frames, free).numpy() for m in (model, exported))
    np.testing.assert_array_equal(told[:, :, 0], alone[:, :, 0])
    assert (told[:, :, 1:] != alone[:, :, 1:]).any()


def test_its_attributes(loaded, predictors):
    assert (loaded.frame_size, loaded.grid_size) == (64, 3)
    np.testing.assert_array_equal(loaded.centers, CENTERS)
    is_run = predictors["run"].num_parameters
    assert loaded.num_parameters in (is_run, None)
    assert is_run > 1000


def test_frames_of_another_size_are_refused(loaded, predictors):
    features = predictors["run"].features
    for shape in [(1, 64, 63, 3), (64, 64, 3), (1, 64, 64, 1)]:
        for function in (loaded, features):
            with pytest.raises(InputError, match=r"expected \[B, 64, 64, 3\]"):
                function(np.zeros(shape, np.uint8))


def test_an_export_has_no_features(predictors):
    assert predictors["export"].features is None


def test_features_are_the_map_that_the_scores_are_made_from(predictors, run_dir):
    found = predictors["run"].features(frames())
    # A map of 3x3, smaller than 5x5 regions, stays as it is: 9 cells of 51 channels.
    assert found.shape == (3, 9 * 51) and found.dtype == np.float32
    assert found.min() == 0 and found.std() > 0.01
    # The last layer is linear in each cell: features and scores tell each other.
    model = RunDir(run_dir).load_model()
    kernel, bias = (w.numpy() for w in model.layers[-3].weights)
    scores = found.reshape(3, 1, 3, 3, 51) @ kernel.reshape(51, 5) + bias
    np.testing.assert_allclose(scores, model(frames()), atol=1e-4)
    as_float = predictors["run"].features(frames(np.float32))
    np.testing.assert_array_equal(found, as_float)


def write_untrained(path, name, frame_size, grid_size):
    """A run directory of random weights, for features that need another size."""
    config = {"name": name, "num_clusters": 5, "grid_size": grid_size, "width": 0.02}
    mean_frame = np.zeros((frame_size, frame_size, 3), np.float32)
    model = build_model(mean_frame=mean_frame, **config)
    run_dir = RunDir(path)
    sections = {"model": config, "training": {}, "data": {}}
    run_dir.prepare(sections, Codebook(CENTERS), mean_frame)
    checkpoint = tf.train.Checkpoint(model=model)
    manager = tf.train.CheckpointManager(
        checkpoint, str(run_dir.checkpoints), 1, checkpoint_name="epoch"
    )
    manager.save(checkpoint_number=1)
    return model


def test_a_large_map_is_averaged_over_5x5_regions(tmp_path):
    model = write_untrained(tmp_path, "allconv", frame_size=120, grid_size=10)
    images = np.random.default_rng(0).integers(0, 256, (2, 120, 120, 3), np.uint8)
    whole = keras.Model(model.input, model.get_layer("features").output)(images).numpy()
    assert whole.shape == (2, 10, 10, 10) and whole.std() > 0
    regions = whole.reshape(2, 5, 2, 5, 2, 10).mean(axis=(2, 4))
    found = predictor.load(tmp_path).features(images)
    np.testing.assert_allclose(found, regions.reshape(2, -1), atol=1e-5)


@pytest.mark.parametrize("name", ["alexnet", "walker"])
def test_features_of_networks_with_fully_connected_layers(tmp_path, name):
    model = write_untrained(tmp_path, name, frame_size=64, grid_size=2)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    found = predictor.load(tmp_path).features(images)
    # 4,096 units times 0.02; dropout is off, so the last layer gives the scores.
    assert found.shape == (2, 82)
    kernel, bias = (w.numpy() for w in model.layers[-3].weights)
    scores = (found @ kernel + bias).reshape(2, 1, 2, 2, 5)
    np.testing.assert_allclose(scores, model(images), rtol=1e-3, atol=1e-3)


def test_load_says_what_it_expected(tmp_path):
    with pytest.raises(InputError, match="holds no model: expected a run directory"):
        predictor.load(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        predictor.load(tmp_path / "nothing")


def test_a_foreign_saved_model_is_refused(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(InputError, match="was it written by `motionflow export`"):
        predictor.load(tmp_path)
