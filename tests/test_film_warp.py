"""The shorter ways of films give what the full warp gives."""

import numpy as np
import pytest
import tensorflow as tf

from motionflow.generate import film_warp, warp
from tests.test_warp import constant_flow, noise, rotation


@pytest.mark.parametrize("height, width", [(1, 1), (1, 50), (50, 2), (50, 99)])
def test_read_is_backward(height, width):
    frames = noise(0, 2, height, width, 3)
    still = constant_flow(0, 0, height, width).repeat(2, axis=0)
    np.testing.assert_array_equal(film_warp.read(frames, still), frames)
    flow = noise(1, 2, height, width, 2) / 10 - 12
    expected = warp.backward(frames, flow)
    np.testing.assert_allclose(film_warp.read(frames, flow), expected, atol=1e-2)


def turn(points, degrees=5.0, bend=6.0):
    """Where points [..., 2] of a large picture go: turned and bent, or back again."""
    center = np.array([240, 130])
    x, y = np.moveaxis(points - center, -1, 0)
    if degrees > 0:
        x = x + bend * np.sin(y / 40)
    x, y = np.moveaxis(np.stack([x, y], -1) @ np.transpose(rotation(degrees)), -1, 0)
    if degrees < 0:
        x = x - bend * np.sin(y / 40)
    return np.stack([x, y], -1) + center


def inverse_of(flow, seen=None):
    """The inverse, found on a grid whose shape is added to `seen`."""

    def function(field):
        if seen is not None:
            seen.append(tuple(field.shape[1:3]))
        return warp.invert(field, "magnitude")[0]

    return film_warp.smoothly(function, tf.constant(flow, tf.float32)).numpy()


def test_smooth_motion_is_inverted_up_to_a_twentieth_of_a_pixel():
    points = np.stack(np.meshgrid(np.arange(480.0), np.arange(320.0)), axis=-1)
    came = turn(points, -5)
    np.testing.assert_allclose(turn(came), points, atol=1e-9)
    seen = []
    found = inverse_of((turn(points) - points)[None], seen)
    assert seen == [(160, 240)]
    inner = np.all((came > 2) & (came < [477, 317]), axis=-1)
    error = np.linalg.norm(found[0] - (came - points), axis=-1)[inner]
    assert inner.mean() > 0.8 and error.max() < 0.05


def test_the_grid_depends_on_the_size():
    seen = []
    for height, width in ((200, 200), (1, 900), (299, 500), (720, 960)):
        inverse_of(constant_flow(1, 2, height, width), seen)
    assert seen == [(200, 200), (1, 900), (299, 500), (180, 240)]


@pytest.mark.parametrize("side", [310, 610])
def test_an_occluding_figure_keeps_its_edge(side):
    frames, flow = noise(0, 1, side, side, 3), constant_flow(0, 0, side, side)
    flow[0, 100:120, 80:110] = [7, 3]
    moved = film_warp.read(frames, inverse_of(flow))
    patch = frames[0, 100:120, 80:110]
    np.testing.assert_allclose(moved[0, 103:123, 87:117], patch, atol=1e-2)
    still = np.ones((side, side), bool)
    still[100:123, 80:117] = False
    np.testing.assert_array_equal(moved[0].numpy()[still], frames[0][still])


def test_what_leaves_the_frame_is_not_inside():
    inside = film_warp.inside(constant_flow(2.25, -1, 4, 6))[0]
    row = [1, 1, 1, 0.75, 0, 0]
    np.testing.assert_allclose(inside, [[0] * 6, row, row, row], atol=1e-6)
