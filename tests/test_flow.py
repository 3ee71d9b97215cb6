"""Flow methods on a known shift, averages and grids by hand."""

import cv2
import numpy as np
import pytest

from motionflow.data import flow
from motionflow.errors import InputError
from tests.conftest import moving_square


def gray(frames):
    return [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]


@pytest.mark.parametrize("method", flow.FLOW_METHODS)
def test_every_method_finds_a_shift_with_the_right_sign(method):
    before, after = gray(moving_square((3, -2), 2, seed=0))
    found = flow.make_flow_function(method)(before, after)
    assert found.shape == (200, 200, 2)
    assert found.dtype == np.float32
    inside = found[80:120, 80:120].reshape(-1, 2)
    # PCA flow is a smooth basis and only roughly right inside a moving square.
    tolerance = 1.5 if method == "pcaflow" else 0.3
    np.testing.assert_allclose(np.median(inside, axis=0), [3, -2], atol=tolerance)


def constant_speed(first, second):
    """A teacher that reads the time from the frame: flow = 2 (t1 - t0) to the right."""
    gap = float(second[0, 0]) - float(first[0, 0])
    return np.stack([np.full((4, 4), 2 * gap), np.zeros((4, 4))], -1).astype("f4")


@pytest.mark.parametrize(
    # Gaps 1, 2, 3 at two pixels a frame: (2 + 4 + 6) / 3 = 4.
    ("average", "expected"),
    [("anchored", 4), ("consecutive", 2), ("velocity", 2)],
)
def test_averages_of_a_steady_motion(average, expected):
    frames = [np.full((4, 4), t, np.uint8) for t in range(4)]
    found = flow.average_flow(frames, constant_speed, average)
    np.testing.assert_allclose(found[..., 0], expected, rtol=1e-6)
    np.testing.assert_array_equal(found[..., 1], 0)


def test_averages_of_a_motion_that_stops():
    # Times 0, 1, 1, 1: anchored flows are 2, 2, 2; consecutive ones 2, 0, 0.
    frames = [np.full((4, 4), t, np.uint8) for t in (0, 1, 1, 1)]
    expected = {"anchored": 2, "consecutive": 2 / 3, "velocity": (2 + 1 + 2 / 3) / 3}
    for average, value in expected.items():
        found = flow.average_flow(frames, constant_speed, average)
        np.testing.assert_allclose(found[..., 0], value, rtol=1e-6)


def test_grid_by_hand():
    dense = np.zeros((4, 4, 2), np.float32)
    dense[0, 0] = 4, 8
    dense[1, 1] = 0, 4
    dense[2, 3] = -4, 0
    area = flow.to_grid(dense, 2)
    np.testing.assert_array_equal(area, [[[1, 3], [0, 0]], [[0, 0], [-1, 0]]])
    # Point samples lie at the blocks' centres: pixels (1, 1), (1, 3), (3, 1), (3, 3).
    point = flow.to_grid(dense, 2, "point")
    np.testing.assert_array_equal(point, [[[0, 4], [0, 0]], [[0, 0], [0, 0]]])


def test_point_grid_of_the_report_lies_at_5_15_195():
    x, y = np.meshgrid(np.arange(200), np.arange(200))
    dense = np.stack([x, y], -1).astype(np.float32)
    point = flow.to_grid(dense, 20, "point")
    np.testing.assert_array_equal(point[0, :, 0], np.arange(5, 200, 10))
    np.testing.assert_array_equal(point[:, 0, 1], np.arange(5, 200, 10))


def test_bad_choices():
    with pytest.raises(InputError, match="none of deepflow"):
        flow.make_flow_function("raft")
    with pytest.raises(InputError, match="flow_average"):
        flow.average_flow([np.zeros((4, 4))] * 2, constant_speed, "none")
    with pytest.raises(InputError, match="grid_sampling"):
        flow.to_grid(np.zeros((4, 4, 2), np.float32), 2, "max")
    with pytest.raises(InputError, match="does not divide"):
        flow.to_grid(np.zeros((5, 5, 2), np.float32), 2)
