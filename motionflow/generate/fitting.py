"""Frames and flow at another size, in a graph: sizes may be known when it runs only.

maps [..., H, W, C] --resize--> [..., h, w, C]
frames [B, H, W, 3] --fit-----> [B, S, S, 3], as `media.video.fit_frame` does it
"""

import tensorflow as tf


def resize(maps: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Resizes maps: means over areas where their shorter side shrinks, else bilinear.

    Flow keeps its values. A coarse cell holds the flow of its block of pixels, so it
    sits at the block's centre (half-pixel centres): on 200x200, cell 0 of 20 at pixel
    4.5. Beyond the outermost centres the edge extends.

    Returns:
      float32 [..., height, width, C]; maps of that size unchanged.
    """
    maps = tf.cast(maps, tf.float32)
    shape, after = tf.shape(maps), tf.stack([height, width])
    before = shape[-3:-1]

    def by(method: str) -> tf.Tensor:
        batch = tf.reshape(maps, tf.concat([[-1], shape[-3:]], axis=0))
        resized = tf.image.resize(batch, after, method)
        whole = tf.concat([shape[:-3], after, shape[-1:]], axis=0)
        known = [*maps.shape[:-3], None, None, maps.shape[-1]]
        return tf.ensure_shape(tf.reshape(resized, whole), known)

    return tf.cond(
        tf.reduce_all(before == after),
        lambda: maps,
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
    with 11 bits. uint8 to uint8; frames of that size bit for bit.
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
