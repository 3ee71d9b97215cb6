"""Scatters values from pixels to where their motion takes them, and fills the holes.

    values [C, B, H, W] at pixels --splat--> values at grid points, coverage --fill-->

Everything is planar, components first: TensorFlow is several times faster on long last
axes than on one of two or three.
"""

import math

import tensorflow as tf

# The pyramid's steps: holes are filled from blocks of 2, 4, 16, ... 4096 pixels.
_FACTORS = (2, 2, 4, 4, 4, 4, 4)


def splat(
    values: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor, usable: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Adds each pixel to the four grid points around its target, bilinearly.

    A pixel's four shares travel as one row to the cell of its target, with one
    `unsorted_segment_sum` over pixels; cells then pass them on to their corners.

    Args:
      values: float32 [C, B, H, W].
      targets: [2, B, H, W], column and row where each pixel goes; finite.
      weights: [B, H, W], how much each pixel counts against others.
      usable: [B, H, W], 0 or 1: the pixels that count for coverage.

    Returns:
      sums [C, B, H, W] of values times weights; their total [B, H, W]; coverage
      [B, H, W], the sum of the bilinear shares.
    """
    batch, height, width = tf.unstack(tf.shape(weights))
    # Two rows and columns of cells around the grid take what leaves it.
    corner, fraction = _cells(targets, height, width)
    rows, columns = height + 3, width + 3
    start = tf.range(batch)[:, tf.newaxis, tf.newaxis] * (rows * columns)
    cell = start + (corner[1] + 2) * columns + corner[0] + 2
    message = tf.concat([values * weights, [weights, usable]], axis=0)
    size = tf.shape(message)[0]
    message = tf.reshape(message, [size, -1])
    # Products with constant matrices: repeats without slow broadcasts.
    each = tf.matmul(corner_shares(fraction), repeat(size), transpose_a=True)
    each *= tf.matmul(message, tile(size), transpose_a=True)
    sums = tf.math.unsorted_segment_sum(
        each, tf.reshape(cell, [-1]), batch * rows * columns
    )
    sums = tf.reshape(tf.transpose(sums), [4, size, batch, rows, columns])
    points = (
        sums[0, ..., 2:-1, 2:-1]
        + sums[1, ..., 2:-1, 1:-2]
        + sums[2, ..., 1:-2, 2:-1]
        + sums[3, ..., 1:-2, 1:-2]
    )
    return points[:-2], points[-2], points[-1]


def _cells(
    targets: tf.Tensor, height: tf.Tensor, width: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Upper left corners (int32) of the targets' cells, and the fractions in them."""
    ends = tf.cast(tf.stack([width, height]), tf.float32)
    targets = tf.clip_by_value(targets, -2.0, tf.reshape(ends, [2, 1, 1, 1]))
    corner = tf.floor(targets)
    return tf.cast(corner, tf.int32), targets - corner


def corner_shares(fraction: tf.Tensor) -> tf.Tensor:
    """Bilinear shares of a cell's corners: [2, ...] -> [4, N].

    The order is upper left, upper right, lower left, lower right.
    """
    both = tf.stack([1.0 - fraction, fraction])
    return tf.reshape(both[:, tf.newaxis, 1] * both[tf.newaxis, :, 0], [4, -1])


def repeat(size: tf.Tensor) -> tf.Tensor:
    """Matrix [4, 4 * size] that repeats each of four columns `size` times."""
    return tf.repeat(tf.eye(4), size, axis=1)


def tile(size: tf.Tensor) -> tf.Tensor:
    """Matrix [size, 4 * size] that repeats all columns four times."""
    return tf.tile(tf.eye(size), [1, 4])


def fill(values: tf.Tensor, known: tf.Tensor, fallback: tf.Tensor) -> tf.Tensor:
    """Pull-push (Gortler et al. 1996, section 4.3; Kraus 2009): fills holes.

    A hole takes the mean of the smallest block that knows more.

    Args:
      values: [C, B, H, W], times `known`.
      known: [B, H, W], 0 in holes, else up to 1.
      fallback: [C, B, 1, 1], the value where no pixel is known at all.
    """
    # Pull: the means of blocks, of blocks of blocks, ..., and how much each knows.
    levels, factors = [(values, known)], []
    planes = tf.concat([values, known[tf.newaxis]], axis=0)
    for factor in _needed_factors(*values.shape[-2:]):
        planes = _pool(planes, factor)
        # A quarter of a block that is known makes it as good as known.
        planes /= tf.maximum(planes[-1:], 0.25)
        levels.append((planes[:-1], planes[-1]))
        factors.append(factor)
    # Push: what a level does not know is what the coarser one says, enlarged.
    values, known = levels.pop()
    filled = values + (1.0 - known) * fallback
    for values, known in reversed(levels):
        filled = _widen(filled, factors.pop(), tf.shape(known)[1:])
        filled = values + (1.0 - known) * filled
    return filled


def _needed_factors(height: int | None, width: int | None) -> list[int]:
    """Steps until one block is left; all of them where the size is not known."""
    most = math.prod(_FACTORS)
    factors, size = [], max(height or most, width or most)
    for factor in _FACTORS:
        if size > 1:
            factors.append(factor)
            size = -(-size // factor)
    return factors


def _pool(planes: tf.Tensor, factor: int) -> tf.Tensor:
    """Means of blocks; at the border of what there is of them."""
    images, shape = _as_images(planes)
    pooled = tf.nn.avg_pool2d(images, factor, factor, "SAME")
    return tf.reshape(pooled, tf.concat([shape[:-2], tf.shape(pooled)[1:3]], 0))


def _widen(planes: tf.Tensor, factor: int, size: tf.Tensor) -> tf.Tensor:
    """Enlarges linearly, each value at the centre of its block, and cuts to size."""
    images, shape = _as_images(planes)
    # `tf.image.resize` without what it makes sure of: a film waits for each operation.
    wide = tf.raw_ops.ResizeBilinear(
        images=images, size=factor * shape[-2:], half_pixel_centers=True
    )[:, : size[0], : size[1]]
    return tf.reshape(wide, tf.concat([shape[:-2], size], 0))


def _as_images(planes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    shape = tf.shape(planes)
    return tf.reshape(planes, tf.concat([[-1], shape[-2:], [1]], 0)), shape
