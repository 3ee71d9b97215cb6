"""Which samples are drawn."""

import numpy as np

from motionflow.scoring import examples


def test_examples_are_spread_over_what_moves():
    choose = examples.choose_examples
    # The median is 0.15; samples 1, 3, 4 and 7 reach it. Ends and middle of these.
    moving = np.array([0, 0.2, 0.1, 0.5, 0.4, 0, 0.1, 0.9])
    np.testing.assert_array_equal(choose(moving, 2), [1, 7])
    np.testing.assert_array_equal(choose(moving, 4), [1, 3, 4, 7])
    np.testing.assert_array_equal(choose(moving, 9), [1, 3, 4, 7])
    # Mostly still: the median is 0, and yet only the one that moves is taken.
    np.testing.assert_array_equal(choose(moving[[0, 5, 1]], 6), [2])
    # Nothing moves at all.
    np.testing.assert_array_equal(choose(np.zeros(3), 2), [0, 2])


def test_best_and_worst_are_of_other_clips():
    gain = np.array([0.5, 0.4, np.nan, -0.2, 0.1, 0.3])
    clips = np.array([0, 0, 1, 2, 2, 3])
    # Best of each clip: .5, .1, .3; worst of each: .4, -.2, .3.
    best, worst = examples.choose_extremes(gain, clips, 6)
    assert (best.tolist(), worst.tolist()) == ([0], [3])  # three clips: one each
    clips = np.array([0, 1, 2, 3, 4, 5])
    best, worst = examples.choose_extremes(gain, clips, 2)
    assert (best.tolist(), worst.tolist()) == ([0, 1], [3, 4])
    best, worst = examples.choose_extremes(np.full(6, np.nan), clips, 2)
    assert len(best) == len(worst) == 0
