"""Figures say what they show, and repeat byte for byte."""

import numpy as np
import pytest
from PIL import Image

from motionflow.drawing import plots


def confusion() -> np.ndarray:
    counts = np.random.default_rng(2).integers(0, 50, [6, 6])
    counts[4] = 0
    return counts


def test_confusion_rows_are_normalised_and_absent_ones_blank():
    figure = plots.confusion_figure(confusion(), zero_index=2, title="t")
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
        return plots.confusion_figure(confusion(), 2, "t")
    if name == "cells":
        return plots.cell_map_figure(rng.random([4, 4]), "t", "%")
    if name == "codebook":
        return plots.codebook_figure(rng.normal(size=[6, 2]), np.arange(6))
    frames = rng.integers(0, 256, [2, 20, 20, 3]).astype(np.uint8)
    return plots.prediction_strip(frames, *rng.normal(size=[2, 2, 4, 4, 2]), ["a", "b"])


@pytest.mark.parametrize("name", ["confusion", "cells", "codebook", "strip"])
def test_figures_repeat_byte_for_byte(name, tmp_path):
    paths = tmp_path / "one.png", tmp_path / "two.png"
    for path in paths:
        plots.save_figure(make_figure(name), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with Image.open(paths[0]) as image:
        assert min(image.size) > 300
        assert "Software" not in image.info


def test_cell_map_and_codebook_keep_their_axes():
    values = np.zeros([4, 4])
    values[1, 3] = 1  # row 1, column 3
    image = plots.cell_map_figure(values, "t", "%").axes[0].images[0]
    assert image.get_array()[1, 3] == 1 and image.get_array().sum() == 1
    centers, counts = np.array([[0.0, 0], [3, 0], [0, 5]]), np.array([7, 2, 1])
    axes = plots.codebook_figure(centers, counts).axes[0]
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
    figure = plots.prediction_strip(frames, true, pred, ["walk", "wave"])
    shown = [axes.images[0].get_array() for axes in figure.axes]
    assert len(shown) == 7  # three a row and the legend
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:3] == ["walk", "true flow, up to 4.0 px", "predicted, up to 2.0 px"]
    assert titles[3] == "direction of flow"
    np.testing.assert_array_equal(shown[4], frames[1])
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
    axes = plots.history_figure([1, 2, 3], curves, "loss").axes[0]
    assert [line.get_label() for line in axes.lines] == ["training", "validation"]
    np.testing.assert_array_equal(axes.lines[1].get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), [3.1, 2.5, 2.6])
    assert axes.get_ylabel() == "loss" and axes.get_xlabel() == "epoch"
    assert axes.get_legend() is not None
    alone = plots.history_figure([1, 2], {"training": [2.0, 1.0]}, "loss").axes[0]
    assert alone.get_legend() is None


def test_examples_are_spread_over_what_moves():
    choose = plots.choose_examples
    # The median is 0.15; samples 1, 3, 4 and 7 reach it. Ends and middle of these.
    moving = np.array([0, 0.2, 0.1, 0.5, 0.4, 0, 0.1, 0.9])
    np.testing.assert_array_equal(choose(moving, 2), [1, 7])
    np.testing.assert_array_equal(choose(moving, 4), [1, 3, 4, 7])
    np.testing.assert_array_equal(choose(moving, 9), [1, 3, 4, 7])
    # Mostly still: the median is 0, and yet only the one that moves is taken.
    np.testing.assert_array_equal(choose(moving[[0, 5, 1]], 6), [2])
    # Nothing moves at all.
    np.testing.assert_array_equal(choose(np.zeros(3), 2), [0, 2])
