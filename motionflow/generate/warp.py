"""Moves pixels: (frames, flow) -> the frames after the motion.

Arrow in: frames `[B, H, W, 3]` and flow `[B, h, w, 2]` (dx right, dy down, in pixels;
the content of pixel i goes to `x_i + f_i`). Arrow out: warped frames, float32.

The report paints the colour of each pixel i at `x_i + f_i` and fills the regular grid
by bilinear interpolation of those scattered colours (section 3). `forward` interpolates
where the pixels came *from* in place of their colours, which keeps textures sharp:

1. splat: each pixel adds `(-dx, -dy, 1)` to the four grid points around its target,
   with bilinear weights. The sum of the weights says how often a grid point was hit.
2. fill: grid points that nothing hit take the inverse flow of their surroundings
   (pull-push; Gortler 1996, Kraus 2009).
3. refine: a true inverse g solves `g(y) + f(y + g(y)) = 0`. A few quasi-Newton steps
   `g <- g - (I + dg/dy) (g + f(y + g))` bring it there; each pixel keeps its best g.
4. look up: the colour at y is that of the original frame at `y + g(y)`.

All of it is float32 whatever the precision policy, pure TensorFlow, differentiable, and
takes any size, known or not when it is traced.
"""

import tensorflow as tf

from motionflow.compat import addons

# Without known shapes: enough halvings for holes of 1024 pixels.
MAX_LEVELS = 10
# Vectors of this many pixels or more are no motion: they are left out.
LONGEST = 1e5
SMALLEST_WEIGHT = 1e-12


