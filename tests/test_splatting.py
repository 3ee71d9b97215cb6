import numpy as np
import pytest
import tensorflow as tf
from scipy import sparse

from motionflow.generate import splatting


def splat_one_by_one(values, targets, weights, usable):
    """The same sums, by a sparse matrix of bilinear shares."""
    channels, height, width = values.shape
    rows, columns, shares = [], [], []
    for pixel, (x, y) in enumerate(targets.reshape(2, -1).T):
        for column in (int(np.floor(x)), int(np.floor(x)) + 1):
            for row in (int(np.floor(y)), int(np.floor(y)) + 1):
                if 0 <= column < width and 0 <= row < height:
                    rows.append(row * width + column)
                    columns.append(pixel)
                    shares.append((1 - abs(x - column)) * (1 - abs(y - row)))
    size = height * width
    matrix = sparse.coo_array((shares, (rows, columns)), (size, size)).tocsr()
    weights = (weights * usable).ravel()
    planes = [*(values.reshape(channels, -1) * weights), weights, usable.ravel()]
    return [(matrix @ plane).reshape(height, width) for plane in planes]


@pytest.mark.parametrize("spread", [0.4, 3, 60])
def test_splat_is_a_sparse_matrix(spread):
    random = np.random.default_rng(0)
    batch, height, width = 2, 9, 13
    shape = (batch, height, width)
    values = random.normal(size=(3, *shape)).astype(np.float32)
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)))[:, None]
    targets = (grid + random.normal(0, spread, (2, *shape))).astype(np.float32)
    targets[:, 0, 0, 0] = [-1, -0.25]  # on the border of what still counts
    targets[:, 1, 0, 0] = [width - 0.5, height - 1]
    weights = random.uniform(0.1, 5, shape).astype(np.float32)
    usable = (random.uniform(size=shape) > 0.2).astype(np.float32)
    sums, total, coverage = splatting.splat(values, targets, weights * usable, usable)
    for b in range(batch):
        expected = splat_one_by_one(
            values[:, b], targets[:, b].astype(float), weights[b], usable[b]
        )
        found = [*sums[:, b], total[b], coverage[b]]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_known_values_stay_and_holes_take_their_surroundings():
    values = np.zeros((1, 1, 8, 8), np.float32)
    values[0, 0, :, :4], values[0, 0, :, 4:] = 10, 20
    known = np.ones((1, 8, 8), np.float32)
    known[0, 3:5, 1:3] = known[0, 3:5, 5:7] = 0
    filled = splatting.fill(values * known, known, tf.zeros([1, 1, 1, 1]))[0, 0]
    np.testing.assert_array_equal(filled[known[0] == 1], values[0, 0][known[0] == 1])
    np.testing.assert_allclose(filled[3:5, 1:3], 10, atol=1)
    np.testing.assert_allclose(filled[3:5, 5:7], 20, atol=1)


def test_a_single_known_pixel_fills_everything():
    values, known = np.zeros((1, 1, 7, 5), np.float32), np.zeros((1, 7, 5), np.float32)
    values[0, 0, 2, 3], known[0, 2, 3] = 6, 1
    filled = splatting.fill(values, known, tf.zeros([1, 1, 1, 1]))
    np.testing.assert_allclose(filled, np.full((1, 1, 7, 5), 6), rtol=1e-5)


def test_nothing_known_takes_the_fallback():
    filled = splatting.fill(
        tf.zeros([2, 1, 6, 6]), tf.zeros([1, 6, 6]), tf.reshape([3.0, -4], [2, 1, 1, 1])
    )
    np.testing.assert_array_equal(filled[0], np.full((1, 6, 6), 3))
    np.testing.assert_array_equal(filled[1], np.full((1, 6, 6), -4))


def test_half_known_is_half_filled():
    values, known = np.full((1, 1, 1, 2), 10.0), np.ones((1, 1, 2))
    values[..., 1], known[..., 1] = 0.5 * 30, 0.5
    filled = splatting.fill(
        tf.constant(values, tf.float32), tf.constant(known, tf.float32), 0.0
    )
    # The block of both: (10 + 15) / (1 + 0.5).
    expected = [10, 0.5 * 30 + 0.5 * 25 / 1.5]
    np.testing.assert_allclose(filled[0, 0, 0], expected, rtol=1e-5)
