"""Scores of cells against values worked out by hand, and physics."""

import math

import numpy as np
import pytest

from motionflow.errors import InputError
from motionflow.labels.codebook import Codebook
from motionflow.scoring.cells import (
    Prediction,
    Truth,
    flow_scores,
    negative_log_likelihood,
    ranking_by_distance,
    true_class_ranks,
)

CODEBOOK = Codebook(np.array([[0, 0], [4, 0], [0, 4]], np.float32))


def test_ranks_order_equal_scores_by_index():
    scores = np.array([[0.2, 0.5, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25]])
    # First row, sorted stably: class 1, 0, 2, 3. Second row: 0, 1, 2, 3.
    for code, ranks in enumerate([[1, 0], [0, 1], [2, 2], [3, 3]]):
        found = true_class_ranks(scores, np.array([code, code]))
        np.testing.assert_array_equal(found, ranks)


def test_a_flow_ranks_the_classes_by_distance():
    # (3, 1) is sqrt(10) from still, sqrt(2) from right 4, sqrt(18) from down 4.
    ranking = ranking_by_distance(np.array([[3.0, 1.0]]), CODEBOOK.centers)
    np.testing.assert_array_equal(np.argsort(-ranking[0]), [1, 0, 2])
    rng = np.random.default_rng(0)
    flow, centers = rng.normal(0, 3, [50, 2]), rng.normal(0, 3, [12, 2])
    distance = np.hypot(*np.moveaxis(flow[:, None] - centers, -1, 0))
    found = np.argsort(-ranking_by_distance(flow, centers), axis=-1)
    np.testing.assert_array_equal(found, np.argsort(distance, axis=-1))


def test_zero_flow_is_the_still_class():
    out = Prediction.of_output(np.zeros([2, 2, 2, 2]), None, CODEBOOK)
    assert out.flow.shape == (2, 4, 2)
    np.testing.assert_array_equal(out.codes, np.zeros([2, 4]))
    # Right 4 and down 4 are equally near: by index.
    np.testing.assert_array_equal(true_class_ranks(out.ranking, np.full([2, 4], 2)), 2)


def test_masks():
    flow, codes = np.zeros([1, 2, 2, 2]), np.array([[1, 0, 2, 0]])
    canny = np.array([[True, True, False, False]])
    truth = Truth.of_batch(flow, codes, canny, CODEBOOK)
    expected = [[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 1, 0]]  # all, canny, moving
    np.testing.assert_array_equal(truth.masks[:, 0], expected)


def test_random_directions_are_at_chance():
    angles = np.random.default_rng(2).uniform(0, 2 * np.pi, [2, 200_000])
    pred, true = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    _, direction, orientation = flow_scores(pred, true).mean(axis=0)
    # Standard errors: 0.707 / sqrt(200000) = 0.0016 and 0.308 / sqrt(200000) = 0.0007.
    assert direction == pytest.approx(0, abs=0.006)
    assert orientation == pytest.approx(2 / np.pi, abs=0.003)


def test_direction_ignores_length_and_follows_a_turn():
    rng = np.random.default_rng(3)
    pred, true = rng.normal(size=[2, 100, 2]) + 3
    scores = flow_scores(pred, true)
    np.testing.assert_allclose(flow_scores(7 * pred, true)[:, 1:], scores[:, 1:])
    np.testing.assert_allclose(flow_scores(3 * pred, 3 * true)[:, 0], 3 * scores[:, 0])
    turned = flow_scores(pred[:, ::-1] * [-1, 1], true[:, ::-1] * [-1, 1])
    np.testing.assert_allclose(turned, scores, atol=1e-9)  # both by a quarter
    # One of them by a quarter: cosine and sine of an angle make 1.
    quarter = flow_scores(pred[:, ::-1] * [-1, 1], true)
    np.testing.assert_allclose(scores[:, 1] ** 2 + quarter[:, 1] ** 2, 1, atol=1e-9)


def test_zero_vectors_score_zero():
    zero, right = np.zeros([1, 2]), np.array([[1.0, 0]])
    for pred, true in ((zero, right), (right, zero), (zero, zero)):
        np.testing.assert_array_equal(flow_scores(pred, true)[0, 1:], [0, 0])


def test_vanished_probability_costs_a_bounded_amount():
    nll = negative_log_likelihood(
        np.array([[1.0, 0, 0]] * 2, np.float32), np.array([1, 0])
    )
    # The smallest normal float32 is 2^-126.
    np.testing.assert_allclose(nll, [126 * math.log(2), 0])


@pytest.mark.parametrize("bad", ["flow", "probabilities"])
def test_a_diverged_model_is_refused(bad):
    out = {"flow": np.zeros([1, 2, 2, 2]), "probabilities": np.full([1, 4, 3], 1 / 3)}
    out[bad].flat[0] = np.nan
    with pytest.raises(InputError, match=f"predicted {bad} hold NaN"):
        Prediction.of_output(**out, codebook=CODEBOOK)
