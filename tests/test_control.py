"""What people say about a picture: places, a mask, what is refused."""

import numpy as np
import pytest

from motionflow.errors import InputError
from motionflow.generate.control import Control, measure_past
from tests.conftest import moving_square, texture
from tests.told_predictor import ToldPredictor


def test_places_are_those_of_the_frame_that_is_played_on():
    # Half as large, 200x100 -> 100x50: the centre of the first pixel, at 0, lies a
    # quarter of a new pixel left of the centre of the first new one.
    control = Control([((0, 0), (10, 20))], [(199, 99)]).fitted((100, 200), (50, 100))
    expected = [[-0.25, -0.25, 4.75, 9.75], [99.25, 49.25, 99.25, 49.25]]
    np.testing.assert_allclose(control.places(), expected)
    # The middle square of 200x100, at half the size: 50 pixels at its left are gone.
    control = Control([((50.5, 0.5), (60.5, 0.5))]).fitted((100, 200), (50, 50))
    np.testing.assert_allclose(control.places(), [[0, 0, 5, 0]], atol=1e-6)


def test_strength_makes_arrows_longer():
    control = Control([((10, 10), (20, 12))], [(5, 5)], strength=1.5)
    np.testing.assert_allclose(control.places(), [[10, 10, 25, 13], [5, 5, 5, 5]])


def test_a_mask_is_feathered_inwards():
    mask = np.zeros((100, 100), np.uint8)
    mask[:, 50:] = 255
    weights = Control(mask=mask).weights(100, 100)[..., 0]
    assert (weights[:, :50] == 0).all()
    # Two pixels wide, which is 2 % of the side; the picture's own edge is none.
    np.testing.assert_allclose(weights[40, 50:53], [0.5, 1, 1])
    np.testing.assert_array_equal(weights[0, 60:], 1)
    assert Control().weights(100, 100).shape == (1, 1, 1)


def test_a_mask_follows_the_frame():
    mask = np.zeros((100, 200), bool)
    mask[:, 100:] = True
    weights = Control(mask=mask).fitted((100, 200), (50, 50)).weights(50, 50)[..., 0]
    assert (weights[:, :25] == 0).all() and (weights[:, 26:] == 1).all()


@pytest.mark.parametrize(
    ("control", "message"),
    [
        ({"arrows": [(1, 2, 3, 4)]}, r"arrow \(1, 2, 3, 4\) is no"),
        ({"arrows": [((1, 2), (3, np.nan))]}, "is no"),
        ({"pins": [(1, 2, 3)]}, r"pin \(1, 2, 3\) is no \(x, y\)"),
        ({"pins": [(5, 6)], "arrows": [((5, 6), (7, 8))]}, r"stand at \(5, 6\)"),
        ({"strength": 0}, "strength is 0"),
        ({"mask": np.zeros((40, 40, 3))}, "mask is"),
        ({"pins": [(40, 6)]}, r"\(40, 6\).*outside"),
        ({"arrows": [((-3, 6), (7, 8))]}, r"\(-3, 6\).*outside"),
        ({"mask": np.zeros((40, 30))}, "mask is 30x40, the picture 40x40"),
        ({"mask": np.eye(40), "arrows": [((20, 3), (9, 9))]}, "where nothing moves"),
    ],
)
def test_what_says_nothing_is_refused(control, message):
    with pytest.raises(InputError, match=message):
        Control(**control).fitted((40, 40), (40, 40))


FRAMES = moving_square((3, 0), 6, seed=1)  # 3 pixels a frame
INSIDE = slice(8, 12), slice(10, 14)  # cells of the square, which has come 15 pixels
MODEL = ToldPredictor(size=200, cells=20)


@pytest.mark.parametrize("step_frames", [1, 2, 2.5])
def test_a_steady_motion_is_that_of_a_step(step_frames):
    past, camera = measure_past(MODEL, FRAMES, step_frames)
    assert past.shape == (20, 20, 2) and past.dtype == np.float32
    expected = [3 * step_frames, 0]
    np.testing.assert_allclose(past[INSIDE].mean((0, 1)), expected, atol=0.1)
    np.testing.assert_allclose(past[:, 0], 0, atol=0.05)
    assert not camera.any()


def test_repeated_frames_take_time_and_do_not_count():
    # Each frame is shown twice: half as far in a frame of the video.
    past, _ = measure_past(MODEL, FRAMES.repeat(2, axis=0), 2)
    np.testing.assert_allclose(past[INSIDE].mean((0, 1)), [3, 0], atol=0.1)


def test_a_camera_goes_on_as_it_went():
    scenery = texture(3, 200, 260)
    pan = [scenery[:, 4 * i : 4 * i + 200] for i in range(3)]  # 4 pixels to the right
    past, camera = measure_past(MODEL, pan, 2)
    np.testing.assert_allclose(camera, np.full([20, 20, 2], [-8, 0]), atol=0.1)
    np.testing.assert_allclose(past[2:-2, 2:-2], 0, atol=0.1)


def test_a_wide_picture_has_more_columns():
    wide = np.concatenate([FRAMES, FRAMES[:, :, ::-1]], axis=2)
    past, _ = measure_past(MODEL, wide, 2)
    assert past.shape == (20, 40, 2)
    # Mirrored at the right.
    np.testing.assert_allclose(past[INSIDE].mean((0, 1)), [6, 0], atol=0.1)
    mirrored = past[8:12, -14:-10].mean((0, 1))
    np.testing.assert_allclose(mirrored, [-6, 0], atol=0.1)


def test_what_is_not_known():
    assert measure_past(MODEL, FRAMES[-1:], 2) is None
    other = texture(9, 200, 200)[np.newaxis]
    assert measure_past(MODEL, [*other, FRAMES[-1]], 1) is None
    # Two frames lie behind the cut, one step does.
    frames = [*other, *other, *FRAMES[-2:]]
    assert measure_past(MODEL, frames, 2) is None
    assert measure_past(MODEL, frames, 1) is not None
