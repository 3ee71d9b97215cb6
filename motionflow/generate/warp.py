"""Moves pixels: (frames, flow) -> the frames after the motion.

Arrow in: frames `[B, H, W, C]` and flow `[B, H, W, 2]` (dx right, dy down, in pixels;
the content of pixel i goes to `x_i + f_i`). Arrow out: warped frames, float32.

The report paints the colour of each pixel i at `x_i + f_i` and fills the regular grid
by bilinear interpolation of those scattered colours (section 3). `forward` interpolates
where the pixels came *from* in place of their colours, which keeps textures sharp:

1. splat: each pixel adds `(-dx, -dy)` to the four grid points around its target, with
   bilinear weights. The sum of the weights says how often a grid point was hit.
2. fill: grid points that nothing hit take the inverse flow of their surroundings
   (pull-push).
3. refine: a true inverse g solves `p + f(p) = y` at `p = y + g(y)`. One Newton step,
   whose Jacobian is that of the bilinear flow in the cell of p, so it needs the same
   four vectors as f(p), and is exact wherever the flow is affine.
4. look up: the colour at y is that of the original frame at p.

Films take shorter ways, see `film_warp`. All of it is float32 whatever the precision
policy, pure TensorFlow, differentiable, and takes any size, known or not when it is
traced.
"""

import tensorflow as tf

from motionflow.compat import graph
from motionflow.generate import splatting

MODES = ("inverse", "splat")
# Vectors of this many pixels or more are no motion: they are left out.
LONGEST = 1e5
# The Newton step is taken where the cell keeps its orientation and is not torn: the
# area that it becomes, in pixels.
_SMALLEST_AREA, _LARGEST_AREA = 0.05, 50.0
# Grid points that less of a pixel than this reached are filled, in part.
_SURE = 1e-3
# Far outside of every frame, so that no cell with such a corner passes for untorn.
_NOWHERE = 1e6


