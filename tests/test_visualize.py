"""Colours by hand, still pixels, and figures that repeat byte for byte."""

import colorsys

import numpy as np
import pytest
from PIL import Image

from motionflow import visualize


def test_colours_of_the_four_directions():
    flow = np.array([[5.0, 0], [0, 5], [-5, 0], [0, -5], [0, 0]])
    expected = [
        [255, 0, 0],  # right, 0 degrees: red
        [128, 255, 0],  # down, 90: yellow-green
        [0, 255, 255],  # left, 180: cyan
        [128, 0, 255],  # up, 270: violet
        [0, 0, 0],  # still: black
    ]
    colors = visualize.flow_to_color(flow)
    assert colors.dtype == np.uint8
    np.testing.assert_allclose(colors, expected, atol=1)


def test_brightness_is_length():
    flow = np.array([[1.0, 0], [2, 0], [4, 0], [8, 0]])
    colors = visualize.flow_to_color(flow, max_magnitude=4)
    # A quarter, a half, all, clipped.
    np.testing.assert_allclose(colors[:, 0], [64, 128, 255, 255], atol=1)
    assert not colors[:, 1:].any()
    # Without a maximum the longest vector is the brightest.
    assert visualize.flow_to_color(flow)[:, 0].tolist() == [32, 64, 128, 255]


def test_opposite_directions_have_complementary_hues():
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False) + 0.1
    flow = 3 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    there, back = visualize.flow_to_color(flow), visualize.flow_to_color(-flow)
    for one, other, angle in zip(there, back, angles, strict=True):
        hue = colorsys.rgb_to_hsv(*one / 255)[0]
        opposite = colorsys.rgb_to_hsv(*other / 255)[0]
        assert hue == pytest.approx(angle / (2 * np.pi), abs=0.005)
        assert abs(hue - opposite) == pytest.approx(0.5, abs=0.005)


def test_still_flow_is_black_and_leaves_the_frame():
    frame = np.random.default_rng(0).integers(0, 256, [20, 20, 3]).astype(np.uint8)
    still = np.zeros([4, 4, 2])
    assert not visualize.flow_to_color(still).any()
    np.testing.assert_array_equal(visualize.overlay_flow(frame, still), frame)


def test_overlay_colours_the_moving_cell_only():
    frame = np.random.default_rng(1).integers(0, 256, [20, 20, 3]).astype(np.uint8)
    flow = np.zeros([4, 4, 2])
    flow[1, 2] = (3, 0)  # right, in rows 5-9 and columns 10-14
    picture = visualize.overlay_flow(frame, flow, opacity=1.0)
    moving = np.zeros([20, 20], bool)
    moving[5:10, 10:15] = True
    np.testing.assert_array_equal(picture[~moving], frame[~moving])
    assert (picture[moving] == [255, 0, 0]).all()
    # At half the greatest length and opacity 0.8 the colour's share is 0.4.
    pale = visualize.overlay_flow(frame, flow, max_magnitude=6, opacity=0.8)
    mixed = 0.6 * frame[moving] + 0.4 * np.array([255, 0, 0])
    np.testing.assert_allclose(pale[moving], mixed, atol=0.5)


def test_wheel_points_where_its_colour_says():
    wheel = visualize.color_wheel(101).astype(int)
    assert wheel[50, 100].tolist() == [255, 0, 0]  # right
    np.testing.assert_allclose(wheel[100, 50], [128, 255, 0], atol=1)  # bottom
    np.testing.assert_allclose(wheel[50, 0], [0, 255, 255], atol=1)  # left
    assert wheel[50, 50].tolist() == [0, 0, 0]
    assert wheel[0, 0].tolist() == [255, 255, 255]  # outside


def confusion() -> np.ndarray:
    counts = np.random.default_rng(2).integers(0, 50, [6, 6])
    counts[4] = 0
    return counts


