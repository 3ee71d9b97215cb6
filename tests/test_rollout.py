import numpy as np
import pytest
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.generate import picture_flow, rollout, warp
from motionflow.generate.fitting import resize
from tests.conftest import texture

pytestmark = pytest.mark.slow

HEIGHT, WIDTH = 24, 32


def noise(batch=1, seed=0):
    shape = (batch, HEIGHT, WIDTH, 3)
    return np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)


class ConstantFlow:
    """Predicts one vector everywhere and remembers the frames it was shown."""

    def __init__(self, dx, dy):
        self.vector, self.seen = tf.constant([dx, dy], tf.float32), []

    def __call__(self, frames):
        self.seen.append(frames)
        return tf.ones([tf.shape(frames)[0], 4, 4, 1]) * self.vector


def shifted(frames, dx, dy):
    """Frames moved by whole pixels right and down, the edge repeated."""
    pad = ((0, 0), (dy, 0), (dx, 0), (0, 0))
    return np.pad(frames, pad, mode="edge")[:, :HEIGHT, :WIDTH]


def test_frames_divide_each_motion_evenly():
    frames = noise()
    predict = ConstantFlow(6, 3)
    video = rollout.generate(predict, frames, 2, 3)
    assert video.shape == (1, 6, HEIGHT, WIDTH, 3) and video.dtype == tf.float32
    for k in range(6):
        expected = shifted(frames, 2 * (k + 1), k + 1)
        np.testing.assert_allclose(video[:, k], expected, atol=1e-2)


def test_each_prediction_sees_the_last_frame_of_the_one_before():
    predict = ConstantFlow(1, 0)
    video = rollout.generate(predict, noise(batch=2), 4, 2)
    assert len(predict.seen) == 4
    np.testing.assert_array_equal(predict.seen[0], noise(batch=2))
    for n in range(1, 4):
        np.testing.assert_array_equal(predict.seen[n], video[:, 2 * n - 1])


def test_the_first_prediction_is_the_reports_warp():
    coarse = np.random.default_rng(1).normal(0, 1.5, (1, 4, 4, 2)).astype(np.float32)
    video = rollout.generate(lambda frames: coarse, noise(), 1, 4)
    flow = resize(coarse, HEIGHT, WIDTH)
    for k in range(1, 5):
        expected, _ = warp.forward(noise(), k / 4 * flow, "magnitude")
        np.testing.assert_allclose(video[:, k - 1], expected, atol=1e-3)


def test_half_pixels_do_not_add_up_to_blur():
    frames = noise()
    video = rollout.generate(ConstantFlow(0.5, 0), frames, 4, 1)
    assert np.abs(video[:, 0] - frames).max() > 20
    np.testing.assert_allclose(video[:, 3], shifted(frames, 2, 0), atol=1e-2)


def test_zero_flow_stands_still():
    video = rollout.generate(ConstantFlow(0, 0), noise().astype(np.uint8), 2, 2)
    for k in range(4):
        np.testing.assert_array_equal(video[:, k], noise().astype(np.uint8))


def test_a_batch_is_its_frames_one_by_one():
    def predict(frames):  # flow that depends on the frame
        return tf.image.resize(frames[..., :2] / 100 - 1, [4, 4])

    together = rollout.generate(predict, noise(batch=2), 2, 2)
    for i in range(2):
        alone = rollout.generate(predict, noise(batch=2)[i : i + 1], 2, 2)
        np.testing.assert_allclose(together[i], alone[0], atol=0.05)


def test_eager_equals_graph_and_graph_is_traced_once():
    traces = []

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
    def play(frames):
        traces.append(1)
        return rollout.generate(ConstantFlow(1.5, -0.5), frames, 2, 2)

    for batch in (1, 2):
        expected = rollout.generate(ConstantFlow(1.5, -0.5), noise(batch), 2, 2)
        np.testing.assert_allclose(play(noise(batch)), expected, atol=1e-2)
    assert len(traces) == 1


@pytest.mark.parametrize("numbers", [(0, 5), (5, 0), (-1, 1)])
def test_numbers_below_one_are_refused(numbers):
    with pytest.raises(InputError, match="expected at least 1"):
        rollout.generate(ConstantFlow(1, 0), noise(), *numbers)


# The modes.


def moved_by(frames, model, num_predictions, frames_per_prediction, mode):
    return rollout.generate(model, frames, num_predictions, frames_per_prediction, mode)


@pytest.mark.parametrize("mode", ["recursive", "composed", "euler"])
def test_one_vector_for_all_is_the_same_in_every_mode(mode):
    video = moved_by(noise(), ConstantFlow(6, 3), 2, 3, mode)
    for k in range(6):
        expected = shifted(noise(), 2 * (k + 1), k + 1)
        np.testing.assert_allclose(video[:, k], expected, atol=1e-2)


