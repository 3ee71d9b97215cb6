"""One picture to a short video: frame -> flow -> frames -> flow -> ...

The report's procedure (section 3, figure 3): predict the flow f of the current frame,
scale it to the frame's size, and warp the frame to `x_i + (k / m) f_i` for k = 1..m;
the m-th of these frames is the next one to predict from. The report uses 5 predictions
of 5 frames each.

What a prediction means in time: one f is one label, by default the mean of the flows to
the next three frames, so the motion of about two frames of the training videos. Its m
frames divide that way evenly: at the training videos' rate, m > 2 is slow motion.

A warp of a warp of a warp gets blurred. Here each frame is looked up in the *first*
one: the roll-out composes positions (Holynski 2021), `d(y) <- g(y) + d(y + g(y))` for
an inverse flow g and an offset d into the first frame, and interpolates colours once.
"""

from collections.abc import Callable

import tensorflow as tf

from motionflow.errors import InputError
from motionflow.generate import warp


def generate(
    predict_flow: Callable[[tf.Tensor], tf.Tensor],
    frames: tf.Tensor,
    num_predictions: int = 5,
    frames_per_prediction: int = 5,
) -> tf.Tensor:
    """Rolls frames forward; runs eagerly or inside a `tf.function`.

    Where moving pixels meet, the faster ones are in front ("magnitude" in
    `warp.invert`); the report's interpolation leaves that case open.

    Args:
      predict_flow: from frames float32 [B, H, W, 3] in 0..255 to flow [B, g, g, 2] in
        pixels of these frames; called `num_predictions` times.
      frames: [B, H, W, 3], uint8 or float in 0..255.
      num_predictions: n, at least 1.
      frames_per_prediction: m, at least 1.

    Returns:
      float32 [B, n * m, H, W, 3] in 0..255, without the input itself.

    Raises:
      InputError: n or m is below 1.
    """
    for name, value in (
        ("num_predictions", num_predictions),
        ("frames_per_prediction", frames_per_prediction),
    ):
        if value < 1:
            raise InputError(f"{name} is {value}, expected at least 1")
    first = current = tf.cast(frames, tf.float32)
    height, width = tf.shape(first)[1], tf.shape(first)[2]
    start = tf.zeros_like(first[..., :2])
    video = []
    for _ in range(num_predictions):
        flow = warp.resize_flow(predict_flow(current), height, width)
        for k in range(1, frames_per_prediction + 1):
            share = tf.constant(k / frames_per_prediction, tf.float32)
            current, offset = _look_up(first, start, share * flow)
            video.append(current)
        start = offset
    return tf.stack(video, axis=1)


@tf.function(reduce_retracing=True)
def _look_up(
    first: tf.Tensor, start: tf.Tensor, flow: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Moves the frame `first(x + start(x))` by flow.

    Returns:
      the moved frame, and its offset into `first`: float32 [B, H, W, 3] and
      [B, H, W, 2].
    """
    inverse, _ = warp.invert(flow, importance="magnitude")
    offset = inverse + warp.backward(start, inverse)
    return warp.backward(first, offset), offset