def test_confusion_rows_are_normalised_and_absent_ones_blank():
    figure = visualize.confusion_figure(confusion(), zero_index=2, title="t")
    shares = figure.axes[0].images[0].get_array()
    assert shares.mask[4].all() and not shares.mask[[0, 1, 2, 3, 5]].any()
    np.testing.assert_allclose(shares.sum(axis=1).compressed(), np.ones(5))
    counts = confusion()
    assert shares[0, 3] == pytest.approx(counts[0, 3] / counts[0].sum())
    # The still class is marked on both axes.
    top, right = figure.axes[0].lines
    assert top.get_marker() == "v" and top.get_xdata()[0] == 2
    assert right.get_marker() == "<" and right.get_ydata()[0] == 2


def make_figure(name: str):
    rng = np.random.default_rng(3)
    if name == "confusion":
        return visualize.confusion_figure(confusion(), 2, "t")
    if name == "cells":
        return visualize.cell_map_figure(rng.random([4, 4]), "t", "%")
    if name == "codebook":
        return visualize.codebook_figure(rng.normal(size=[6, 2]), np.arange(6))
    frames = rng.integers(0, 256, [2, 20, 20, 3]).astype(np.uint8)
    return visualize.prediction_strip(
        frames, *rng.normal(size=[2, 2, 4, 4, 2]), ["a", "b"]
    )


@pytest.mark.parametrize("name", ["confusion", "cells", "codebook", "strip"])
def test_figures_repeat_byte_for_byte(name, tmp_path):
    paths = tmp_path / "one.png", tmp_path / "two.png"
    for path in paths:
        visualize.save_figure(make_figure(name), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with Image.open(paths[0]) as image:
        assert min(image.size) > 300
        assert "Software" not in image.info


def test_cell_map_and_codebook_keep_their_axes():
    values = np.zeros([4, 4])
    values[1, 3] = 1  # row 1, column 3
    image = visualize.cell_map_figure(values, "t", "%").axes[0].images[0]
    assert image.get_array()[1, 3] == 1 and image.get_array().sum() == 1
    centers, counts = np.array([[0.0, 0], [3, 0], [0, 5]]), np.array([7, 2, 1])
    axes = visualize.codebook_figure(centers, counts).axes[0]
    points = axes.collections[0]
    np.testing.assert_array_equal(points.get_offsets(), centers)  # largest first
    assert axes.yaxis_inverted()  # dy points down
    np.testing.assert_allclose(points.get_facecolors()[1, :3], [1, 0, 0])


def test_strip_shows_frame_truth_and_prediction():
    rng = np.random.default_rng(4)
    frames = rng.integers(0, 256, [2, 20, 20, 3]).astype(np.uint8)
    true, pred = np.zeros([2, 2, 4, 4, 2])
    true[:, 1, 1] = (0, 4)
    pred[:, 1, 1] = (0, 2)
    figure = visualize.prediction_strip(frames, true, pred, ["walk", "wave"])
    shown = [axes.images[0].get_array() for axes in figure.axes]
    assert len(shown) == 7  # three a row and the legend
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:3] == ["walk", "true flow, up to 4.0 px", "predicted, up to 2.0 px"]
    np.testing.assert_array_equal(shown[3], frames[1])
    # Down is yellow-green; both on the scale of the truth, so the prediction is paler.
    green = np.array([128, 255, 0])
    np.testing.assert_allclose(
        shown[1][7, 7], 0.2 * frames[0, 7, 7] + 0.8 * green, atol=1
    )
    np.testing.assert_allclose(
        shown[2][7, 7], 0.6 * frames[0, 7, 7] + 0.4 * green, atol=1
    )


def test_history_draws_a_line_for_each_curve():
    curves = {"training": [3.0, 2.0, 1.5], "validation": [3.1, 2.5, 2.6]}
    axes = visualize.history_figure([1, 2, 3], curves, "loss").axes[0]
    assert [line.get_label() for line in axes.lines] == ["training", "validation"]
    np.testing.assert_array_equal(axes.lines[1].get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), [3.1, 2.5, 2.6])
    assert axes.get_ylabel() == "loss" and axes.get_xlabel() == "epoch"
    assert axes.get_legend() is not None
    alone = visualize.history_figure([1, 2], {"training": [2.0, 1.0]}, "loss").axes[0]
    assert alone.get_legend() is None
