"""Augmented samples against physics: the flow must carry one frame onto the next."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from motionflow.data.augmentation import Augmentation, augment, draw
from motionflow.labels.flow import to_grid
from tests.conftest import texture

SIZE, GRID = 200, 20
PIXELS = np.stack(np.meshgrid(*[np.arange(SIZE, dtype=np.float32)] * 2), axis=-1)


def affine_flow(points):
    """A turn with growth around a point near the middle, and a shift."""
    x, y = points[..., 0] - 90, points[..., 1] - 110
    return np.stack([0.02 * x - 0.03 * y + 2, 0.03 * x + 0.02 * y - 1], axis=-1)


def smooth_frames():
    """A frame, and the same one moved by `affine_flow`."""
    after = cv2.GaussianBlur(texture(3, SIZE, SIZE), (0, 0), 4)
    moved = (PIXELS + affine_flow(PIXELS)).astype(np.float32)
    return cv2.remap(after, moved, None, cv2.INTER_LINEAR), after


def run(frames, flow, draws, options, sampling="area"):
    frames, flow = augment(
        tf.constant(np.stack(frames)),
        tf.constant(np.stack(flow)[:, None], tf.float32),
        tf.constant(draws, tf.float32),
        options,
        sampling,
    )
    return frames.numpy(), flow[:, 0].numpy()


# mirror below a half; then side, left, top in the range that is left; then gains.
DRAWS = {
    "whole": [0.9, 0.999999, 0, 0, 0.5],
    "mirrored": [0.1, 0.999999, 0, 0, 0.5],
    "corner": [0.9, 0.0, 0.0, 0.0, 0.5],
    "far corner": [0.9, 0.0, 1.0, 1.0, 0.5],
    "inside": [0.9, 0.4, 0.3, 0.8, 0.5],
    "inside, mirrored": [0.1, 0.4, 0.3, 0.8, 0.5],
}


@pytest.mark.parametrize("sampling", ["area", "point"])
@pytest.mark.parametrize("draws", DRAWS.values(), ids=DRAWS)
def test_flow_carries_the_changed_frame_onto_the_changed_next(draws, sampling):
    before, after = smooth_frames()
    grid = to_grid(affine_flow(PIXELS).astype(np.float32), GRID, sampling)
    options = Augmentation(mirror=True, min_crop=0.6)
    frames, flow = run([before, after], [grid] * 2, [draws] * 2, options, sampling)
    # An affine flow is known everywhere from its values in the cells.
    first = 5 if sampling == "point" else 4.5
    cells = np.indices((GRID, GRID)).reshape(2, -1).T[:, ::-1] * 10 + first
    known = np.column_stack([cells, np.ones(len(cells))])
    fit, residual, *_ = np.linalg.lstsq(known, flow[0].reshape(-1, 2), rcond=None)
    assert residual.max() < 1e-4
    dense = np.concatenate([PIXELS, np.ones((SIZE, SIZE, 1))], axis=-1) @ fit
    target = (PIXELS + dense).astype(np.float32)
    moved = cv2.remap(frames[1], target, None, cv2.INTER_LINEAR)
    inside = ((target > 0) & (target < SIZE - 1)).all(-1)
    assert inside.mean() > 0.8
    error = np.abs(moved - frames[0])[inside]
    still = np.abs(frames[1] - frames[0])[inside]
    assert error.mean() < 0.06 * still.mean(), (error.mean(), still.mean())


def test_a_crop_of_half_the_side_doubles_the_flow_and_shows_the_crop():
    frame = np.zeros((9, 9, 3), np.uint8)
    frame[2, 4] = 200
    flow = np.tile(np.float32([1, -2]), (3, 3, 1))
    # Half the side: 9 pixels from index 0 in steps of a half.
    frames, flows = run([frame], [flow], [[0.9, 0, 0, 0, 0]], Augmentation(True, 0.5))
    expected = np.zeros((9, 9))
    expected[3:6, 7:9] = [[50, 100], [100, 200], [50, 100]]
    expected[3:6, 7:9] = np.outer([0.5, 1, 0.5], [0.5, 1]) * 200
    np.testing.assert_allclose(frames[0, ..., 0], expected)
    np.testing.assert_allclose(flows[0], np.tile([2, -4], (3, 3, 1)))


def test_cells_are_read_where_the_crop_puts_them():
    # dx counts the columns. Half the side from the right edge: index 4 to 8 of 9.
    flow = np.zeros((3, 3, 2), np.float32)
    flow[..., 0] = [0, 1, 2]
    frame = np.zeros((9, 9, 3), np.uint8)
    _, flows = run([frame], [flow], [[0.9, 0, 1, 0, 0]], Augmentation(True, 0.5))
    # The cells' middles, 1, 4, 7, were at 4.5, 6, 7.5: 7/6, 5/3, 13/6 columns; twice.
    np.testing.assert_allclose(flows[0, 1, :, 0], [7 / 3, 10 / 3, 13 / 3], rtol=1e-5)


def test_mirroring_alone_keeps_every_pixel():
    frame = texture(0, 20, 20)
    flow = np.random.default_rng(0).normal(size=(2, 2, 2)).astype(np.float32)
    draws = [[0.4] + [0.5] * 4, [0.6] + [0.5] * 4]
    frames, flows = run([frame] * 2, [flow] * 2, draws, Augmentation(mirror=True))
    np.testing.assert_array_equal(frames[0], cv2.flip(frame, 1))
    np.testing.assert_array_equal(flows[0], flow[:, ::-1] * np.float32([-1, 1]))
    np.testing.assert_array_equal(frames[1], frame)
    np.testing.assert_array_equal(flows[1], flow)


def test_brightness_is_a_gain_that_moves_nothing():
    frame = np.full((2, 2, 3), 100, np.uint8)
    frame[0, 0] = 240
    flow = np.ones((1, 1, 2), np.float32)
    draws = [[0.1, 0, 0, 0, 1.0], [0.1, 0, 0, 0, 0.25]]
    frames, flows = run([frame] * 2, [flow] * 2, draws, Augmentation(brightness=0.2))
    np.testing.assert_allclose(frames[0, :, 0, 0], [255, 120], rtol=1e-6)
    np.testing.assert_allclose(frames[1, :, 0, 0], [216, 90], rtol=1e-6)
    np.testing.assert_array_equal(flows, [flow] * 2)


def recolored(pixels, contrast, saturation, draws):
    """Pixels [n, 3] in a row; draws of the gains of contrast and saturation."""
    frame = np.array(pixels, np.uint8)[None].repeat(len(pixels), axis=0)
    flow = np.ones((1, 1, 2), np.float32)
    options = Augmentation(contrast=contrast, saturation=saturation)
    frames, flows = run([frame], [flow], [[0.1, 0, 0, 0, 0.9, *draws]], options)
    np.testing.assert_array_equal(flows, [flow])
    np.testing.assert_array_equal(frames[0], frames[0, :1].repeat(len(pixels), axis=0))
    return frames[0, 0]


def test_contrast_is_a_gain_about_the_mean_gray():
    # Grays: 0.299 * 100 + 0.587 * 200 + 0.114 * 50 = 153; 53; their mean is 103.
    pixels = [[100, 200, 50], [53, 53, 53]]
    expected = 103 + 1.5 * (np.array(pixels) - 103)
    assert expected.max() < 255 and expected.min() > 0
    np.testing.assert_allclose(recolored(pixels, 0.5, 0, [1, 0]), expected, rtol=1e-5)
    # All the way down, everything is the mean; and up, it is cut.
    np.testing.assert_allclose(recolored(pixels, 1, 0, [0, 0]), 103, rtol=1e-5)
    found = recolored([[0, 0, 0], [240] * 3], 1, 0, [1, 0])
    np.testing.assert_allclose(found, [[0] * 3, [255] * 3])


def test_saturation_is_a_gain_about_each_pixels_gray():
    pixels = [[100, 200, 50], [53, 53, 53]]
    expected = [153 + 0.5 * np.array([-53, 47, -103]), [53] * 3]
    found = recolored(pixels, 0, 0.5, [0.9, 0])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    found = recolored(pixels, 0, 1, [0.9, 0])
    np.testing.assert_allclose(found, [[153] * 3, [53] * 3], rtol=1e-5)


def test_contrast_comes_before_saturation():
    # Contrast halves: grays 128 and 78, colours 101.5, 151.5, 76.5; then grays only.
    found = recolored([[100, 200, 50], [53, 53, 53]], 0.5, 1, [0, 0])
    np.testing.assert_allclose(found, [[128] * 3, [78] * 3], rtol=1e-5)


def test_the_draws_of_older_runs_are_the_first():
    draws = draw(100, seed=3, epoch=2).numpy()
    older = tf.random.stateless_uniform([100, 5], [3, 2])
    np.testing.assert_array_equal(draws[:, :5], older)
    assert draws.shape == (100, 7) and np.all((draws >= 0) & (draws < 1))
    correlations = np.corrcoef(draws.T) - np.eye(7)
    assert np.abs(correlations).max() < 0.4
    assert np.all(draw(100, 3, 1)[:, 5:] != draws[:, 5:])


def test_nothing_asked_for_nothing_done():
    frame, flow = texture(1, 10, 10), np.ones((2, 2, 2), np.float32)
    frames, flows = run([frame], [flow], [[0] * 5], Augmentation())
    np.testing.assert_array_equal(frames[0], frame)
    np.testing.assert_array_equal(flows[0], flow)
