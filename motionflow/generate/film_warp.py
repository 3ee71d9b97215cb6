"""How films move pixels: shorter ways through `warp`, and flow after flow.

    flow [B, H, W, 2] --inverse--> where pixels came from --read(frames)--> moved frames
    offset, flow      --compose--> offset into the first frame, after one more motion

`smoothly` inverts flow that has no edges, such as a network's, on a coarser grid than
the pixels'; `read` looks up faster than `warp.backward`. Where pixels meet, the faster
ones are in front; the report leaves that case open.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from motionflow.compat import graph
from motionflow.generate import warp

_IMPORTANCE = "magnitude"
# Sides n of which k / n * n is k for all whole k, rounded or not (Kahan's theorem).
_SIDES = sorted({2**i + 2**j for i in range(24) for j in range(24)})
# The coarse grid has every sixth pixel, more of a picture whose short side would have
# fewer than these points.
_COARSEST, _POINTS = 6, 150
# It serves fields that it shows to so many pixels, root mean square.
_SMOOTH = 0.015
# Of a frame that covers a pixel, against one that leaves a hole there.
_HOLE = 1e-3


def inverse(flow: tf.Tensor) -> tf.Tensor:
    """Where pixels came from, and as a third component the coverage, [B, H, W, 3]."""

    def invert(flow: tf.Tensor) -> tf.Tensor:
        found, coverage = warp.invert(flow, _IMPORTANCE)
        return tf.concat([found, coverage[..., tf.newaxis]], axis=-1)

    return smoothly(invert, flow)


def compose(offset: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    """Where the frame `first(x + offset(x))` reads the first one once it has moved."""

    def composed(offset: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
        found, _ = warp.invert(flow, _IMPORTANCE)
        return found + warp.backward(offset, found)

    return smoothly(composed, offset, flow)


def read(frames: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    """`warp.backward`, faster where the frames' size is known.

    The flow has no gradient at whole pixels; a third component is ignored.
    """
    if None in frames.shape:
        return warp.backward(frames, flow[..., :2])
    # One crop for each pixel, of one pixel. Its place is a share of the side.
    height, width = frames.shape[1:3]
    below, right = (
        next(n for n in _SIDES if n >= side - 1) for side in (height, width)
    )
    wider = [[0, 0], [0, below + 1 - height], [0, right + 1 - width], [0, 0]]
    boxes, batch = _boxes(flow, tf.constant([right, below], tf.float32))
    found = tf.image.crop_and_resize(tf.pad(frames, wider), boxes, batch, [1, 1])
    return tf.reshape(found, frames.shape)


@graph(reduce_retracing=True)
def _boxes(flow: tf.Tensor, sides: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Places as `crop_and_resize` takes them, [B * H * W, 4], and whose they are."""
    shape, (vectors, _) = tf.shape(flow), warp.finite(flow)
    places = warp.pixel_places(shape) + vectors[:2]
    places = tf.clip_by_value(places, 0.0, warp.last_pixel(flow))
    places = tf.reshape(places, [2, -1]) / sides[:, tf.newaxis]
    batch = tf.repeat(tf.range(shape[0]), shape[1] * shape[2])
    return tf.transpose(tf.gather(places, [1, 0, 1, 0])), batch


def meet(
    first: tf.Tensor,
    there: tf.Tensor,
    last: tf.Tensor,
    back: tf.Tensor,
    time: tf.Tensor,
) -> tf.Tensor:
    """Two frames carried to a time from 0 to 1 between them, float32 [B, H, W, 3].

    The nearer counts more; where only one of them reaches, it counts alone. `there` and
    `back` [B, H, W, 2] say how far the pixels of the first are, those of the last were.
    """
    came = inverse(tf.concat([there, back], 0))
    return _mixed(read(tf.concat([first, last], 0), came), came, time)


@graph(reduce_retracing=True)
def _mixed(moved: tf.Tensor, inverse: tf.Tensor, time: tf.Tensor) -> tf.Tensor:
    """Mixes the two halves of a batch that was moved, by how far they reach."""
    # The coarse grid has no sharp border.
    reach = tf.minimum(inverse[..., 2], inside(inverse))
    before, after = tf.split(tf.clip_by_value(reach, _HOLE, 1.0), 2)
    before, after = (1.0 - time) * before, time * after
    share = (after / (before + after))[..., tf.newaxis]
    early, late = tf.split(moved, 2)
    return early + share * (late - early)


def inside(flow: tf.Tensor) -> tf.Tensor:
    """Whether `x + flow(x)` is in the frame: 1, less beyond it, 0 a pixel from it."""
    vectors = tf.transpose(flow, [3, 0, 1, 2])[:2]
    places = warp.pixel_places(tf.shape(flow)) + vectors
    beyond = tf.abs(places - tf.clip_by_value(places, 0.0, warp.last_pixel(flow)))
    return tf.reduce_prod(tf.maximum(1.0 - beyond, 0.0), axis=0)


def smoothly(function: Callable[..., tf.Tensor], *fields: tf.Tensor) -> tf.Tensor:
    """What a function makes of fields, found on a coarse grid where they are smooth.

    Where they have edges, as flow at an occlusion, and where pictures are small, the
    function is given the fields as they are.

    Args:
      function: from vectors [B, h, w, 2] in pixels of any grid to others on that grid;
        a third component has no unit.
      *fields: vectors float32 [B, H, W, 2] in pixels.
    """
    shape = tf.shape(fields[0])[1:3]
    # Corners stay corners: what is linear stays so up to the border.
    points = (shape - 1) // _stride(shape) + 1

    def on_coarse_grid() -> tf.Tensor:
        scale = tf.cast((points - 1) / (shape - 1), tf.float32)[::-1]
        found = function(*[scale * _resized(field, points) for field in fields])
        scale = tf.concat([scale, [1.0]], 0)[: found.shape[-1]]
        return _resized(found / scale, shape)

    is_smooth = _are_smooth(fields, points)
    if tf.executing_eagerly():  # a first film waits for the way that it goes only
        return on_coarse_grid() if is_smooth else function(*fields)
    return tf.cond(is_smooth, on_coarse_grid, lambda: function(*fields))


def _stride(shape: tf.Tensor) -> tf.Tensor:
    """Pixels between the points of the coarse grid."""
    return tf.clip_by_value(tf.reduce_min(shape) // _POINTS, 1, _COARSEST)


def _resized(field: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.ResizeBilinear(images=field, size=size, align_corners=True)


@graph(reduce_retracing=True)
def _are_smooth(fields: Sequence[tf.Tensor], points: tf.Tensor) -> tf.Tensor:
    """Whether fields can be told from so many points, and it is less work.

    Of large pictures half way between the points, where they say least, is looked at.
    """
    shape = tf.shape(fields[0])[1:3]
    stride = _stride(shape)

    def misfit_is_small() -> tf.Tensor:
        size = tf.where(stride < 4, shape, 2 * points - 1)
        misfit = [
            _resized(_resized(field, points), size) - _resized(field, size)
            for field in fields
        ]
        return tf.reduce_all(
            [tf.reduce_mean(m**2, [1, 2, 3]) < _SMOOTH**2 for m in misfit]
        )

    return tf.cond(stride > 1, misfit_is_small, lambda: False)
