"""Gaps of scenes whose motion is known are filled with what was there."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.films import METHODS
from motionflow.films.filling import KEPT, Filler, restore
from tests.conftest import moving_square, texture
from tests.fake_predictor import FakePredictor

pytestmark = pytest.mark.slow

SIZE, STEP = 64, 2
INSIDE = slice(16, -16)


def panning(num_frames, step=STEP):
    """The whole picture moves `step` pixels to the right in each frame."""
    # Coarse enough not to be taken for another shot when it has moved.
    scene = cv2.resize(texture(0, 16, 32), None, fx=4, fy=4)
    starts = [step * (num_frames - i) for i in range(num_frames)]
    return [scene[:, start : start + SIZE] for start in starts]


def filler_of(method, dx, **options):
    return Filler(FakePredictor((dx, 0)) if method == "predicted" else None, **options)


def filled(filler, before, after, num_frames):
    sides = [[] if frame is None else [frame] for frame in (before, after)]
    pairs = list(filler.fill(*sides, num_frames))
    return [frame for frame, _ in pairs], [how for _, how in pairs]


def numbered(frames, missing):
    return [(i, f) for i, f in enumerate(frames) if i not in missing]


@pytest.mark.parametrize("m", [1, 2, 4])
@pytest.mark.parametrize("has_end, how", [(True, "symmetric"), (False, "forward")])
def test_a_steady_motion_is_restored_exactly(has_end, how, m):
    frames = panning(5)
    filler = filler_of("predicted", m * STEP, frames_per_prediction=m)
    found, hows = filled(filler, frames[0], frames[4] if has_end else None, 3)
    assert [way.split()[0] for way in hows] == [how] * 3
    for frame, truth in zip(found, frames[1:4], strict=True):
        assert frame.dtype == np.uint8
        np.testing.assert_array_equal(frame[:, INSIDE], truth[:, INSIDE])


def test_two_frames_take_one_prediction_by_default():
    frames = panning(4)
    found, _ = filled(filler_of("predicted", 2 * STEP), frames[0], None, 3)
    np.testing.assert_array_equal(found[2][:, INSIDE], frames[3][:, INSIDE])


def test_both_ends_know_what_one_end_cannot():
    """A red square uncovers background that only the frame after the gap shows."""
    background = cv2.resize(texture(1, 16, 16), (SIZE, SIZE))
    frames = []
    for left in (10, 18, 26):
        frame = background.copy()
        frame[20:40, left : left + 16] = (255, 0, 0)
        frames.append(frame)

    class RedMoves(FakePredictor):  # 8 pixels a frame, the rest stands still
        grid_size = fine_size = SIZE

        def __call__(self, images):
            red = (images[..., 0] > 200) & (images[..., 1] < 50)
            return {
                "step_probabilities": tf.one_hot(tf.cast(red, tf.int32), 2)[:, None]
            }

    uncovered = (slice(24, 36), slice(11, 17))
    errors, filler = [], Filler(RedMoves((8, 0)), frames_per_prediction=1)
    for after in (frames[2], None):
        (frame,), _ = filled(filler, frames[0], after, 1)
        errors.append(np.abs(frame.astype(int) - frames[1])[uncovered].mean())
    assert errors[0] < 2 < 10 < errors[1]


def test_flow_that_is_computed_needs_no_model():
    frames = panning(5)
    found, hows = filled(Filler(), frames[0], frames[4], 3)
    assert hows == ["flow"] * 3
    for number, (frame, truth) in enumerate(zip(found, frames[1:4], strict=True), 1):
        mixed = (1 - number / 4) * frames[0] + number / 4 * frames[4]
        error, worse = (
            np.abs(f.astype(float) - truth)[INSIDE, INSIDE].mean()
            for f in (frame, mixed)
        )
        assert 4 * error < worse


def test_flow_finds_a_square_half_way():
    frames = moving_square((4, 0), 3, seed=0)
    (frame,), _ = filled(Filler(), frames[0], frames[2], 1)
    error = np.abs(frame.astype(int) - frames[1]).mean(axis=-1)
    inside = error[70:130, 74:134]
    assert inside.mean() < 2
    nothing = np.abs(frames[0].astype(int) - frames[1]).mean(axis=-1)[70:130, 74:134]
    assert nothing.mean() > 20


@pytest.mark.parametrize(
    "method, at_cut, at_start, at_end",
    [
        ("predicted", "forward", "backward", "forward"),
        ("flow", "repeat", "repeat", "repeat"),
    ],
)
def test_what_is_done_with_one_good_side(method, at_cut, at_start, at_end):
    filler = filler_of(method, 0)
    one, other = texture(1, SIZE, SIZE), 255 - texture(7, SIZE, SIZE) // 3
    found, hows = filled(filler, one, other, 1)
    np.testing.assert_array_equal(found[0], one)
    assert hows == [f"{at_cut} (shot cut)"]
    found, hows = filled(filler, None, other, 2)
    np.testing.assert_array_equal(found[0], other)
    assert hows == [f"{at_start} (start of the video)"] * 2
    found, hows = filled(filler, one, None, 2)
    np.testing.assert_array_equal(found[1], one)
    assert hows == [f"{at_end} (end of the video)"] * 2


def test_backwards_is_the_motion_before():
    frames = panning(6)
    filler = filler_of("predicted", 2 * STEP)
    found, _ = filled(filler, None, frames[5], 5)
    for frame, truth in zip(found, frames[:5], strict=True):
        np.testing.assert_array_equal(frame[:, INSIDE], truth[:, INSIDE])


@pytest.mark.parametrize("method", METHODS)
def test_a_long_gap_is_not_filled_by_motion(method):
    frames = panning(6)
    filler = filler_of(method, 4, max_gap=3)
    found, hows = filled(filler, frames[0], frames[5], 4)
    assert hows == ["repeat (long gap)"] * 4
    assert all((frame == frames[0]).all() for frame in found)
    _, hows = filled(filler, frames[0], frames[4], 3)
    assert "long" not in hows[0]


def test_every_frame_comes_once():
    frames = panning(12)
    missing = {0, 1, 4, 6, 7, 8, 11}
    filler = filler_of("predicted", 2 * STEP)
    pairs = list(restore(numbered(frames, missing), 0, 11, filler))
    assert len(pairs) == 12
    assert {i for i, (_, how) in enumerate(pairs) if how != KEPT} == missing
    for i, (frame, _) in enumerate(pairs):
        np.testing.assert_array_equal(frame[:, INSIDE], frames[i][:, INSIDE])


def test_frames_are_read_as_they_are_needed():
    read = []

    def source():
        for number, frame in numbered(panning(30), {3}):
            read.append(number)
            yield number, frame

    restored = restore(source(), 0, 29, Filler())
    for _ in range(4):  # 0, 1, 2 and the missing 3
        next(restored)
    assert read == [0, 1, 2, 4]


@pytest.mark.parametrize("method", METHODS)
def test_a_gap_of_nothing_and_odd_sizes(method):
    filler = filler_of(method, 1)
    first, last = texture(0, 17, 31), texture(1, 17, 31)
    assert list(filler.fill([first], [last], 0)) == []
    found, _ = filled(filler, first, last, 2)
    assert [frame.shape for frame in found] == [(17, 31, 3)] * 2


def test_what_cannot_be_restored_is_said():
    frame, filler = texture(0, SIZE, SIZE), Filler()
    with pytest.raises(InputError, match="no good frame"):
        list(restore([], 0, 3, filler))
    with pytest.raises(InputError, match="frame number 2 where 3 to 5 are expected"):
        list(restore([(2, frame), (2, frame)], 0, 5, filler))
    with pytest.raises(InputError, match="frame number 6 where 0 to 5"):
        list(restore([(6, frame)], 0, 5, filler))
    with pytest.raises(InputError, match="several sizes: 64x64 and 64x60"):
        list(restore([(0, frame), (1, frame[:60])], 0, 5, filler))
    tiny = frame[:8, :8]
    with pytest.raises(InputError, match="8x8 are too small for optical flow"):
        list(Filler().fill([tiny], [tiny], 1))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"max_gap": 0}, "max_gap is 0"),
        ({"frames_per_prediction": 0}, "frames_per_prediction is 0"),
    ],
)
def test_impossible_fillers(options, message):
    with pytest.raises(InputError, match=message):
        Filler(**options)