def test_recursive_warps_the_warped_frame():
    flow = np.random.default_rng(2).normal(0, 1, (1, 4, 4, 2)).astype(np.float32)
    video = moved_by(noise(), lambda frames: flow, 2, 1, "recursive")
    full = resize(flow, HEIGHT, WIDTH)
    once, _ = warp.forward(noise(), full, "magnitude")
    twice, _ = warp.forward(once, full, "magnitude")
    np.testing.assert_allclose(video[:, 0], once, atol=1e-3)
    np.testing.assert_allclose(video[:, 1], twice, atol=1e-3)


def test_recursive_blurs_where_composed_does_not():
    model = ConstantFlow(0.5, 0)
    blurred = moved_by(noise(), model, 4, 1, "recursive")[:, 3]
    sharp = moved_by(noise(), model, 4, 1, "composed")[:, 3]
    inner = (slice(None), slice(4, -4), slice(4, -4))
    assert np.std(blurred[inner]) < 0.8 * np.std(sharp[inner])


def test_euler_integrates_one_field():
    # A quarter of a radian a prediction; z -> z (1 + i w / m) in each of the m frames.
    size, turn, m = 61, 0.25, 4
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    calls = []

    def model(frames):
        calls.append(1)
        return np.float32(turn * np.stack([-y, x], axis=-1))[None]

    def picture(z):
        return 127 + 100 * np.sin(0.2 * z.real + 0.1 * z.imag) * np.cos(0.15 * z.imag)

    start = np.float32(picture(x + 1j * y))[None, ..., None]
    video = moved_by(start, model, 2, m, "euler")
    assert len(calls) == 1 and video.shape[1] == 8
    for t in (1, 8):
        expected = picture((x + 1j * y) / (1 + 1j * turn / m) ** t)
        inner = np.hypot(x, y) < 18
        error = np.abs(video[0, t - 1, ..., 0] - expected)[inner]
        assert error.max() < 2


def test_a_loop_ends_where_it_begins_without_a_jump():
    frames = texture(0, 48, 64)[None].astype(np.float32)
    model = ConstantFlow(6, 2)
    video = moved_by(frames, model, 2, 4, "loop")
    assert len(model.seen) == 1
    np.testing.assert_array_equal(video[:, -1], frames)
    closed = np.concatenate([frames[:, None], video], axis=1)
    steps = np.abs(np.diff(closed, axis=1)).mean(axis=(0, 2, 3, 4))
    assert steps.min() > 1 and steps.max() < 2 * steps.min()


def test_a_loop_moves_forwards_at_both_ends():
    frames = texture(0, 48, 64)[None].astype(np.float32)
    video = moved_by(frames, ConstantFlow(8, 0), 1, 8, "loop")
    inner = (slice(None), slice(None), slice(12, -12))
    for found, way in ((video[:, 0], 1), (video[:, -2], -1)):
        ahead, behind = (
            np.abs(found[inner] - np.roll(frames, way * pixels, axis=2)[inner]).mean()
            for pixels in (1, -1)
        )
        assert ahead < 0.4 * behind


def test_a_gap_is_filled_from_both_sides():
    scene = texture(3, 40, 80).astype(np.float32)
    # A camera that pans: content moves 2 pixels left a frame.
    film = [scene[None, :, 2 * t : 2 * t + 48] for t in range(5)]
    gap = list(
        rollout.between(ConstantFlow(-4, 0), ConstantFlow(4, 0), film[0], film[4], 3, 2)
    )
    assert len(gap) == 3
    for found, expected in zip(gap, film[1:4], strict=True):
        # What enters at the right is in the last frame only.
        np.testing.assert_allclose(found[:, :, :40], expected[:, :, :40], atol=0.5)
        alone, _ = warp.forward(film[0], np.full((1, 40, 48, 2), [-6, 0]))
        assert np.abs(gap[2] - film[3]).mean() < np.abs(alone - film[3]).mean()


# Large pictures, whose smooth flow is inverted on a coarse grid.


def large(seed=0):
    return texture(seed, 310, 330)[None].astype(np.float32)


