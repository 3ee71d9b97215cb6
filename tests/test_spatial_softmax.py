import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, softmax

from motionflow.models import spatial_softmax

CENTERS = np.array([[0, 0], [2, 1], [-3, 5]], np.float32)


def random_logits(*shape):
    return np.random.default_rng(0).normal(size=(*shape, 3)).astype(np.float32)


def test_loss_of_equal_scores_is_log_k_for_each_cell():
    codes = tf.zeros((3, 2, 20, 20), tf.int32)
    loss = spatial_softmax.loss(codes, tf.zeros((3, 2, 20, 20, 40)))
    np.testing.assert_allclose(loss, [800 * np.log(40)] * 3, rtol=1e-6)


def test_loss_is_scipys_log_softmax_summed_over_cells():
    logits, codes = random_logits(2, 4), np.array([[0, 1, 2, 1], [2, 2, 0, 0]])
    picked = np.take_along_axis(log_softmax(logits, -1), codes[..., None], -1)
    expected = -picked[..., 0].sum(1)
    np.testing.assert_allclose(spatial_softmax.loss(codes, logits), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_all_is_float32_for_low_precision_logits(dtype):
    # A loss of 400 * log(40) = 1475.6 would be 1472 in bfloat16.
    logits = tf.zeros((1, 1, 20, 20, 40), dtype)
    loss = spatial_softmax.loss(tf.zeros((1, 1, 20, 20), tf.int32), logits)
    np.testing.assert_allclose(loss, [400 * np.log(40)], rtol=1e-6)
    answer = spatial_softmax.predictions(logits, np.ones((40, 2), np.float64), 20)
    assert {key: value.dtype for key, value in answer.items()} == {
        "flow": tf.float32,
        "probabilities": tf.float32,
        "codes": tf.int32,
        "step_probabilities": tf.float32,
    }


def test_certain_scores_give_the_centre_of_each_cell():
    codes = np.array([[[[0, 1], [2, 1]]]])
    logits = 100 * np.eye(3, dtype=np.float32)[codes]
    flow = spatial_softmax.expected_flow(logits, CENTERS)
    expected = [[[[[0, 0], [2, 1]], [[-3, 5], [2, 1]]]]]
    np.testing.assert_allclose(flow, expected, atol=1e-6)
    answer = spatial_softmax.predictions(logits, CENTERS, 2)
    np.testing.assert_array_equal(answer["codes"], codes[:, 0])


def test_equal_scores_give_the_mean_of_the_centres():
    flow = spatial_softmax.expected_flow(tf.zeros((1, 4, 3)), CENTERS)
    np.testing.assert_allclose(flow, np.full((1, 4, 2), [-1 / 3, 2]), rtol=1e-6)


def test_probabilities_are_scipys():
    logits = random_logits(2, 4)
    answer = spatial_softmax.probabilities(logits)
    np.testing.assert_allclose(answer, softmax(logits, -1), rtol=1e-5)


def test_means_over_blocks_by_hand():
    values = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    # Rows 0 1 2 3 / 4 5 6 7: the first block is 0, 1, 4, 5.
    expected = [[[[2.5], [4.5]], [[10.5], [12.5]]]]
    np.testing.assert_array_equal(spatial_softmax.to_grid(values, 2), expected)
    steps = np.stack([values, 2 * values], axis=1)
    found = spatial_softmax.to_grid(steps, 2)
    np.testing.assert_array_equal(found[:, 1], 2 * np.float32(expected))


def test_a_cell_has_the_mean_distribution_and_flow_of_its_pixels():
    # Two steps of 4 x 4 pixels on a grid of 2 x 2.
    logits = random_logits(3, 2, 4, 4)
    found = spatial_softmax.predictions(logits, CENTERS, grid_size=2)
    chances = softmax(logits, -1)
    np.testing.assert_allclose(found["step_probabilities"], chances, rtol=1e-5)
    first = chances[:, 0]
    corner = first[:, :2, 2:].mean(axis=(1, 2))  # top right
    np.testing.assert_allclose(found["probabilities"][:, 0, 1], corner, rtol=1e-5)
    flow = (first @ CENTERS)[:, :2, 2:].mean(axis=(1, 2))
    np.testing.assert_allclose(found["flow"][:, 0, 1], flow, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found["codes"][:, 0, 1], corner.argmax(axis=-1))
