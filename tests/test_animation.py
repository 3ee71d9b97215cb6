"""Moments: the input first, each frame with the flow that moves it."""

import numpy as np
import pytest

from motionflow.errors import InputError
from motionflow.generate.animation import Animation
from tests.conftest import texture
from tests.fake_predictor import FakePredictor

pytestmark = pytest.mark.slow


def test_the_input_and_its_shifts_at_the_pictures_own_size():
    # 96x144: the short side is 1.5 times the network's, so 2 pixels there are 3 here.
    frame = texture(0, 96, 144)
    moments = list(Animation(2, 3).play(FakePredictor(), frame))
    assert len(moments) == Animation(2, 3).num_moments == 1 + 2 * 3
    np.testing.assert_array_equal(moments[0][0].frame, frame)
    for k, (shot,) in enumerate(moments[1:], start=1):
        assert shot.frame.dtype == np.uint8
        difference = shot.frame[:, k:].astype(int) - frame[:, :-k]
        assert np.abs(difference).max() <= 1
        assert shot.flow.shape == (96, 144, 2)
        np.testing.assert_allclose(shot.flow[..., 0], 3, atol=1e-5)
        np.testing.assert_allclose(shot.flow[..., 1], 0, atol=1e-5)


def test_frames_of_one_prediction_share_its_flow():
    model = FakePredictor()
    flows = [shot.flow for (shot,) in Animation(2, 2).play(model, texture(0, 64, 64))]
    # The input is shown with the first prediction.
    assert [flow is flows[0] for flow in flows] == [True] * 3 + [False] * 2
    assert flows[3] is flows[4]
    assert model.num_calls == 2


def test_temperature():
    # Moving by 2 with a probability of 0.3: 0.6 expected; annealed with 0.5 the
    # probabilities are as 0.49 to 0.09; most probable is rest.
    model, frame = FakePredictor(probability=0.3), texture(0, 64, 64)
    for temperature, expected in [(1.0, 0.6), (0.5, 2 * 0.09 / 0.58), (0.0, 0.0)]:
        animation = Animation(1, 1, temperature=temperature)
        (shot,), _ = animation.play(model, frame)
        np.testing.assert_allclose(shot.flow[..., 0], expected, atol=1e-5)


def test_futures_are_drawn_by_the_seed():
    model, frame = FakePredictor(probability=0.5), texture(0, 64, 64)

    def flows(num_futures, seed):
        animation = Animation(1, 1, num_futures=num_futures, seed=seed)
        return [shot.flow for shot in next(animation.play(model, frame))]

    # On a grid this small a future is all motion or all rest, mostly.
    futures = flows(8, seed=0)
    moving = [flow[8::16, 8::16, 0].mean() > 1 for flow in futures]
    assert 0 < sum(moving) < 8
    # Classes are drawn, so a cell's centre moves by 2 or rests.
    centres = np.array(futures)[:, 8::16, 8::16, 0]
    np.testing.assert_allclose(centres * (2 - centres), 0, atol=0.15)
    np.testing.assert_array_equal(flows(3, seed=0), futures[:3])
    assert (np.array(flows(8, seed=1)) != futures).any()


def test_a_loop_does_not_repeat_the_input():
    animation = Animation(2, 3, mode="loop")
    frame = texture(0, 64, 64)
    moments = list(animation.play(FakePredictor(), frame))
    assert len(moments) == animation.num_moments == 6
    np.testing.assert_array_equal(moments[0][0].frame, frame)
    # The one before the first is closer to it than the middle.
    errors = [np.abs(m[0].frame.astype(int) - frame).mean() for m in moments[1:]]
    assert errors[-1] < errors[2] and errors[-1] > 0


@pytest.mark.parametrize("mode", ["recursive", "euler"])
def test_other_modes_move_everything_too(mode):
    frame = texture(0, 64, 64)
    *_, (shot,) = Animation(2, 1, mode=mode).play(FakePredictor(), frame)
    difference = shot.frame[:, 4:].astype(int) - frame[:, :-4]
    assert np.abs(difference).max() <= 1


def test_what_means_nothing_is_refused():
    with pytest.raises(InputError, match="mode is 'sideways'"):
        Animation(mode="sideways")
    with pytest.raises(InputError, match="give one of the two"):
        Animation(temperature=0.38, num_futures=2)
