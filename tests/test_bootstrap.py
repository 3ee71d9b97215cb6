"""The bootstrap against theory, scipy, and hand-worked values."""

import numpy as np
import pytest
from scipy import stats

from motionflow.scoring import bootstrap
from motionflow.scoring.bootstrap import (
    draw_weights,
    interval,
    rank_correlation,
    rank_correlations,
    verdict,
)


def test_each_draw_has_as_many_clips():
    weights = draw_weights(np.array(["b", "a", "c", "d"]), 500, seed=0)
    np.testing.assert_array_equal(weights.sum(axis=1), 4)
    # Each clip counts once on average; binomial, so its variance is 1 - 1/4.
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=4 * (0.75 / 500) ** 0.5)
    np.testing.assert_allclose(weights.var(axis=0), 0.75, atol=0.25)


def test_a_source_is_drawn_as_a_whole():
    weights = draw_weights(np.array(["x", "y", "x", "z", "y"]), 50, seed=1)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    np.testing.assert_array_equal(weights[:, 1], weights[:, 4])
    np.testing.assert_array_equal(weights[:, [0, 1, 3]].sum(axis=1), 3)
    again = draw_weights(np.array(["x", "y", "x", "z", "y"]), 50, seed=1)
    np.testing.assert_array_equal(weights, again)


def test_interval_of_a_mean_covers_as_theory_says():
    """Mean of 200 normal values: the interval is mean +- 1.96 / sqrt(200)."""
    values = np.random.default_rng(0).normal(5, 1, 200)
    weights = draw_weights(np.arange(200), 4000, seed=0)
    low, high = interval(weights @ values / 200)
    half = 1.96 * values.std() / 200**0.5
    assert (low, high) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.015
    )


def test_interval_leaves_out_what_has_no_value():
    draws = np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])
    bounds = interval(draws)
    # Quantiles .025 and .975 of {1, 3}, linear: 1 + 2 * .025 and 1 + 2 * .975.
    np.testing.assert_allclose(bounds[:, 0], [1.05, 2.95])
    assert np.isnan(bounds[:, 1]).all()


@pytest.mark.parametrize(
    ("bounds", "larger_is_better", "expected"),
    [
        ((0.1, 0.3), True, "better"),
        ((0.1, 0.3), False, "worse"),
        ((-0.3, -0.1), True, "worse"),
        ((-0.3, -0.1), False, "better"),
        ((-0.1, 0.3), True, "tie"),
        ((-0.1, 0.3), False, "tie"),
        ((0.0, 0.3), True, "tie"),
        ((5e-5, 6e-5), True, "tie"),  # two films of one model differ so
        ((-2e-3, -1e-3), True, "worse"),
    ],
)
def test_verdict(bounds, larger_is_better, expected):
    assert verdict(np.array(bounds), larger_is_better) == expected


def test_rank_correlation_agrees_with_scipy():
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 6, [2, 40]).astype(float)  # with many equal values
    y += x
    found = rank_correlation(x, y)
    assert found == pytest.approx(stats.spearmanr(x, y).statistic)
    # Weights: the same as observations written several times.
    weights = rng.integers(0, 4, [3, 40]).astype(float)
    for row, rho in zip(weights, rank_correlation(x, y, weights), strict=True):
        times = row.astype(int)
        expected = stats.spearmanr(np.repeat(x, times), np.repeat(y, times)).statistic
        assert rho == pytest.approx(expected)


def test_rank_correlations_of_drawn_clips(monkeypatch):
    """Draws two by two, each as if its clips' observations stood there so often."""
    monkeypatch.setattr(bootstrap, "_RANKS_AT_ONCE", 2 * 30 + 1)
    rng = np.random.default_rng(3)
    clips, y = np.repeat([2, 0, 1, 3], [10, 5, 8, 7]), rng.normal(size=30)
    rows = y + rng.normal(size=30), rng.integers(0, 3, 30), np.ones(30)
    weights = draw_weights(np.arange(4), 5, seed=0)
    found = rank_correlations(rows, y, weights, clips)
    assert np.isnan(found[2]).all()
    for draw, weight in enumerate(weights):
        times = weight[clips].astype(int)
        for x, rho in zip(rows[:2], found[:2, draw], strict=True):
            repeated = np.repeat(x, times), np.repeat(y, times)
            assert rho == pytest.approx(stats.spearmanr(*repeated).statistic)


def test_rank_correlation_of_a_constant_is_unknown():
    assert np.isnan(rank_correlation(np.ones(5), np.arange(5.0)))
