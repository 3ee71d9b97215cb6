"""What a served model answers, against the model in Python."""

import numpy as np
import pytest
import tensorflow as tf

from motionflow.data import video
from motionflow.generate import picture_flow, rollout
from motionflow.models import predictor
from tests import served, tiny_run

pytestmark = pytest.mark.slow

FORECAST = {
    "flow": ([None, 3, 3, 2], "float32"),
    "speed": ([None, 3, 3], "float32"),
    "codes": ([None, 3, 3], "int32"),
    "confidence": ([None, 3, 3], "float32"),
}
PICTURE = {"image": ([None, None, None, 3], "uint8")}
# Names, shapes and types are public: clients break when they change.
PUBLIC = {
    "serving_default": (PICTURE, FORECAST),
    "predict_bytes": ({"image_bytes": ([None], "string")}, FORECAST),
    "probabilities": (PICTURE, {"probabilities": ([None, 3, 3, 5], "float32")}),
    "steps": (PICTURE, {"steps": ([None, 1, 3, 3, 2], "float32")}),
    "rollout": (
        PICTURE
        | dict.fromkeys(
            ("num_predictions", "frames_per_prediction"), ([None], "int32")
        ),
        {"frames": ([None, None, None, None, 3], "uint8")},
    ),
    "frames": (
        {"image": ([None, 64, 64, 3], "float32")},
        {
            "flow": ([None, 3, 3, 2], "float32"),
            "probabilities": ([None, 3, 3, 5], "float32"),
            "codes": ([None, 3, 3], "int32"),
        },
    ),
}


@pytest.fixture(scope="module")
def model(run_dir):
    return predictor.load(run_dir)


@pytest.fixture(scope="module")
def signatures(version):
    exported = tf.saved_model.load(str(version))
    return {
        name: lambda f=f, exported=exported, **inputs: {
            key: value.numpy()
            for key, value in f(
                **{k: tf.constant(v) for k, v in inputs.items()}
            ).items()
        }
        for name, f in exported.signatures.items()
    } | {"specs": exported.signatures}


def test_the_signatures_are_the_public_interface(signatures):
    found = {
        name: tuple(
            {key: (list(spec.shape), spec.dtype.name) for key, spec in specs.items()}
            for specs in (f.structured_input_signature[1], f.structured_outputs)
        )
        for name, f in signatures["specs"].items()
    }
    assert found == PUBLIC


def check_forecast(answer, frames, model):
    expected = {key: value.numpy() for key, value in model(frames).items()}
    grid = len(frames), 3, 3
    probabilities = expected["probabilities"].reshape(*grid, 5)
    np.testing.assert_allclose(answer["flow"], expected["flow"], atol=1e-5)
    np.testing.assert_array_equal(answer["codes"], expected["codes"].reshape(grid))
    np.testing.assert_allclose(
        answer["speed"], np.hypot(*np.moveaxis(expected["flow"], -1, 0)), atol=1e-5
    )
    np.testing.assert_allclose(
        answer["confidence"], probabilities.max(axis=-1), atol=1e-5
    )


def test_a_frame_of_the_models_size_is_predicted_as_it_is(signatures, model):
    noise = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    answer = signatures["serving_default"](image=noise)
    check_forecast(answer, noise, model)


@pytest.mark.parametrize("height, width", [(64, 100), (200, 150), (30, 40), (1, 1)])
def test_other_sizes_are_fitted_as_in_training(signatures, model, height, width):
    frames = served.pictures(2, height, width)
    fitted = np.stack([video.fit_frame(frame, 64) for frame in frames])
    answer = signatures["serving_default"](image=frames)
    expected = model(fitted)["flow"]
    # Fitting differs by 1 of 255, which moves the flow a little.
    np.testing.assert_allclose(answer["flow"], expected, atol=0.02)
    probabilities = signatures["probabilities"](image=frames)["probabilities"]
    np.testing.assert_allclose(
        probabilities.max(axis=-1), answer["confidence"], atol=1e-6
    )


def test_files_answer_like_their_pixels(signatures):
    frames = [served.pictures(1, 70, w, seed=w)[0] for w in (70, 90, 64)]
    files = np.array([served.encoded(frame) for frame in frames], object)
    answer = signatures["predict_bytes"](image_bytes=files)
    for i, frame in enumerate(frames):
        expected = signatures["serving_default"](image=frame[None])
        for key in expected:
            np.testing.assert_allclose(answer[key][i], expected[key][0], atol=1e-5)


def test_float_frames_give_everything(signatures, model):
    frames = served.pictures(2, 64, 64) * np.float32(0.5)
    answer, expected = signatures["frames"](image=frames), model(frames)
    for key, shape in (("probabilities", (2, 3, 3, 5)), ("codes", (2, 3, 3))):
        np.testing.assert_allclose(
            answer[key], expected[key].numpy().reshape(shape), atol=1e-5
        )
    np.testing.assert_allclose(answer["flow"], expected["flow"], atol=1e-5)


@pytest.mark.parametrize("height, width", [(64, 64), (70, 121), (90, 40)])
@pytest.mark.parametrize("n, m", [(1, 1), (3, 2)])
def test_the_rollout_is_the_one_of_the_tools(signatures, model, height, width, n, m):
    frames = served.pictures(2, height, width)
    numbers = {
        "num_predictions": np.full(2, n, np.int32),
        "frames_per_prediction": np.full(2, m, np.int32),
    }
    film = signatures["rollout"](image=frames, **numbers)["frames"]
    expected = rollout.generate(picture_flow.flow_function(model), frames, n, m)
    assert film.dtype == np.uint8 and film.shape == (2, n * m, height, width, 3)
    # Rounded to whole levels.
    np.testing.assert_allclose(film, expected, atol=0.51)
    assert np.abs(film[:, -1].astype(int) - frames).mean() > 0.5  # something moves


def test_the_predictor_of_an_export_and_of_its_run_agree(model, version):
    exported = predictor.load(version)
    frames = served.pictures(2, 64, 64)
    for key, value in model(frames).items():
        np.testing.assert_allclose(exported(frames)[key], value, atol=1e-5)
        assert exported(frames)[key].shape == value.shape
    assert (exported.frame_size, exported.grid_size) == (64, 3)
    np.testing.assert_array_equal(exported.centers, tiny_run.CENTERS)
