"""Frames at another size, in a graph: what `media.video.fit_frame` does with OpenCV.

    frames [B, H, W, 3] --resize--> [B, h, w, 3]        frames --fit--> [B, S, S, 3]

Sizes may be known when the graph is made or when it runs.
"""

import tensorflow as tf


def resize(frames: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Resizes frames, averaging areas when they shrink.

    Args:
      frames: [B, H, W, 3].
      height: of the result; the shorter side decides whether frames shrink.
      width: of the result.

    Returns:
      float32 [B, height, width, 3]; frames of that size unchanged.
    """
    frames = tf.cast(frames, tf.float32)
    before, after = tf.shape(frames)[1:3], tf.stack([height, width])

    def by(method: str) -> tf.Tensor:
        return tf.image.resize(frames, after, method)

    return tf.cond(
        tf.reduce_all(before == after),
        lambda: frames,
        lambda: tf.cond(
            tf.reduce_min(before) > tf.reduce_min(after),
            # Averaging keeps texture from aliasing into false motion.
            lambda: by("area"),
            lambda: by("bilinear"),
        ),
    )


def fit(frames: tf.Tensor, size: int) -> tf.Tensor:
    """Resizes to a short side of `size` and takes the centre square.

    Equals `media.video.fit_frame`, to 1 of 255 where it resizes: OpenCV interpolates
    with 11 bits.

    Args:
      frames: uint8 [B, H, W, 3].
      size: side of the square, pixels.

    Returns:
      uint8 [B, size, size, 3]; frames of that size bit for bit.
    """
    shape = tf.shape(frames)[1:3]
    # A strip would grow huge.
    frames = _center(frames, tf.minimum(shape, 4 * tf.reduce_min(shape)))
    shape = tf.shape(frames)[1:3]
    scaled = tf.maximum(size, scale_sides(shape, size))
    resized = resize(frames, scaled[0], scaled[1])
    square = _center(tf.cast(tf.round(resized), tf.uint8), tf.stack([size, size]))
    return tf.ensure_shape(square, [None, size, size, 3])


def scale_sides(shape: tf.Tensor, short: int) -> tf.Tensor:
    """Height and width, int32 [2], scaled to a short side and rounded half to even."""
    shape = tf.cast(shape, tf.float64)
    return tf.cast(tf.round(shape * short / tf.reduce_min(shape)), tf.int32)


def _center(frames: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    top, left = tf.unstack((tf.shape(frames)[1:3] - shape) // 2)
    return frames[:, top : top + shape[0], left : left + shape[1]]
