"""What a served model answers, against the model in Python."""

import numpy as np
import pytest
import tensorflow as tf

from motionflow.films.model import Model
from motionflow.generate import picture_flow, rollout
from motionflow.media import video
from motionflow.models import decoding, predictor
from motionflow.serving.signatures import forecast
from tests import served, tiny_run

pytestmark = pytest.mark.slow

PICTURE = {"image": ([None, None, None, 3], "uint8")}
NUMBERS = dict.fromkeys(("num_predictions", "frames_per_prediction"), ([None], "int32"))
SAID = {
    "arrows": ([None, None, 4], "float32"),
    "num_arrows": ([None], "int32"),
    "pins": ([None, None, 2], "float32"),
    "num_pins": ([None], "int32"),
}
FILM = {"frames": ([None, None, None, None, 3], "uint8")}


# Names, shapes and types are public: clients break when they change.
def public(grid, can_be_told):
    cells = [None, grid, grid]
    codes, flow = (cells, "int32"), ([*cells, 2], "float32")
    probabilities = ([*cells, 5], "float32")
    forecast = {"flow": flow, "speed": (cells, "float32"), "codes": codes}
    forecast["confidence"] = (cells, "float32")
    everything = {"flow": flow, "probabilities": probabilities, "codes": codes}
    frames = {"image": ([None, 64, 64, 3], "float32")}
    told = {
        "known": (frames | {"known": ([*cells, 7], "float32")}, everything),
        "guided": (
            PICTURE | SAID,
            {
                "flow": ([None, None, None, 2], "float32"),
                "speed": ([None, None, None], "float32"),
            },
        ),
        "guided_rollout": (PICTURE | SAID | NUMBERS, FILM),
    }
    return (told if can_be_told else {}) | {
        "serving_default": (PICTURE, forecast),
        "predict_bytes": ({"image_bytes": ([None], "string")}, forecast),
        "probabilities": (PICTURE, {"probabilities": probabilities}),
        "steps": (PICTURE, {"steps": ([None, 1, grid, grid, 2], "float32")}),
        "rollout": (PICTURE | NUMBERS, FILM),
        "frames": (frames, everything),
    }


@pytest.fixture(scope="module")
def model(run_dir):
    return predictor.load(run_dir)


def signatures_of(version):
    """Functions of arrays by their names; the objects themselves as "specs"."""
    specs = served.loaded(version).signatures
    return {
        name: lambda name=name, **inputs: served.python_answers(version, name, inputs)
        for name in specs
    } | {"specs": specs}


@pytest.fixture(scope="module")
def signatures(version):
    return signatures_of(version)


@pytest.fixture(scope="module")
def guided(guided_version):
    return signatures_of(guided_version)


@pytest.mark.parametrize(
    "name, grid, told", [("signatures", 3, False), ("guided", 4, True)]
)
def test_the_signatures_are_the_public_interface(name, grid, told, request):
    found = {
        name: tuple(
            {key: (list(spec.shape), spec.dtype.name) for key, spec in specs.items()}
            for specs in (f.structured_input_signature[1], f.structured_outputs)
        )
        for name, f in request.getfixturevalue(name)["specs"].items()
    }
    assert found == public(grid, told)


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


@pytest.mark.parametrize(
    "height, width, n, m", [(64, 64, 1, 1), (70, 121, 3, 2), (90, 40, 2, 1)]
)
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


# --- of a network that can be told ------------------------------------------------

# Of two pictures of 70x121; between the centres of cells, not all of one sort.
ARROWS = [[((30, 30), (40, 36)), ((81.5, 20), (70, 24))], [((60, 50), (60, 38))]]
PINS = [[(100, 60)], []]


@pytest.fixture(scope="module")
def told_model(guided_run_dir):
    return Model(predictor.load(guided_run_dir))


@pytest.fixture(scope="module")
def wide():
    return served.pictures(2, 70, 121)


def said(arrows=ARROWS, pins=PINS, padding=(0, 0)):
    """What is said of each picture; rows of no meaning behind."""
    inputs = {}
    for name, rows, size, more in (
        ("arrows", arrows, 4, padding[0]),
        ("pins", pins, 2, padding[1]),
    ):
        most = max(map(len, rows)) + more
        values = np.full((len(rows), most, size), np.nan, np.float32)
        values[:, ::2] = 1e9
        for row, places in zip(values, rows, strict=True):
            row[: len(places)] = np.reshape(places, (-1, size))
        inputs |= {name: values, f"num_{name}": np.int32([len(x) for x in rows])}
    return inputs


