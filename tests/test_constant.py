"""Constant baselines worked out by hand on four cells and three classes."""

import numpy as np
import pytest

from motionflow.baselines.constant import constant_rows
from motionflow.labels.codebook import Codebook

# Class 1 is the still one, so "code 0" cannot pass for it.
CODEBOOK = Codebook(np.array([[4, 0], [0, 0], [0, 8]], np.float32))
# 5 samples of a 2x2 grid: cells 0 and 3 mostly still, cell 1 right, cell 2 down.
COUNTS = np.array([[0, 5, 0], [4, 1, 0], [0, 1, 4], [1, 3, 1]])
CODES = np.stack([np.repeat([0, 1, 2], counts) for counts in COUNTS], axis=1)
MEAN_FLOW = np.float32([[[0, 0], [3, 1]], [[0, 6], [1, 1]]])
FLOW = MEAN_FLOW + np.float32([-2, -1, 0, 1, 2]).reshape(5, 1, 1, 1)
ROWS = constant_rows(FLOW, CODES, CODEBOOK)
FRAMES = np.zeros([3, 8, 8, 3], np.uint8)


def test_zero_flow():
    out = ROWS["zero flow"](FRAMES)
    np.testing.assert_array_equal(out["flow"], np.zeros([3, 2, 2, 2]))
    assert out["probabilities"] is None


def test_random_directions_are_at_chance():
    flow, codes = np.zeros((1, 60, 60, 2)), np.zeros((1, 3600), int)
    rows = constant_rows(flow, codes, CODEBOOK, seed=1)
    flow = rows["random directions"](FRAMES)["flow"][0]
    np.testing.assert_allclose(np.linalg.norm(flow, axis=-1), 1e-3, rtol=1e-5)
    # Against motion to the right: cosines of 3,600 independent angles.
    cosines = flow[..., 0] / 1e-3
    assert cosines.mean() == pytest.approx(0, abs=4 * 0.707 / 60)
    assert np.abs(cosines).mean() == pytest.approx(2 / np.pi, abs=4 * 0.308 / 60)


def test_mean_flow():
    out = ROWS["mean flow"](FRAMES)
    # dx: (0 + 3 + 0 + 1) / 4 = 1; dy: (0 + 1 + 6 + 1) / 4 = 2.
    np.testing.assert_array_equal(out["flow"], np.broadcast_to([1, 2], [3, 2, 2, 2]))
    assert out["probabilities"] is None


def test_mean_flow_per_cell():
    flow = ROWS["mean flow per cell"](FRAMES)["flow"]
    assert flow.shape == (3, 2, 2, 2) and flow.dtype == np.float32
    np.testing.assert_array_equal(flow[2, 1, 0], [0, 6])
    np.testing.assert_array_equal(flow[0, 0, 1], [3, 1])


def test_class_prior():
    out = ROWS["class prior"](FRAMES)
    # Counts 5, 10, 5 of 20; with one more each: 6, 11, 6 of 23.
    expected = np.broadcast_to(np.array([6, 11, 6]) / 23, [3, 4, 3])
    np.testing.assert_allclose(out["probabilities"], expected)
    # 6/23 of (4, 0) and 6/23 of (0, 8).
    np.testing.assert_allclose(
        out["flow"], np.broadcast_to([24 / 23, 48 / 23], [3, 2, 2, 2]), rtol=1e-6
    )


def test_class_prior_per_cell():
    out = ROWS["class prior per cell"](FRAMES)
    # Of 5 + 3 smoothed counts: (1, 6, 1), (5, 2, 1), (1, 2, 5), (2, 4, 2).
    expected = np.array([[1, 6, 1], [5, 2, 1], [1, 2, 5], [2, 4, 2]]) / 8
    np.testing.assert_allclose(out["probabilities"][1], expected)
    # Cell 1, row 0 column 1: (4 * 5/8, 8 * 1/8); cell 2, row 1 column 0: (1/2, 5).
    np.testing.assert_allclose(out["flow"][0, 0, 1], [2.5, 1])
    np.testing.assert_allclose(out["flow"][0, 1, 0], [0.5, 5])


def test_constants_are_the_best_of_their_kind():
    """What each baseline is for: no other constant does better on the training data."""
    rng = np.random.default_rng(1)
    flow = rng.normal(np.array([[0, 0], [3, 1], [0, 6], [1, 1]]), size=[50, 4, 2])
    codes = rng.integers(0, 3, [50, 4])
    rows = constant_rows(flow.reshape(50, 2, 2, 2), codes, CODEBOOK)
    best = rows["mean flow per cell"](FRAMES[:1])["flow"].reshape(4, 2)
    error = ((flow - best) ** 2).sum()
    for shift in ([0.1, 0], [0, -0.1]):
        assert ((flow - best - shift) ** 2).sum() > error