@pytest.mark.parametrize("mode", ["recursive", "composed", "euler"])
@pytest.mark.parametrize("dx, dy", [(0, 0), (6, 2)])
def test_large_pictures_move_by_whole_pixels_exactly(mode, dx, dy):
    video = moved_by(large(), ConstantFlow(dx, dy), 2, 2, mode)
    for k in range(4):
        pad = ((0, 0), (dy * (k + 1) // 2, 0), (dx * (k + 1) // 2, 0), (0, 0))
        expected = np.pad(large(), pad, mode="edge")[:, :310, :330]
        np.testing.assert_array_equal(rollout.to_uint8(video[:, k]), expected)


@pytest.mark.parametrize("mode", ["recursive", "composed", "euler"])
def test_large_pictures_turn_as_they_should(mode):
    # A turn by i w a prediction, z -> z (1 + i w / 2) in a frame.
    center, w = (329 + 309j) / 2, 0.06
    z = np.arange(330) + 1j * np.arange(310)[:, None] - center
    flow = 1j * w * z

    def picture(z):
        return 127 + 60 * np.sin(z.real / 4 + z.imag / 9) * np.cos(z.imag / 6)

    start = np.float32(picture(z))[None, ..., None].repeat(3, axis=-1)
    flow = np.float32(np.stack([flow.real, flow.imag], axis=-1))[None]
    video = moved_by(start, lambda frames: flow, 1, 2, mode)
    steps = (1 + 0.5j * w) ** 2 if mode == "euler" else 1 + 1j * w
    error = np.abs(video[0, 1, ..., 0] - picture(z / steps))
    assert error[20:-20, 20:-20].max() < 2


def test_large_gaps_are_filled_up_to_the_border():
    scene = texture(3, 310, 350).astype(np.float32)
    film = [scene[None, :, 6 * t : 6 * t + 310] for t in range(5)]
    gap = list(
        rollout.between(
            ConstantFlow(-12, 0), ConstantFlow(12, 0), film[0], film[4], 3, 2
        )
    )
    for found, expected in zip(gap, film[1:4], strict=True):
        np.testing.assert_allclose(found, expected, atol=1)


def test_large_pictures_of_any_size_in_a_graph(capfd):
    coarse = np.random.default_rng(1).normal(0, 3, (1, 5, 6, 2)).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
    def play(frames):
        return rollout.generate(lambda frames: coarse, frames, 2, 1)

    for frames in (large(), large()[:, :300, :320]):
        expected = rollout.generate(lambda frames: coarse, frames, 2, 1)
        np.testing.assert_allclose(play(frames), expected, atol=0.1)
    assert not capfd.readouterr().err  # TensorFlow has nothing to complain about


def test_an_unknown_mode_is_refused():
    with pytest.raises(InputError, match="'magic'.*recursive, composed"):
        rollout.generate(ConstantFlow(1, 0), noise(), mode="magic")


# Sampled futures.


class Undecided:
    """Left or right, as likely as not."""

    frame_size, grid_size, fine_size, num_steps = HEIGHT, 4, 4, 1
    centers = np.float32([[-3, 0], [3, 0]])

    def __call__(self, frames):
        return {"step_probabilities": tf.fill([tf.shape(frames)[0], 1, 4, 4, 2], 0.5)}


def futures(seed, num_futures=6, **options):
    frames = texture(1, HEIGHT, WIDTH)[None].astype(np.float32)
    model, size = Undecided(), (HEIGHT, WIDTH)
    found = []
    for noise in picture_flow.future_noises(model, size, num_futures, seed):
        flow = picture_flow.flow_function(model, temperature=0, noise=noise)
        found.append(rollout.generate(flow, frames, **options).numpy())
    return np.stack(found)


def test_futures_differ_and_can_be_had_again():
    drawn = futures(0, num_predictions=1, frames_per_prediction=2)
    assert drawn.shape == (6, 1, 2, HEIGHT, WIDTH, 3)
    ends = np.unique(drawn[:, 0, -1].round(2), axis=0)
    assert len(ends) > 1
    again = futures(0, num_predictions=1, frames_per_prediction=2)
    np.testing.assert_array_equal(drawn, again)
    other = futures(1, num_predictions=1, frames_per_prediction=2)
    assert np.abs(other - drawn).mean() > 1
    # A future does not depend on how many others are asked for.
    np.testing.assert_array_equal(
        futures(0, 2, num_predictions=1), futures(0, 4, num_predictions=1)[:2]
    )


def test_a_future_goes_on_as_it_began(monkeypatch):
    moved = []

    def remember(flow, *size):
        if flow.shape[-3] == 4:  # the grid, not the picture
            moved.append(flow.numpy())
        return resize(flow, *size)

    monkeypatch.setattr(picture_flow, "resize", remember)
    futures(2, 1, num_predictions=3, frames_per_prediction=1)
    assert len(moved) == 3
    # 4 x 5 cells of 6 pixels cover 24 x 30 of 24 x 32.
    np.testing.assert_allclose(np.abs(moved[0][..., 0]), 3 * 32 / 30, rtol=1e-5)
    for flow in moved[1:]:
        np.testing.assert_array_equal(flow, moved[0])
