"""Corners and where they go, under shifts that are known."""

import cv2
import numpy as np
import pytest

from motionflow.labels import tracking
from tests.conftest import texture

SIDE = 200
SCENE = cv2.cvtColor(texture(3, SIDE + 60, SIDE + 60), cv2.COLOR_RGB2GRAY)


def shot(dx, dy):
    """The scene as it lies when all of it has moved by (dx, dy)."""
    return np.ascontiguousarray(SCENE[30 - dy : 230 - dy, 30 - dx : 230 - dx])


def test_corners_are_spread_and_flat_cells_have_none():
    frame = shot(0, 0)
    frame[:100] = 90
    corners = tracking.find_corners(frame)
    rows, columns = (corners[:, ::-1] // (SIDE / tracking.NUM_CELLS)).astype(int).T
    counts = np.zeros((tracking.NUM_CELLS,) * 2, int)
    np.add.at(counts, (rows, columns), 1)
    assert not counts[:3].any()
    assert (counts[4:] >= 2).all() and counts.max() == tracking.CORNERS_PER_CELL


@pytest.mark.parametrize("shift", [(0, 0), (3, -2), (-25, 4)])
def test_points_are_found_where_they_went(shift):
    first, second = shot(0, 0), shot(*shift)
    before, after = tracking.track(first, second, tracking.find_corners(first))
    assert len(before) > 100
    moved = np.linalg.norm(after - before - np.array(shift), axis=1)
    assert np.median(moved) < 0.02 and np.mean(moved < 0.5) > 0.98
    # What has left the frame is not found.
    assert tracking.inside(before + np.array(shift), (SIDE + 2, SIDE + 2)).all()


def test_a_frame_that_shows_nothing_keeps_no_point():
    first = shot(0, 0)
    flat = np.full_like(first, 90)
    assert len(tracking.track(first, flat, tracking.find_corners(first))[0]) == 0
    assert len(tracking.track(flat, first, tracking.find_corners(flat))[0]) == 0


def test_points_inside():
    points = np.array([[0, 0], [9, 4], [9.1, 4], [3, -0.1], [3, 4.5]])
    found = tracking.inside(points, (5, 10))  # 5 rows, 10 columns
    assert found.tolist() == [True, True, False, False, False]