def numbers(n, m, batch=2):
    names = "num_predictions", "frames_per_prediction"
    return {k: np.full(batch, v, np.int32) for k, v in zip(names, (n, m), strict=True)}


def test_told_flow_is_that_of_the_model(guided, told_model, wide):
    answer = guided["guided"](image=wide, **said())
    for i in range(2):
        motion = told_model.flow(wide[i], arrows=ARROWS[i], pins=PINS[i])
        np.testing.assert_allclose(answer["flow"][i], motion.flow, atol=1e-4)
        np.testing.assert_allclose(answer["speed"][i], motion.speed, atol=1e-4)
    # Pixels of the image: the cell of an arrow moves as the arrow says.
    assert answer["flow"].shape == (2, 4, 7, 2)
    np.testing.assert_allclose(answer["flow"][0, 1, 1], [10, 6], atol=1e-4)


def test_a_told_film_is_that_of_the_model(guided, told_model, wide):
    film = guided["guided_rollout"](image=wide, **said(), **numbers(3, 2))["frames"]
    for i in range(2):
        own = told_model.animate(
            wide[i],
            arrows=ARROWS[i],
            pins=PINS[i],
            num_predictions=3,
            frames_per_prediction=2,
        )
        expected = np.int32(list(own)[1:])
        np.testing.assert_allclose(film[i], expected, atol=1)
        assert np.abs(expected[-1] - wide[i]).mean() > 0.5  # something moves


def test_padding_and_the_other_pictures_of_a_batch_change_nothing(guided, wide):
    batch = said(padding=(3, 2))
    for name, more in (("guided", {}), ("guided_rollout", numbers(2, 1))):
        found = guided[name](image=wide, **batch, **more)
        for i in range(2):
            alone = said(ARROWS[i : i + 1], PINS[i : i + 1])
            ones = {key: value[:1] for key, value in more.items()}
            one = guided[name](image=wide[i : i + 1], **alone, **ones)
            for key, value in one.items():
                atol = 1 if key == "frames" else 1e-4
                np.testing.assert_allclose(
                    np.float32(found[key][i]), value[0], atol=atol
                )


def test_nothing_need_be_said(guided, told_model, wide):
    nothing = said([[], []], [[], []])
    assert nothing["arrows"].shape == (2, 0, 4)
    flow = guided["guided"](image=wide, **nothing)["flow"]
    np.testing.assert_allclose(flow[0], told_model.flow(wide[0]).flow, atol=1e-4)
    film = guided["guided_rollout"](image=wide, **nothing, **numbers(2, 1))["frames"]
    own = told_model.animate(wide[1], num_predictions=2, frames_per_prediction=1)
    np.testing.assert_allclose(film[1], np.int32(list(own)[1:]), atol=1)


# --- by hand ----------------------------------------------------------------------

HAND_CENTERS = np.float32([[0, 0], [3, 4], [-8, 0]])


class OneCellEach(predictor.Predictor):
    """2 x 2 cells that are scored by what the corners' colours say."""

    frame_size = grid_size = fine_size = 2
    num_steps, centers = 1, HAND_CENTERS

    def _predict(self, frames):
        return decoding.predictions(frames[:, tf.newaxis], HAND_CENTERS, 2)


def test_the_parts_of_a_forecast_by_hand():
    frames = np.zeros((1, 2, 2, 3), np.uint8)
    frames[0, 0, 1] = 0, 200, 0  # surely the second vector
    frames[0, 1, 0] = 200, 0, 200  # the first or the third, none sooner
    found = forecast(OneCellEach(), frames)
    assert "steps" not in found
    np.testing.assert_allclose(found["flow"][0, 0, 1], [3, 4], atol=1e-6)
    np.testing.assert_allclose(found["flow"][0, 1, 0], [-4, 0], atol=1e-6)
    mean = HAND_CENTERS.mean(axis=0)
    np.testing.assert_allclose(found["flow"][0, 0, 0], mean, atol=1e-6)
    np.testing.assert_allclose(
        found["speed"][0], [[np.hypot(*mean), 5], [4, np.hypot(*mean)]], atol=1e-5
    )
    np.testing.assert_allclose(
        found["confidence"][0], [[1 / 3, 1], [0.5, 1 / 3]], atol=1e-6
    )
    assert found["codes"][0, 0, 1] == 1 and found["codes"][0, 1, 0] in (0, 2)
    assert found["probabilities"].shape == (1, 2, 2, 3)
    np.testing.assert_allclose(tf.reduce_sum(found["probabilities"], -1), 1, atol=1e-6)
