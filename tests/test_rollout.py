import numpy as np
import pytest
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.generate import rollout, warp

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
    flow = warp.resize_flow(coarse, HEIGHT, WIDTH)
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
