"""Where the evaluation's arrows point: on grids whose peaks are known."""

import itertools

import numpy as np
import pytest

from motionflow.baselines.arrows import draw_arrows, draw_batch, smoothed_magnitude


def blob(*places, side=12):
    """Blocks of 3x3 cells that move to the left by some pixels; nothing else does."""
    flow = np.zeros([side, side, 2], np.float32)
    for row, column, speed in places:
        flow[row - 1 : row + 2, column - 1 : column + 2, 0] = -speed
    return flow


def draw(flow, num, frame=0, seed=0):
    return draw_arrows(flow, num, seed, b"a.avi", frame).tolist()


def cell(row, column, side=12):
    return row * side + column


def test_the_height_is_a_mean_of_nine_cells():
    height = smoothed_magnitude(blob((4, 5, 9)))
    # Nine, six, four of the nine cells move; then three, two and one.
    assert height[4, 5] == 9 and height[4, 6] == 6 and height[5, 6] == 4
    assert height[4, 7] == 3 and height[5, 7] == 2 and height[6, 7] == 1
    # The edge is repeated: at a corner all nine are that corner's block.
    assert smoothed_magnitude(blob((1, 1, 9)))[0, 0] == 9


def test_the_peak_comes_first_and_then_the_next_largest():
    found = draw(blob((4, 5, 9)), 5)
    assert found[0] == cell(4, 5)
    beside = {cell(3, 5), cell(5, 5), cell(4, 4), cell(4, 6)}
    assert set(found[1:]) == beside


def test_chances_are_the_heights():
    flow = blob((3, 3, 9), (8, 8, 3))
    first = [draw(flow, 1, frame)[0] for frame in range(600)]
    assert set(first) == {cell(3, 3), cell(8, 8)}
    # 3 of 4; the standard deviation of the share is 0.018.
    assert first.count(cell(3, 3)) / 600 == pytest.approx(0.75, abs=0.07)


def test_arrows_are_nested_and_belong_to_the_sample():
    flow = np.random.default_rng(0).normal(0, 2, (12, 12, 2))
    ten = draw(flow, 10)
    assert len(set(ten)) == 10
    assert [draw(flow, num) for num in (1, 3)] == [ten[:1], ten[:3]]
    assert draw(flow, 10, frame=1) != ten and draw(flow, 10, seed=1) != ten
    batch = {
        "flow": np.stack([blob((4, 5, 9)), flow]),
        "clip": np.array([b"b.avi", b"a.avi"]),
        "frame_index": np.array([7, 0]),
    }
    assert draw_batch(batch, 10, 0)[1].tolist() == ten


def test_near_peaks_wait_for_the_others():
    flow = np.zeros([12, 12, 2])
    flow[2, 2] = flow[2, 4] = flow[9, 9] = 0, 9
    near = {cell(2, 2), cell(2, 4)}
    for frame in range(20):
        found = draw(flow, 4, frame)
        assert set(found[:2]) != near and set(found[:3]) == near | {cell(9, 9)}


def test_nobody_points_at_rest_while_something_moves():
    # Noise has a hundred small peaks; the lone cell's mean of nine is nine times less.
    flow = np.random.default_rng(1).normal(0, 0.12, (12, 12, 2))
    flow[3, 8], flow[9, 2] = [2, 0], [0, 0.6]
    for frame in range(40):
        assert set(draw(flow, 2, frame)) <= {cell(3, 8), cell(9, 2)}


def test_a_frame_at_rest_is_told_so():
    still = np.zeros([4, 4, 2])
    found = [draw(still, 3, frame) for frame in range(30)]
    assert all(len(set(cells)) == 3 for cells in found)
    # No corner is preferred: all of the cells are drawn at times.
    assert set(itertools.chain(*found)) == set(range(16))


def test_there_are_no_more_arrows_than_cells():
    assert sorted(draw(np.ones([2, 2, 2]), 9)) == [0, 1, 2, 3]
    assert draw(np.ones([2, 2, 2]), 0) == []
