"""Flow methods against known flow, averages and grids by hand.

Known flow is of two kinds. A film of a pattern that is a formula, so that every frame
is exact and the flow is known at any point, needs nothing else. Real pairs with ground
truth are read from the folder `flow` of MOTIONFLOW_SHARED and skipped without it.
"""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from motionflow.errors import InputError
from motionflow.labels import flow
from tests.conftest import moving_square

SIDE = 120
CENTER = (SIDE - 1) / 2
POINTS = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1).astype(float)


def gray(frames):
    return [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]


def pattern(points):
    """Brightness at any points [..., 2]: twelve waves, 8 to 50 pixels long."""
    rng = np.random.default_rng(0)
    total = np.zeros(points.shape[:-1])
    for length in np.geomspace(8, 50, 12):
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        along = points @ [np.cos(angle), np.sin(angle)]
        total += np.cos(2 * np.pi * along / length + phase)
    return np.clip(127.5 + 25 * total, 0, 255).round().astype(np.uint8)


class Film:
    """The pattern turning (degrees a frame), growing and shifting about its centre."""

    def __init__(self, turn=0.0, zoom=1.0, shift=(0.0, 0.0)):
        cos, sin = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
        self.matrix = zoom * np.array([[cos, -sin], [sin, cos]])
        self.shift = np.array(shift)

    def later(self, points, time):
        """Where points of frame 0 are in frame `time`."""
        for _ in range(time):
            points = (points - CENTER) @ self.matrix.T + CENTER + self.shift
        return points

    def frame(self, time):
        points = POINTS
        for _ in range(time):
            back = np.linalg.inv(self.matrix).T
            points = (points - CENTER - self.shift) @ back + CENTER
        return pattern(points)


def epe(found, true, known):
    return np.linalg.norm(found - true, axis=-1)[known].mean()


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


@pytest.mark.parametrize(
    # Limits in pixels for motions of 3.7 and, in the mean, 1.7 pixels.
    ("method", "limit"),
    [
        ("deepflow", 0.05),
        ("dis", 0.06),
        ("farneback", 0.1),
        ("tvl1", 0.1),
        ("pcaflow", 0.2),
    ],
)
@pytest.mark.parametrize(
    "film", [Film(shift=(3.25, -1.75)), Film(turn=2, zoom=1.03)], ids=["shift", "turn"]
)
def test_every_method_on_an_exact_film(film, method, limit):
    found = flow.make_flow_function(method)(film.frame(0), film.frame(1))
    end = film.later(POINTS, 1)
    both = np.concatenate([POINTS, end], axis=-1)
    inside = np.all((both > 10) & (both < SIDE - 11), axis=-1)
    assert epe(found, end - POINTS, inside) < limit


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


@pytest.mark.parametrize("sampling", flow.GRID_SAMPLINGS)
@pytest.mark.parametrize(
    ("average", "times"), [("anchored", 2), ("consecutive", 1), ("velocity", 1)]
)
def test_averages_and_grids_of_a_filmed_shift(average, times, sampling):
    film = Film(shift=(1.25, -0.75))
    frames = [film.frame(time) for time in range(4)]
    dense = flow.average_flow(frames, flow.make_flow_function("dis"), average)
    grid = flow.to_grid(dense, 12, sampling)
    expected = np.broadcast_to([times * 1.25, times * -0.75], (10, 10, 2))
    np.testing.assert_allclose(grid[1:-1, 1:-1], expected, atol=0.1)


def exact_labels(film):
    """(average, sampling) -> the film's true grid, 12x12 cells of 10 pixels."""
    labels = {}
    # This motion is linear in the place, so the mean over a block is the flow at its
    # middle, pixel 4.5; and at a fixed place it is the same at every time.
    for sampling, middle in (("area", 4.5), ("point", 5)):
        points = np.stack(np.meshgrid(*[np.arange(middle, SIDE, 10)] * 2), axis=-1)
        one, two, three = (film.later(points, time) - points for time in (1, 2, 3))
        labels["anchored", sampling] = (one + two + three) / 3
        labels["consecutive", sampling] = one
        labels["velocity", sampling] = (one + two / 2 + three / 3) / 3
    return labels