@graph(reduce_retracing=True)
def backward(frames: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    """Looks frames up where flow points: `out(x) = frames(x + flow(x))`, bilinear.

    Args:
      frames: [B, H, W, C], any dtype.
      flow: [B, H, W, 2] in pixels. Places beyond the frame read its edge; an infinite
        or undefined vector counts as zero.

    Returns:
      float32 [B, H, W, C].
    """
    vectors, _ = finite(flow)
    return _look_up(tf.cast(frames, tf.float32), pixel_places(tf.shape(flow)) + vectors)


@graph(reduce_retracing=True)
def forward(
    frames: tf.Tensor,
    flow: tf.Tensor,
    importance: tf.Tensor | str | None = None,
    num_steps: int = 1,
    mode: str = "inverse",
) -> tuple[tf.Tensor, tf.Tensor]:
    """Moves each pixel by its flow: the colour at x goes to `x + flow(x)`.

    Zero flow gives the frames exactly, a whole-pixel shift exact colours. What enters
    at the border continues the frame's edge; where nothing arrives inside, the
    surroundings stretch. Every colour out is a mixture of colours in.

    Args:
      frames: [B, H, W, C], any dtype.
      flow: [B, H, W, 2] in pixels. Pixels with an infinite or undefined vector are
        left out.
      importance: who is in front where pixels meet; see `invert`.
      num_steps: refinement steps; see `invert`.
      mode: "inverse", or "splat": the colours themselves are scattered, normalised,
        and holes filled with the colours around them (softmax splatting, Niklaus
        2020, with these weights): blurs, and its gradient reaches the importance.

    Returns:
      warped float32 [B, H, W, C] and coverage float32 [B, H, W]; see `invert`.

    Raises:
      ValueError: unknown importance or mode.
    """
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; expected one of {MODES}")
    frames = tf.cast(frames, tf.float32)
    vectors, usable = finite(flow)
    pixels = pixel_places(tf.shape(flow))
    weights = usable * _importance(importance, vectors)
    if mode == "inverse":
        inverse, coverage = _invert(vectors, usable, weights, pixels, num_steps)
        return _look_up(frames, pixels + inverse), coverage
    colors = tf.transpose(frames, [3, 0, 1, 2])
    mean = tf.reduce_mean(colors, [2, 3], keepdims=True)
    moved, coverage = _scatter(colors, pixels + vectors, weights, usable, mean)
    return tf.ensure_shape(tf.transpose(moved, [1, 2, 3, 0]), frames.shape), coverage


@graph(reduce_retracing=True)
def invert(
    flow: tf.Tensor, importance: tf.Tensor | str | None = None, num_steps: int = 1
) -> tuple[tf.Tensor, tf.Tensor]:
    """Turns "where it goes" into "where it came from".

    Args:
      flow: [B, H, W, 2] in pixels.
      importance: None weighs all pixels equally; a tensor [B, H, W] of weights > 0
        lets the larger win (1,000 to 1 is as good as in front); "magnitude" puts what
        moves faster in front (as Generative Image Dynamics, 2024).
      num_steps: Newton steps, 0 or more.

    Returns:
      inverse float32 [B, H, W, 2]: `backward(frames, inverse)` is the warped frame.
      coverage float32 [B, H, W]: how many pixels arrived: 1 in a rigid region, less
      where it stretches, 0 in a hole, more where surfaces meet.

    Raises:
      ValueError: importance is a string other than "magnitude".
    """
    vectors, usable = finite(flow)
    pixels = pixel_places(tf.shape(flow))
    weights = usable * _importance(importance, vectors)
    inverse, coverage = _invert(vectors, usable, weights, pixels, num_steps)
    return tf.transpose(inverse, [1, 2, 3, 0]), coverage


def finite(flow: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Planes [2, B, H, W], zero where unusable; a mask [B, H, W] of the others."""
    vectors = tf.transpose(tf.cast(flow, tf.float32), [3, 0, 1, 2])
    # False for undefined numbers too.
    usable = tf.reduce_sum(vectors**2, axis=0) < LONGEST**2
    return tf.where(usable, vectors, 0.0), tf.cast(usable, tf.float32)


def pixel_places(shape: tf.Tensor) -> tf.Tensor:
    """Columns and rows of the pixels, [2, 1, H, W]."""
    sides = [tf.range(tf.cast(shape[axis], tf.float32)) for axis in (2, 1)]
    return tf.stack(tf.meshgrid(*sides))[:, tf.newaxis]


def _importance(importance: tf.Tensor | str | None, vectors: tf.Tensor) -> tf.Tensor:
    """Weights that broadcast to [B, H, W]."""
    if importance is None:
        return tf.ones([], tf.float32)
    if isinstance(importance, str):
        if importance != "magnitude":
            raise ValueError(f"importance is {importance!r}; expected 'magnitude'")
        # It decides who wins, it carries no gradient. A ratio of speeds decides,
        # whatever their scale; below 0.1 px all is still.
        return (tf.reduce_sum(tf.stop_gradient(vectors) ** 2, axis=0) + 0.02) ** 2
    return tf.cast(importance, tf.float32)


def _invert(
    vectors: tf.Tensor,
    usable: tf.Tensor,
    weights: tf.Tensor,
    pixels: tf.Tensor,
    num_steps: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """`invert`, of planes and in planes [2, B, H, W]."""
    targets = pixels + vectors
    mean = -tf.reduce_mean(vectors, [2, 3], keepdims=True)
    inverse, coverage = _scatter(-vectors, targets, weights, usable, mean)
    goals = targets + _NOWHERE * (1.0 - usable)
    for _ in range(num_steps):
        inverse = _newton_step(inverse, goals, pixels)
    return inverse, coverage


def _scatter(
    values: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    usable: tf.Tensor,
    fallback: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Weighted means [C, B, H, W] of what arrives, holes filled; coverage [B, H, W]."""
    sums, total, coverage = splatting.splat(values, targets, weights, usable)
    means = tf.math.divide_no_nan(sums, total)
    # No jump where a share that is next to nothing becomes nothing.
    known = tf.minimum(coverage / _SURE, 1.0)
    return splatting.fill(means * known, known, fallback), coverage


def _newton_step(inverse: tf.Tensor, goals: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """Solves `target(y + g) = y` for g, with targets linear around where g points.

    Between the corners' targets c0 c1 / c2 c3 the map is bilinear in (right, down):

        target = c0 + right (c1 - c0) + down (c2 - c0) + right down (c3 - c2 - c1 + c0)

    The step is no longer than a pixel, so that none leaps to another surface; where the
    map folds, tears or is unknown there is no such solution, and g stays. `inverse` is
    g [2, B, H, W], `goals` the targets of all pixels, `pixels` y.
    """
    corners, fraction = _corners(goals, pixels + inverse)
    right, down = tf.unstack(fraction)
    corners = tf.reshape(
        tf.transpose(corners), tf.concat([[4], tf.shape(inverse)], axis=0)
    )
    # The Jacobian's columns, d target / d right and / d down; its determinant is the
    # area that the pixel becomes.
    top, bottom = corners[1] - corners[0], corners[3] - corners[2]
    along_y = corners[2] + right * bottom - corners[0] - right * top
    along_x = top + down * (bottom - top)
    error = corners[0] + right * top + down * along_y - pixels
    area = along_x[0] * along_y[1] - along_x[1] * along_y[0]
    whole = (area > _SMALLEST_AREA) & (area < _LARGEST_AREA)
    step = tf.stack(  # Cramer's rule: the inverse Jacobian times the error
        [
            along_y[1] * error[0] - along_y[0] * error[1],
            along_x[0] * error[1] - along_x[1] * error[0],
        ]
    )
    step = tf.math.divide_no_nan(step, tf.where(whole, area, 0.0))
    return inverse - tf.clip_by_value(step, -1.0, 1.0)


def _look_up(frames: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Bilinear values [B, H, W, C] of frames at places [2, B, H, W]."""
    size = tf.shape(frames)[-1]
    places = tf.clip_by_value(places, 0.0, last_pixel(frames))
    corners, fraction = _corners(tf.transpose(frames, [3, 0, 1, 2]), places)
    shares = splatting.corner_shares(fraction)
    corners *= tf.matmul(shares, splatting.repeat(size), transpose_a=True)
    values = tf.matmul(corners, splatting.tile(size), transpose_b=True)
    return tf.ensure_shape(tf.reshape(values, tf.shape(frames)), frames.shape)


def last_pixel(frames: tf.Tensor) -> tf.Tensor:
    """Its column and row, [2, 1, 1, 1]."""
    shape = tf.shape(frames)
    return tf.reshape(tf.cast(shape[2:0:-1] - 1, tf.float32), [2, 1, 1, 1])


def _corners(planes: tf.Tensor, places: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The four pixels of [C, B, H, W] around places [2, B, H, W], or those nearest.

    Returns:
      their values [B * H * W, 4 * C], upper left first, then upper right, lower left
      and lower right, and the places' fractions [2, B, H, W] of the way between them,
      outside of [0, 1] for places outside of the frame.
    """
    size, batch, height, width = tf.unstack(tf.shape(planes))
    # A frame of one row or column has no lower or right neighbours: it is doubled.
    missing = tf.maximum(2 - tf.stack([height, width]), 0)
    ends = tf.pad(missing[:, tf.newaxis], [[2, 0], [1, 0]])
    planes = tf.pad(planes, ends, "SYMMETRIC")
    rows, columns = tf.unstack(tf.shape(planes)[2:] - 1)
    # One row for each cell, so that a pixel needs one look-up and not four.
    cells = [
        planes[..., :-1, :-1],
        planes[..., :-1, 1:],
        planes[..., 1:, :-1],
        planes[..., 1:, 1:],
    ]
    table = tf.transpose(tf.reshape(tf.concat(cells, axis=0), [4 * size, -1]))
    last = tf.cast(tf.reshape(tf.stack([columns, rows]) - 1, [2, 1, 1, 1]), tf.float32)
    corner = tf.clip_by_value(tf.floor(places), 0.0, last)
    column, row = tf.unstack(tf.cast(corner, tf.int32))
    start = tf.range(batch)[:, tf.newaxis, tf.newaxis] * (rows * columns)
    cell = tf.reshape(start + row * columns + column, [-1])
    return tf.gather(table, cell), places - corner
