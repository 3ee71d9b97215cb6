"""Decodings against hand-worked values and the laws of the distributions they draw."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

from motionflow.compat import graph
from motionflow.models import decoding, losses

CENTERS = np.array([[0, 0], [4, 0], [0, -2]], np.float32)
FAR = np.array([[0, 0], [2, 1], [-3, 5]], np.float32)
CHANCES = np.array([[[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]], np.float32)


def test_expected_and_mode_by_hand():
    flow = decoding.decode(CHANCES, CENTERS)
    np.testing.assert_allclose(flow, [[[1.2, -0.4], [0.4, -1.6]]], rtol=1e-6)
    mode = decoding.decode(CHANCES, CENTERS, 0)
    np.testing.assert_array_equal(mode, [[[0, 0], [0, -2]]])


def test_annealing_by_hand():
    # At T = 1/2 probabilities are squared: .25, .09, .04 of .38.
    found = decoding.reweight(CHANCES, 0.5)[0, 0]
    np.testing.assert_allclose(found, np.array([25, 9, 4]) / 38, rtol=1e-5)
    np.testing.assert_allclose(decoding.reweight(CHANCES, 1.0), CHANCES, rtol=1e-5)
    # Cold: the mode. Hot: uniform.
    cold = decoding.decode(CHANCES, CENTERS, 0.01)
    np.testing.assert_allclose(cold, decoding.decode(CHANCES, CENTERS, 0), atol=1e-5)
    np.testing.assert_allclose(decoding.reweight(CHANCES, 1e6), 1 / 3, atol=1e-5)


def test_prior_correction_by_hand():
    prior = np.array([0.5, 0.25, 0.25])
    # .5 / .5, .3 / .25, .2 / .25 = 1, 1.2, .8 of 3.
    found = decoding.reweight(CHANCES, prior=prior)[0, 0]
    np.testing.assert_allclose(found, np.array([1, 1.2, 0.8]) / 3, rtol=1e-5)
    # What says no more than the prior says nothing.
    same = decoding.reweight(np.broadcast_to(np.float32(prior), (1, 2, 3)), prior=prior)
    np.testing.assert_allclose(same, 1 / 3, rtol=1e-5)


def test_probabilities_of_zero_stay_finite():
    sure = np.array([[[1.0, 0, 0]]], np.float32)
    even = np.full(3, 0.1)
    for found in (decoding.reweight(sure, 0.1), decoding.reweight(sure, prior=even)):
        np.testing.assert_allclose(found, sure, atol=1e-6)


def test_it_decodes_in_a_graph_as_it_does_outside():
    decode = graph(lambda p: decoding.decode(p, CENTERS, 0.1))
    sure = np.eye(3, dtype=np.float32)[None, None]
    np.testing.assert_allclose(decode(sure)[0, 0], CENTERS, atol=1e-6)


def test_futures_follow_the_distribution():
    noise = decoding.future_noise(2000, (6, 6), 3, seed=0)
    chances = np.tile(CHANCES[0, 0], (1, 6, 6, 1))
    flows = decoding.sample_flows(chances, CENTERS, noise)
    assert flows.shape == (2000, 1, 6, 6, 2)
    shares = [
        (flows == center).all(axis=-1).mean(axis=(0, 1)).ravel() for center in CENTERS
    ]  # [class, cell]
    # Standard error over 2000 independent futures: at most sqrt(.25 / 2000) = .011.
    np.testing.assert_allclose(np.array(shares).T, [CHANCES[0, 0]] * 36, atol=0.045)


def test_futures_are_coherent_and_repeatable():
    noise = decoding.future_noise(400, (20, 20), 3, seed=1)
    chances = np.tile(CHANCES[0, 0], (1, 20, 20, 1))
    flows = decoding.sample_flows(chances, CENTERS, noise)[:, 0]
    same = (flows[:, :, 1:] == flows[:, :, :-1]).all(axis=-1).mean()
    far = (flows[:, :, 10:] == flows[:, :, :10]).all(axis=-1).mean()
    # Independent cells agree with probability .5^2 + .3^2 + .2^2 = .38.
    assert far == pytest.approx(0.38, abs=0.02)
    assert same > 0.75
    again = decoding.future_noise(400, (20, 20), 3, seed=1)
    np.testing.assert_array_equal(noise, again)
    assert not np.array_equal(noise, decoding.future_noise(400, (20, 20), 3, seed=2))


def test_a_repeated_distribution_is_drawn_once():
    noise = decoding.future_noise(5, (4, 4), 3, seed=0)
    one = np.tile(CHANCES[0, 0], (1, 4, 4, 1))
    repeated = decoding.sample_flows(
        np.broadcast_to(one[0], (3, 4, 4, 3)), CENTERS, noise
    )
    plain = decoding.sample_flows(np.repeat(one, 3, axis=0), CENTERS, noise)
    np.testing.assert_array_equal(repeated, plain)


def random_logits(*shape):
    return np.random.default_rng(0).normal(size=(*shape, 3)).astype(np.float32)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_all_is_float32_for_low_precision_logits(dtype):
    # A loss of 400 * log(40) = 1475.6 would be 1472 in bfloat16.
    logits = tf.zeros((1, 1, 20, 20, 40), dtype)
    loss = losses.cross_entropy(tf.zeros((1, 1, 20, 20), tf.int32), logits)
    np.testing.assert_allclose(loss, [400 * np.log(40)], rtol=1e-6)
    answer = decoding.predictions(logits, np.ones((40, 2), np.float64), 20)
    assert {key: value.dtype for key, value in answer.items()} == {
        "flow": tf.float32,
        "probabilities": tf.float32,
        "codes": tf.int32,
        "step_probabilities": tf.float32,
    }


def test_certain_scores_give_the_centre_of_each_cell():
    codes = np.array([[[[0, 1], [2, 1]]]])
    logits = 100 * np.eye(3, dtype=np.float32)[codes]
    flow = decoding.decode(decoding.probabilities(logits), FAR)
    expected = [[[[[0, 0], [2, 1]], [[-3, 5], [2, 1]]]]]
    np.testing.assert_allclose(flow, expected, atol=1e-6)
    answer = decoding.predictions(logits, FAR, 2)
    np.testing.assert_array_equal(answer["codes"], codes[:, 0])


def test_probabilities_are_scipys():
    logits = random_logits(2, 4)
    answer = decoding.probabilities(logits)
    np.testing.assert_allclose(answer, softmax(logits, -1), rtol=1e-5)


def test_means_over_blocks_by_hand():
    values = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    # Rows 0 1 2 3 / 4 5 6 7: the first block is 0, 1, 4, 5.
    expected = [[[[2.5], [4.5]], [[10.5], [12.5]]]]
    np.testing.assert_array_equal(decoding.to_grid(values, 2), expected)
    steps = np.stack([values, 2 * values], axis=1)
    found = decoding.to_grid(steps, 2)
    np.testing.assert_array_equal(found[:, 1], 2 * np.float32(expected))


def test_a_cell_has_the_mean_distribution_and_flow_of_its_pixels():
    # Two steps of 4 x 4 pixels on a grid of 2 x 2.
    logits = random_logits(3, 2, 4, 4)
    found = decoding.predictions(logits, FAR, grid_size=2)
    chances = softmax(logits, -1)
    np.testing.assert_allclose(found["step_probabilities"], chances, rtol=1e-5)
    first = chances[:, 0]
    corner = first[:, :2, 2:].mean(axis=(1, 2))  # top right
    np.testing.assert_allclose(found["probabilities"][:, 0, 1], corner, rtol=1e-5)
    flow = (first @ FAR)[:, :2, 2:].mean(axis=(1, 2))
    np.testing.assert_allclose(found["flow"][:, 0, 1], flow, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found["codes"][:, 0, 1], corner.argmax(axis=-1))
