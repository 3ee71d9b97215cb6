"""Decodings against hand-worked values and the laws of the distributions they draw."""

import numpy as np
import pytest

from motionflow.models import decoding

CENTERS = np.array([[0, 0], [4, 0], [0, -2]], np.float32)
CHANCES = np.array([[[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]], np.float32)


def test_expected_and_mode_by_hand():
    flow = decoding.expected_flow(CHANCES, CENTERS)
    np.testing.assert_allclose(flow, [[[1.2, -0.4], [0.4, -1.6]]], rtol=1e-6)
    mode = decoding.mode_flow(CHANCES, CENTERS)
    np.testing.assert_array_equal(mode, [[[0, 0], [0, -2]]])


def test_annealing_by_hand():
    # At T = 1/2 probabilities are squared: .25, .09, .04 of .38.
    found = decoding.anneal(CHANCES, temperature=0.5)[0, 0]
    np.testing.assert_allclose(found, np.array([25, 9, 4]) / 38, rtol=1e-5)
    np.testing.assert_allclose(decoding.anneal(CHANCES, 1.0), CHANCES, rtol=1e-5)
    # Cold: the mode. Hot: uniform.
    cold = decoding.expected_flow(decoding.anneal(CHANCES, 0.01), CENTERS)
    np.testing.assert_allclose(cold, decoding.mode_flow(CHANCES, CENTERS), atol=1e-5)
    np.testing.assert_allclose(decoding.anneal(CHANCES, 1e6), 1 / 3, atol=1e-5)


def test_prior_correction_by_hand():
    prior = np.array([0.5, 0.25, 0.25])
    # .5 / .5, .3 / .25, .2 / .25 = 1, 1.2, .8 of 3.
    found = decoding.correct_prior(CHANCES, prior)[0, 0]
    np.testing.assert_allclose(found, np.array([1, 1.2, 0.8]) / 3, rtol=1e-5)
    half = decoding.correct_prior(CHANCES, prior, strength=0.5)[0, 0]
    weights = np.array([0.5, 0.3, 0.2]) / np.sqrt(prior)
    np.testing.assert_allclose(half, weights / weights.sum(), rtol=1e-5)
    np.testing.assert_allclose(
        decoding.correct_prior(CHANCES, prior, 0.0), CHANCES, rtol=1e-5
    )
    # What says no more than the prior says nothing.
    same = decoding.correct_prior(np.broadcast_to(prior, (1, 2, 3)), prior)
    np.testing.assert_allclose(same, 1 / 3, rtol=1e-5)


def test_probabilities_of_zero_stay_finite():
    sure = np.array([[[1.0, 0, 0]]], np.float32)
    for found in (decoding.anneal(sure), decoding.correct_prior(sure, np.full(3, 0.1))):
        np.testing.assert_allclose(found, sure, atol=1e-6)


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
