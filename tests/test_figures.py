"""Which samples are drawn."""

import numpy as np

from motionflow.scoring import figures


def test_best_and_worst_are_of_other_clips():
    gain = np.array([0.5, 0.4, np.nan, -0.2, 0.1, 0.3])
    clips = np.array([0, 0, 1, 2, 2, 3])
    # Best of each clip: .5, .1, .3; worst of each: .4, -.2, .3.
    best, worst = figures.choose_extremes(gain, clips, 6)
    assert (best.tolist(), worst.tolist()) == ([0], [3])  # three clips: one each
    clips = np.array([0, 1, 2, 3, 4, 5])
    best, worst = figures.choose_extremes(gain, clips, 2)
    assert (best.tolist(), worst.tolist()) == ([0, 1], [3, 4])
    best, worst = figures.choose_extremes(np.full(6, np.nan), clips, 2)
    assert len(best) == len(worst) == 0
