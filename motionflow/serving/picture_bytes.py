"""Files of pictures -> frames, inside the graph of an export.

    data, JPEG or PNG --decode--> uint8 [H, W, 3] RGB, upright

What `media.picture.read_image` does in Python: the header is asked for the size before
anything is decoded, a transparent picture lies on white, and a picture is turned as its
EXIF data says. TensorFlow's decoders take each other's formats, so the first bytes
decide which it is; GIF, BMP, WebP and whatever else are refused.
"""

import tensorflow as tf

from motionflow.serving import exif

MAX_PIXELS = 1 << 26  # 8192 x 8192: decoded 0.2 GB
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = 25  # the signature, then length, "IHDR", width, height and bits


def decode(data: tf.Tensor) -> tf.Tensor:
    """Decodes one picture.

    Args:
      data: string scalar, the bytes of a JPEG or PNG file.

    Returns:
      uint8 [H, W, 3].

    Raises:
      tf.errors.InvalidArgumentError: neither of the two formats, damaged, or of more
        than `MAX_PIXELS` pixels.
    """
    is_jpeg = tf.strings.substr(data, 0, 3) == b"\xff\xd8\xff"
    is_png = tf.strings.substr(data, 0, len(_PNG)) == _PNG
    is_png &= tf.strings.length(data) >= _PNG_HEADER
    known = tf.debugging.Assert(
        is_jpeg | is_png,
        [
            "image_bytes are neither a JPEG nor a PNG file; their number:",
            tf.strings.length(data),
        ],
    )
    with tf.control_dependencies([known]):
        shape = tf.cond(is_jpeg, lambda: _jpeg_shape(data), lambda: _png_shape(data))
    small = tf.debugging.Assert(
        tf.reduce_prod(tf.cast(shape, tf.int64)) <= MAX_PIXELS,
        [f"image_bytes hold more than {MAX_PIXELS} pixels; height and width:", shape],
    )
    with tf.control_dependencies([small]):
        return tf.cond(is_jpeg, lambda: _decode_jpeg(data), lambda: _decode_png(data))


def _jpeg_shape(data: tf.Tensor) -> tf.Tensor:
    return tf.image.extract_jpeg_shape(data)[:2]


def _png_shape(data: tf.Tensor) -> tf.Tensor:
    width_height = tf.strings.substr(data, 16, 8)
    return tf.io.decode_raw(width_height, tf.int32, little_endian=False)[::-1]


def _decode_jpeg(data: tf.Tensor) -> tf.Tensor:
    image = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")
    return exif.upright(image, exif.orientation(exif.in_jpeg(data)))


def _decode_png(data: tf.Tensor) -> tf.Tensor:
    image = tf.cast(tf.io.decode_png(data, channels=4), tf.float32)
    colours, alpha = image[..., :3], image[..., 3:]
    # The decoder gives opaque pictures of 1, 2 and 4 bits the alpha 1, 3 and 15.
    depth = tf.io.decode_raw(tf.strings.substr(data, 24, 1), tf.uint8)[0]
    opaque = tf.cast(2 ** tf.cast(depth, tf.int32) - 1, tf.float32)
    alpha = tf.where(tf.reduce_all(alpha == opaque), 255.0, alpha)
    on_white = 255.0 + alpha / 255.0 * (colours - 255.0)
    image = tf.cast(tf.round(on_white), tf.uint8)
    return exif.upright(image, exif.orientation(exif.in_png(data)))