@pytest.mark.parametrize("sampling", flow.GRID_SAMPLINGS)
@pytest.mark.parametrize("average", flow.FLOW_AVERAGES)
def test_averages_and_grids_of_a_filmed_turn(average, sampling):
    film = Film(turn=3, zoom=1.05)
    frames = [film.frame(time) for time in range(4)]
    dense = flow.average_flow(frames, flow.make_flow_function("dis"), average)
    grid = flow.to_grid(dense, 12, sampling)
    errors = {
        choice: np.abs(grid - label)[3:-3, 3:-3].mean()
        for choice, label in exact_labels(film).items()
    }
    assert errors[average, sampling] < 0.08
    # Each reading is closer to its own label than to those of the five others.
    assert min(errors, key=errors.get) == (average, sampling)


def ground_truth(first, second, truth):
    """Two gray frames, their flow and where it is known; names relative to `flow`."""
    folder = Path(os.environ.get("MOTIONFLOW_SHARED", ""), "flow")
    if not (folder / truth).is_file():
        pytest.skip(f"no {truth} in the folder flow of MOTIONFLOW_SHARED")
    frames = [cv2.imread(str(folder / name)) for name in (first, second)]
    true = cv2.readOpticalFlow(str(folder / truth))
    before, after = (cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames)
    return before, after, true, np.all(np.abs(true) < 1e9, axis=-1)


RUBBER_WHALE = [
    f"middlebury_RubberWhale/{name}"
    for name in ("frame10.png", "frame11.png", "flow10.flo")
]
SINTEL = [
    f"sintel_0029/{name}"
    for name in ("frame_0029.png", "frame_0030.png", "gt_frame_0029.flo")
]
CHAIRS = [f"flyingchairs/0000001-{name}" for name in ("img0.ppm", "img1.ppm", "gt.flo")]


@pytest.mark.parametrize(
    # No motion at all has errors of 1.26 and 4.51 pixels.
    ("files", "limit"),
    [(RUBBER_WHALE, 0.125), (CHAIRS, 1.15)],
    ids=["middlebury", "chairs"],
)
def test_deepflow_on_real_pairs(files, limit):
    before, after, true, known = ground_truth(*files)
    found = flow.make_flow_function("deepflow")(before, after)
    assert epe(found, true, known) < limit


def test_deepflow_on_sintel_is_close_to_a_reference_output():
    before, after, true, known = ground_truth(*SINTEL)
    *_, reference, _ = ground_truth(
        *SINTEL[:2], "sintel_0029/ref_DeepFlow_frame_0029.flo"
    )
    found = flow.make_flow_function("deepflow")(before, after)
    assert epe(found, true, known) < 1.27  # no motion at all: 10.36
    assert epe(found, reference, known) < 0.25


@pytest.mark.parametrize(
    # The middle 160x160 of RubberWhale, where no motion at all has an error of 1.33.
    ("method", "limit"),
    [
        ("deepflow", 0.15),
        ("dis", 0.3),
        ("farneback", 0.45),
        ("tvl1", 0.2),
        ("pcaflow", 0.3),
    ],
)
def test_every_method_on_a_real_pair(method, limit):
    before, after, true, known = (
        np.ascontiguousarray(array[94:254, 192:352])
        for array in ground_truth(*RUBBER_WHALE)
    )
    found = flow.make_flow_function(method)(before, after)
    assert epe(found, true, known) < limit


def test_bad_choices():
    with pytest.raises(InputError, match="none of deepflow"):
        flow.make_flow_function("raft")
    with pytest.raises(InputError, match="flow_average"):
        flow.average_flow([np.zeros((4, 4))] * 2, constant_speed, "none")
    with pytest.raises(InputError, match="grid_sampling"):
        flow.to_grid(np.zeros((4, 4, 2), np.float32), 2, "max")
    with pytest.raises(InputError, match="does not divide"):
        flow.to_grid(np.zeros((5, 5, 2), np.float32), 2)


def test_a_view_of_a_larger_frame_is_taken():
    before, after = gray(moving_square((3, -2), 2, seed=0))
    found = flow.make_flow_function("dis")(before[::2, ::2], after[::2, ::2])
    assert found.shape == (100, 100, 2)
