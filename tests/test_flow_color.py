"""Colours by hand and by colorsys; still pixels stay."""

import colorsys

import numpy as np
import pytest

from motionflow.drawing import flow_color


def test_colours_of_the_four_directions():
    flow = np.array([[5.0, 0], [0, 5], [-5, 0], [0, -5], [0, 0]])
    expected = [
        [255, 0, 0],  # right, 0 degrees: red
        [128, 255, 0],  # down, 90: yellow-green
        [0, 255, 255],  # left, 180: cyan
        [128, 0, 255],  # up, 270: violet
        [0, 0, 0],  # still: black
    ]
    colors = flow_color.flow_to_color(flow)
    assert colors.dtype == np.uint8
    np.testing.assert_allclose(colors, expected, atol=1)


def test_brightness_is_length():
    flow = np.array([[1.0, 0], [2, 0], [4, 0], [8, 0]])
    colors = flow_color.flow_to_color(flow, max_magnitude=4)
    # A quarter, a half, all, clipped.
    np.testing.assert_allclose(colors[:, 0], [64, 128, 255, 255], atol=1)
    assert not colors[:, 1:].any()
    # Without a maximum the longest vector is the brightest.
    assert flow_color.flow_to_color(flow)[:, 0].tolist() == [32, 64, 128, 255]


def test_opposite_directions_have_complementary_hues():
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False) + 0.1
    flow = 3 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    there, back = flow_color.flow_to_color(flow), flow_color.flow_to_color(-flow)
    for one, other, angle in zip(there, back, angles, strict=True):
        hue = colorsys.rgb_to_hsv(*one / 255)[0]
        opposite = colorsys.rgb_to_hsv(*other / 255)[0]
        assert hue == pytest.approx(angle / (2 * np.pi), abs=0.005)
        assert abs(hue - opposite) == pytest.approx(0.5, abs=0.005)


def test_still_flow_is_black_and_leaves_the_frame():
    frame = np.random.default_rng(0).integers(0, 256, [20, 20, 3]).astype(np.uint8)
    still = np.zeros([4, 4, 2])
    assert not flow_color.flow_to_color(still).any()
    np.testing.assert_array_equal(flow_color.overlay_flow(frame, still), frame)


def test_overlay_colours_the_moving_cell_only():
    frame = np.random.default_rng(1).integers(0, 256, [20, 20, 3]).astype(np.uint8)
    flow = np.zeros([4, 4, 2])
    flow[1, 2] = (3, 0)  # right, in rows 5-9 and columns 10-14
    picture = flow_color.overlay_flow(frame, flow, opacity=1.0)
    moving = np.zeros([20, 20], bool)
    moving[5:10, 10:15] = True
    np.testing.assert_array_equal(picture[~moving], frame[~moving])
    assert (picture[moving] == [255, 0, 0]).all()
    # At half the greatest length and opacity 0.8 the colour's share is 0.4.
    pale = flow_color.overlay_flow(frame, flow, max_magnitude=6, opacity=0.8)
    mixed = 0.6 * frame[moving] + 0.4 * np.array([255, 0, 0])
    np.testing.assert_allclose(pale[moving], mixed, atol=0.5)


def test_wheel_points_where_its_colour_says():
    wheel = flow_color.color_wheel(101).astype(int)
    assert wheel[50, 100].tolist() == [255, 0, 0]  # right
    np.testing.assert_allclose(wheel[100, 50], [128, 255, 0], atol=1)  # bottom
    np.testing.assert_allclose(wheel[50, 0], [0, 255, 255], atol=1)  # left
    assert wheel[50, 50].tolist() == [0, 0, 0]
    assert wheel[0, 0].tolist() == [255, 255, 255]  # outside
