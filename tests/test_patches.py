"""Patches cut by hand."""

import cv2
import numpy as np
import pytest

from motionflow.baselines import patches
from motionflow.baselines.patches import PatchSampler
from tests.test_forest import GRID, SIZE, bars, texture


@pytest.mark.parametrize("cell", [(0, 0), (7, 11), (19, 19), (0, 12)])
def test_a_descriptor_is_hog_of_the_patch_around_the_cells_centre(cell):
    frame = texture(1)
    row, column = cell
    found = patches.describe(frame, np.array([0, row * GRID + column]), GRID)[1]
    # Cell (7, 11) covers rows 70-79: its patch is rows 59-90, and a pixel around it.
    rows = np.clip(np.arange(34) + 10 * row + 5 - 17, 0, SIZE - 1)
    columns = np.clip(np.arange(34) + 10 * column + 5 - 17, 0, SIZE - 1)
    patch = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[np.ix_(rows, columns)]
    hog = cv2.HOGDescriptor((32, 32), (16, 16), (8, 8), (8, 8), 9)
    expected = hog.compute(np.ascontiguousarray(patch), locations=[(1, 1)])
    np.testing.assert_allclose(found, np.ravel(expected), atol=1e-6)
    assert found.shape == (324,)


def test_hog_tells_directions_apart():
    frames = np.stack([bars(True, seed=4), bars(False, seed=4)])
    cells = np.array([10 * GRID + 10])
    upright, lying = (patches.describe(frame, cells, GRID)[0] for frame in frames)
    # 9 directions of 20 degrees: gradients across upright bars fall in the first ones.
    directions = upright.reshape(-1, 9).sum(0), lying.reshape(-1, 9).sum(0)
    assert np.argmax(directions[0]) in (0, 8)
    assert np.argmax(directions[1]) == 4


def test_motion_patches_by_hand():
    flow = np.zeros((3, 3, 2), np.float32)
    flow[..., 0] = [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    flow[..., 1] = -flow[..., 0]
    middle, corner = patches.motion_patches(flow, np.array([4, 2]), size=3)
    np.testing.assert_array_equal(middle, flow)
    np.testing.assert_array_equal(corner[..., 0], [[1, 2, 2], [1, 2, 2], [4, 5, 5]])
    np.testing.assert_array_equal(corner[..., 1], -corner[..., 0])


def test_overlapping_patches_are_averaged_by_hand():
    ones = np.ones((3, 3, 2))
    # Around cells (0, 0) and (1, 1) of a 4x4 grid; they share the four cells between.
    flow = patches.average_patches(np.stack([2 * ones, 4 * ones]), np.array([0, 5]), 4)
    expected = [[3, 3, 4, 0], [3, 3, 4, 0], [4, 4, 4, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(flow[..., 0], expected)
    np.testing.assert_array_equal(flow[..., 1], expected)


def test_averaging_undoes_cutting():
    flow = np.random.default_rng(0).normal(size=(6, 6, 2)).astype(np.float32)
    cells = np.arange(36)
    cut = patches.motion_patches(flow, cells, 3)
    np.testing.assert_allclose(patches.average_patches(cut, cells, 6), flow, atol=1e-6)


def test_the_motion_patch_is_what_32_pixels_cover():
    # 3.2 cells, 5.1, 3.2, 1.5 (nearer to 1 than to 3), 0.6.
    sizes = [(200, 20), (200, 32), (100, 10), (64, 3), (400, 8)]
    assert [patches.motion_size(*size) for size in sizes] == [3, 5, 3, 1, 1]


def test_every_frame_gives_its_share():
    frames = np.stack([texture(i) for i in range(7)])
    flow = np.zeros((7, GRID, GRID, 2), np.float32)
    flow += np.arange(7).reshape(7, 1, 1, 1)  # frame i moves by (i, i)

    def drawn(max_patches, batches):
        sampler = PatchSampler(7, GRID, max_patches, seed=0)
        for batch in np.split(np.arange(7), batches):
            sampler.add(frames[batch], flow[batch])
        descriptors, motions = sampler.result()
        assert descriptors.shape == (len(motions), 324)
        return np.bincount(motions[:, 1, 1, 0].astype(int), minlength=7)

    # 400 edge cells each. 24 = 3 + 3 + 4 + 3 + 4 + 3 + 4; 3 patches: three frames.
    np.testing.assert_array_equal(drawn(24, []), [3, 3, 4, 3, 4, 3, 4])
    np.testing.assert_array_equal(drawn(24, [2, 3]), drawn(24, []))
    np.testing.assert_array_equal(drawn(3, []), [0, 0, 1, 0, 1, 0, 1])
    assert drawn(10_000, []).sum() == 7 * 400


def test_patches_are_drawn_all_over_the_frame():
    flow = np.zeros((1, GRID, GRID, 2), np.float32)
    flow[0, ..., 0], flow[0, ..., 1] = np.meshgrid(np.arange(GRID), np.arange(GRID))
    sampler = PatchSampler(1, GRID, max_patches=100, seed=0)
    sampler.add(texture(0)[None], flow)
    columns, rows = sampler.result()[1][:, 1, 1].T
    assert len(set(zip(columns, rows, strict=True))) == 100
    assert abs(columns.mean() - 9.5) < 2 and abs(rows.mean() - 9.5) < 2
