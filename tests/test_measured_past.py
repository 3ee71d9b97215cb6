"""The motion before a frame: of the right size, or not known."""

import numpy as np
import pytest

from motionflow.generate.measured_past import measure_past
from tests.conftest import moving_square, texture
from tests.told_predictor import ToldPredictor

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