def backward(frames: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    """Looks frames up where flow points: `out(x) = frames(x + flow(x))`, bilinear.

    Args:
      frames: [B, H, W, C], any dtype.
      flow: [B, H, W, 2] in pixels. Places beyond the frame read its edge; an infinite
        or undefined vector counts as zero.

    Returns:
      float32 [B, H, W, C].
    """
    frames = tf.cast(frames, tf.float32)
    return _sample(frames, _finite(flow)[0])


def forward(
    frames: tf.Tensor,
    flow: tf.Tensor,
    importance: tf.Tensor | str | None = None,
    num_steps: int = 2,
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

    Returns:
      warped float32 [B, H, W, C] and coverage float32 [B, H, W]; see `invert`.
    """
    inverse, coverage = invert(flow, importance, num_steps)
    return backward(frames, inverse), coverage


def invert(
    flow: tf.Tensor, importance: tf.Tensor | str | None = None, num_steps: int = 2
) -> tuple[tf.Tensor, tf.Tensor]:
    """Turns "where it goes" into "where it came from".

    Args:
      flow: [B, H, W, 2] in pixels.
      importance: None weighs all pixels equally; a tensor [B, H, W] of weights > 0
        lets the larger win (1,000 to 1 is as good as in front); "magnitude" puts what
        moves faster in front (as Generative Image Dynamics, 2024).
      num_steps: refinement steps, 0 or more.

    Returns:
      inverse float32 [B, H, W, 2]: `backward(frames, inverse)` is the warped frame.
      coverage float32 [B, H, W]: how many pixels arrived: 1 in a rigid region, less
      where it stretches, 0 in a hole, more where surfaces meet.

    Raises:
      ValueError: importance is a string other than "magnitude".
    """
    flow, usable = _finite(flow)
    weights = usable * _importance(importance, flow)
    votes, coverage = _splat(flow, weights, usable)
    inverse = _fill_holes(votes, fallback=-tf.reduce_mean(flow, [1, 2], keepdims=True))
    return _refine(inverse, flow, usable, num_steps), coverage


def resize_flow(flow: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Brings coarse flow to the frame's size; the vectors keep their values.

    Cell (r, c) holds the flow of its block of pixels, so it sits at the block's centre
    (half-pixel centres): on 200x200, cell 0 of 20 at pixel 4.5. Beyond the outermost
    centres the edge cells extend.

    Args:
      flow: [B, h, w, 2], in pixels of the large frame.
      height: of the result.
      width: of the result.

    Returns:
      float32 [B, height, width, 2], bilinear.
    """
    return tf.image.resize(tf.cast(flow, tf.float32), [height, width])


def _finite(flow: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Flow with zeros for unusable vectors, and a mask [B, H, W, 1] of the others."""
    flow = tf.cast(flow, tf.float32)
    # False for undefined numbers too.
    usable = tf.abs(flow[..., :1]) + tf.abs(flow[..., 1:]) < LONGEST
    return tf.where(usable, flow, 0.0), tf.cast(usable, tf.float32)


def _targets(flow: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Columns and rows, float32 [B, H, W], that each pixel's vector points to."""
    shape = tf.shape(flow)
    columns = tf.range(tf.cast(shape[2], tf.float32))
    rows = tf.range(tf.cast(shape[1], tf.float32))
    return columns + flow[..., 0], rows[:, tf.newaxis] + flow[..., 1]


def _sample(frames: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    """`backward` for float32 frames and finite flow."""
    shape = tf.shape(frames)
    x, y = _targets(flow)
    x = tf.clip_by_value(x, 0.0, tf.cast(shape[2] - 1, tf.float32))
    y = tf.clip_by_value(y, 0.0, tf.cast(shape[1] - 1, tf.float32))
    points = tf.reshape(tf.stack([y, x], axis=-1), [shape[0], -1, 2])
    # One repeated row and column, so that each point has four neighbours.
    padded = tf.pad(frames, [[0, 0], [0, 1], [0, 1], [0, 0]], "SYMMETRIC")
    if addons is not None:
        values = addons.image.interpolate_bilinear(padded, points)
    else:
        values = _interpolate_bilinear(padded, points)
    return tf.ensure_shape(tf.reshape(values, shape), frames.shape)


def _importance(importance: tf.Tensor | str | None, flow: tf.Tensor) -> tf.Tensor:
    """Weights that broadcast to [B, H, W, 1]."""
    if importance is None:
        return tf.ones([], tf.float32)
    if isinstance(importance, str):
        if importance != "magnitude":
            raise ValueError(f"importance is {importance!r}; expected 'magnitude'")
        # It decides who wins, it carries no gradient (a norm has none at zero).
        length = tf.norm(tf.stop_gradient(flow), axis=-1, keepdims=True)
        # A ratio of speeds decides, whatever their scale; below 0.1 all is still.
        return (length + 0.1) ** 4
    return tf.cast(importance, tf.float32)[..., tf.newaxis]


def _splat(
    flow: tf.Tensor, weights: tf.Tensor, usable: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Adds each pixel's vector to the four grid points around its target.

    Args:
      flow: [B, H, W, 2], finite.
      weights: [B, H, W, 1].
      usable: [B, H, W, 1], 0 or 1: the pixels that count for coverage.

    Returns:
      votes [B, H, W, 3], the weighted mean of -flow and 1, or zeros where nothing
      arrived; coverage [B, H, W], the sum of bilinear shares.
    """
    shape = tf.shape(flow)
    batch, height, width = shape[0], shape[1], shape[2]
    x, y = _targets(flow)
    left, top = tf.floor(x), tf.floor(y)
    right, down = x - left, y - top
    column, row = tf.cast(left, tf.int32), tf.cast(top, tf.int32)
    first = tf.reshape(tf.range(batch) * height * width, [-1, 1, 1])
    ids, shares = [], []
    for r, share_down in ((row, 1.0 - down), (row + 1, down)):
        for c, share_right in ((column, 1.0 - right), (column + 1, right)):
            inside = (r >= 0) & (r < height) & (c >= 0) & (c < width)
            # Negative ids are dropped, on CPU and GPU alike.
            ids.append(tf.where(inside, first + r * width + c, -1))
            shares.append(share_down * share_right)
    message = tf.concat([-flow * weights, weights, usable], axis=-1)
    sums = tf.math.unsorted_segment_sum(
        tf.stack(shares)[..., tf.newaxis] * message,
        tf.stack(ids),
        batch * height * width,
    )
    sums = tf.reshape(sums, [batch, height, width, 4])
    total = sums[..., 2:3]
    known = total > SMALLEST_WEIGHT
    # The inner `where` keeps the gradient of the unused branch finite.
    votes = tf.where(known, sums[..., :3] / tf.where(known, total, 1.0), 0.0)
    return votes, sums[..., 3]


def _fill_holes(votes: tf.Tensor, fallback: tf.Tensor) -> tf.Tensor:
    """Pull-push: holes take the weighted mean of the smallest block that knows more.

    Args:
      votes: [B, H, W, 3], values times confidence, and the confidence in [0, 1].
      fallback: [B, 1, 1, 2], the value where no pixel is known at all.

    Returns:
      [B, H, W, 2].
    """
    height, width = votes.shape[1:3]
    levels = MAX_LEVELS
    if height and width:
        levels = (max(height, width) - 1).bit_length()
    pyramid = [votes]
    for _ in range(levels):
        pooled = 4.0 * tf.nn.avg_pool2d(pyramid[-1], 2, 2, "SAME")
        pyramid.append(pooled / tf.maximum(pooled[..., 2:], 1.0))
    values = fallback
    for level in reversed(pyramid):
        shape = tf.shape(level)[1:3]
        wide = tf.image.resize(values, 2 * tf.shape(values)[1:3])
        wide = wide[:, : shape[0], : shape[1]]
        values = level[..., :2] + (1.0 - level[..., 2:]) * wide
    return values


def _refine(
    inverse: tf.Tensor, flow: tf.Tensor, usable: tf.Tensor, num_steps: int
) -> tf.Tensor:
    """Steps on `g(y) + f(y + g(y)) = 0`; a pixel takes those that bring it closer.

    A plain fixed-point step lacks the factor `I + dg/dy` and diverges where the flow
    stretches by 2 or more. Steps are short, so that none leaps to another surface.
    """
    known = tf.concat([flow, usable], axis=-1)
    residual, error = _residual(inverse, known)
    for _ in range(num_steps):
        step = tf.clip_by_value(_times_jacobian(inverse, residual), -1.0, 1.0)
        trial_residual, trial_error = _residual(inverse - step, known)
        closer = trial_error < error
        inverse = tf.where(closer, inverse - step, inverse)
        residual = tf.where(closer, trial_residual, residual)
        error = tf.minimum(trial_error, error)
    return inverse


def _residual(inverse: tf.Tensor, known: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`g + f(y + g)` and its square; none, but a large error, where f is unusable."""
    found = _sample(known, inverse)
    certain = found[..., 2:] > 0.999
    residual = tf.where(certain, inverse + found[..., :2], 0.0)
    error = tf.reduce_sum(residual**2, axis=-1, keepdims=True)
    return residual, tf.where(certain, error, LONGEST**2)


def _times_jacobian(g: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
    """`(I + dg/dy) v` by central differences, one-sided at the border."""
    padded = tf.pad(g, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    along_x = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2.0
    along_y = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2.0
    return v + along_x * v[..., :1] + along_y * v[..., 1:]


def _interpolate_bilinear(grid: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """Addons' `interpolate_bilinear` for points inside the grid.

    Args:
      grid: float32 [B, H, W, C].
      points: float32 [B, N, 2], (row, column) with row <= H - 1, column <= W - 1.

    Returns:
      float32 [B, N, C].
    """
    shape = tf.shape(grid)
    sizes = shape[1:3]
    corner = tf.minimum(tf.floor(points), tf.cast(sizes - 2, tf.float32))
    down, right = tf.split(points - corner, 2, axis=-1)
    row, column = tf.unstack(tf.cast(corner, tf.int32), axis=-1)
    start = tf.range(shape[0])[:, tf.newaxis] * sizes[0] * sizes[1]
    index = start + row * sizes[1] + column
    flat = tf.reshape(grid, [-1, shape[3]])
    top_left, top_right = tf.gather(flat, index), tf.gather(flat, index + 1)
    index += sizes[1]
    low_left, low_right = tf.gather(flat, index), tf.gather(flat, index + 1)
    top = top_left + right * (top_right - top_left)
    low = low_left + right * (low_right - low_left)
    return top + down * (low - top)
