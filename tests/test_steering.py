"""A place that is told to be somewhere arrives; pins and masks hold what they hold."""

import numpy as np
import pytest

import motionflow
from motionflow.errors import InputError
from motionflow.generate import rollout
from motionflow.generate.animation import Animation
from motionflow.generate.control import Control
from motionflow.media import drawn
from tests.conftest import texture
from tests.fake_predictor import FakePredictor
from tests.told_predictor import ToldPredictor

pytestmark = pytest.mark.slow


def chart(height, width):
    """A frame whose colours are its places: column, row."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, 0 * rows], axis=-1).astype(np.uint8)


def origin(frame, place):
    """Where what is at a place of a film of a `chart` came from: x and y."""
    x, y = np.rint(place).astype(int)
    return np.float32(frame[y, x, :2])


def last_frame(frame, control, predictor=None, **options):
    """The end of a film of three predictions."""
    options = {"num_predictions": 3, "frames_per_prediction": 2} | options
    film = Animation(**options, control=control).play(
        predictor or ToldPredictor(), frame
    )
    return list(film)[-1][0].frame


@pytest.mark.parametrize("mode", ["composed", "recursive", "euler"])
def test_a_place_arrives(mode):
    # Between the centres of cells, of a picture half as large again and wider.
    control = Control([((60, 41), (78, 50))])
    last = last_frame(chart(96, 144), control, mode=mode)
    np.testing.assert_allclose(origin(last, (78, 50)), [60, 41], atol=1)


@pytest.mark.parametrize("mode", ["composed", "euler"])
def test_two_places_arrive_and_a_pin_stays(mode):
    places, ends = [(20, 20), (44, 20), (32, 40)], [(14, 30), (50, 26), (32, 40)]
    control = Control([(places[0], ends[0]), (places[1], ends[1])], [places[2]])
    last = last_frame(chart(64, 64), control, mode=mode)
    for place, end in zip(places, ends, strict=True):
        np.testing.assert_allclose(origin(last, end), place, atol=1)


@pytest.fixture(scope="module")
def model_in_the_box():
    return motionflow.load()


@pytest.mark.parametrize("mode", ["composed", "euler"])
def test_a_place_of_a_drawn_figure_arrives(model_in_the_box, mode):
    """Within two pixels at the size of the network; a chart is moved the same way."""
    frame = drawn.make_clip(0, seed=3).frame(0)
    animation = Animation(mode=mode, control=Control([((130, 90), (148, 80))]))
    film = animation.play(model_in_the_box.predictor, frame)
    flows = [shot.flow for (shot,) in film][1::5]
    moved = rollout.generate(
        lambda _: flows.pop(0)[np.newaxis], chart(200, 266)[np.newaxis], mode=mode
    )
    np.testing.assert_allclose(origin(moved[0, -1], (148, 80)), [130, 90], atol=2)


def test_arrows_travel():
    predictor = ToldPredictor()
    control = Control([((12, 12), (36, 12))])  # three cells, in three steps of one
    last_frame(texture(0, 64, 64), control, predictor)
    for step, told in enumerate(predictor.told):
        at = tuple(np.argwhere(told[0, ..., 0])[0])
        assert at == (1, 1 + step)
        np.testing.assert_allclose(told[0][at][1:3], [8, 0], atol=0.05)
        assert not told[..., 4:].any()  # what was predicted is no past


def test_the_measured_past_goes_along():
    # A block of cells that moves by one cell a step.
    predictor, past = ToldPredictor(goes_on=True), np.full((8, 8, 2), np.nan)
    past[2:5, 1:4] = 8, 0
    last_frame(texture(0, 64, 64), Control(past=past), predictor)
    for step, told in enumerate(predictor.told):
        np.testing.assert_allclose(told[0, 3, 2 + step, 4:], [1, 8, 0], atol=0.1)
        assert not told[0, 3, 1 + step - 2 : 1 + step - 1, 4:].any() or not step


def test_the_measured_past_is_told():
    predictor = ToldPredictor()
    past = np.full((8, 8, 2), np.nan)
    past[2, 3] = 1, -2
    last_frame(texture(0, 64, 64), Control(past=past), predictor)
    expected = np.zeros((8, 8, 3))
    expected[2, 3] = 1, 1, -2
    np.testing.assert_array_equal(predictor.told[0][0, ..., 4:], expected)


def test_what_is_black_stays_to_the_last_bit():
    mask = np.zeros((64, 64), np.uint8)
    mask[:, :32] = 255
    frame = texture(0, 64, 64)
    control = Control([((20, 20), (20, 30))], mask=mask)
    last = last_frame(frame, control, mode="euler")
    np.testing.assert_array_equal(last[:, 32:], frame[:, 32:])
    assert (last[:, 10:30] != frame[:, 10:30]).any()
    # Any model can be held back. What moves may cover the edge of what stays.
    last = last_frame(frame, Control(mask=mask), FakePredictor(), mode="euler")
    np.testing.assert_array_equal(last[:, 34:], frame[:, 34:])


def test_a_mask_travels_with_what_it_holds():
    # What is white has left its place when the second prediction comes.
    mask = np.zeros((64, 64), np.uint8)
    mask[24:40, 10:26] = 255
    control = Control(mask=mask, strength=4)
    last = last_frame(chart(64, 64), control, FakePredictor(vector=(2, 0)))
    np.testing.assert_allclose(origin(last, (18 + 3 * 4 * 2, 32)), [18, 32], atol=1)


def test_strength():
    model = FakePredictor(vector=(2, 0))
    last = last_frame(chart(64, 64), Control(strength=1.5), model)
    np.testing.assert_allclose(origin(last, (20 + 1.5 * 6, 32)), [20, 32])
    # What is told goes so much farther, and the network hears what was said.
    predictor, control = ToldPredictor(), Control([((20, 32), (26, 32))], strength=2)
    last = last_frame(chart(64, 64), control, predictor)
    np.testing.assert_allclose(origin(last, (32, 32)), [20, 32], atol=1)
    assert predictor.told[0][..., 1].max() == pytest.approx(2)


def test_a_place_that_has_left_is_told_no_more():
    predictor, control = ToldPredictor(), Control([((60, 30), (72, 30))])
    last_frame(texture(0, 64, 64), control, predictor)
    assert [told[..., 0].sum() for told in predictor.told] == [1, 0, 0]


def test_a_model_that_cannot_be_told_says_which_can():
    for control in (Control([((1, 2), (3, 4))]), Control(pins=[(1, 2)])):
        with pytest.raises(InputError, match="--model=default"):
            last_frame(texture(0, 64, 64), control, FakePredictor())
