"""The answers that need no network, against loops."""

import numpy as np
import tensorflow as tf

from motionflow.data import known
from motionflow.models import naive

GRID = 6


def loops(packed, factor, width):
    """`naive_answer` cell by cell, as its text says it."""
    answer = np.zeros((GRID, GRID, 2))
    told = [
        (i, j) for i in range(GRID) for j in range(GRID) if packed[i, j, [0, 3]].any()
    ]
    for i in range(GRID):
        for j in range(GRID):
            if (i, j) in told:
                answer[i, j] = packed[i, j, 1:3]
                continue
            weights = [
                np.exp(-((i - y) ** 2 + (j - x) ** 2) / (2 * width**2)) for y, x in told
            ]
            vectors = [packed[y, x, 1:3] for y, x in told]
            spread = sum(w * v for w, v in zip(weights, vectors, strict=True))
            spread = spread / (sum(weights) + 0.3)
            share = min(1, sum(weights))
            answer[i, j] = share * spread + (1 - share) * factor * packed[i, j, 5:]
    return answer


def test_the_naive_answers_against_loops():
    random = np.random.default_rng(1)
    arrows = np.full((2, GRID, GRID, 2), np.nan)
    arrows[0, 1, 1], arrows[0, 4, 2] = [3, 0], [-1, 2]
    pins = np.zeros((2, GRID, GRID), bool)
    pins[0, 0, 5] = True
    past = random.normal(0, 2, arrows.shape)
    past[:, :2] = np.nan
    packed = known.pack_known((2, GRID, GRID), arrows=arrows, pins=pins, past=past)
    mixed = naive.naive_answer(tf.constant(packed), 0.6, 1.5)
    for found, one in zip(mixed, packed, strict=True):
        np.testing.assert_allclose(found, loops(one, 0.6, 1.5), atol=1e-5)
    # The second sample has no arrow: only the past goes on.
    goes_on = naive.past_goes_on(tf.constant(packed), 0.6)
    np.testing.assert_allclose(goes_on[1], 0.6 * packed[1, ..., 5:], atol=1e-6)
    np.testing.assert_allclose(mixed[1], goes_on[1], atol=1e-6)
    # Without a past the mixture is the spread arrows, less far away.
    only = packed.copy()
    only[..., 4:] = 0
    spread, weight = naive.spread_arrows(tf.constant(only), 1.5)
    np.testing.assert_array_equal(spread[0, 1, 1], [3, 0])
    np.testing.assert_array_equal(spread[0, 0, 5], [0, 0])
    assert weight.numpy()[1].max() == 0 and not spread.numpy()[1].any()
