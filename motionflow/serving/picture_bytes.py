"""Files of pictures -> frames, inside the graph of an export.

    data, JPEG or PNG --decode--> uint8 [H, W, 3] RGB, upright

What `media.picture.read_image` does in Python: the header is asked for the size before
anything is decoded, a transparent picture lies on white, and a picture is turned as its
EXIF data says. TensorFlow's decoders take each other's formats, so the first bytes
decide which it is; GIF, BMP, WebP and whatever else are refused.

A camera stores what its sensor saw and notes how it was held (Exif 2.3, section 4.6.4,
tag 0x0112). The note has the format of a TIFF header: byte order, offset of a
directory, its entries of 12 bytes. It lies in an APP1 segment near the start of a JPEG,
or in the chunk eXIf of a PNG (PNG 3, section 11.3.4.6), before the pixels or behind
them. Other places, such as XMP, are not looked at.
"""

from collections.abc import Callable

import tensorflow as tf

MAX_PIXELS = 1 << 26  # 8192 x 8192: decoded 0.2 GB
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = 25  # the signature, then length, "IHDR", width, height and bits
# Of a PNG: libpng writes 8 KB of pixels a chunk, so these are 128 MB.
_MAX_CHUNKS = 1 << 14
_FIRST_CHUNK, _AROUND = 8, 12  # bytes; a chunk's length and name before it, CRC behind
_APP1, _IMAGE_DATA = 0xE1, 0xDA
_MAX_SEGMENTS = 16  # looked through for APP1, which is the first or second
_EXIF = b"Exif\x00\x00"
_ORIENTATION = 0x0112
_LONG = 4  # the type of a number of 4 bytes; it should be one of 2
_MAX_ENTRIES = 64  # of the directory; the orientation is among the first


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
    text = "image_bytes are neither a JPEG nor a PNG file; their number:"
    known = tf.debugging.Assert(is_jpeg | is_png, [text, tf.strings.length(data)])
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
    return _upright(image, _orientation(_note_in_jpeg(data)))


def _decode_png(data: tf.Tensor) -> tf.Tensor:
    image = tf.cast(tf.io.decode_png(data, channels=4), tf.float32)
    colours, alpha = image[..., :3], image[..., 3:]
    # The decoder gives opaque pictures of 1, 2 and 4 bits the alpha 1, 3 and 15.
    depth = tf.io.decode_raw(tf.strings.substr(data, 24, 1), tf.uint8)[0]
    opaque = tf.cast(2 ** tf.cast(depth, tf.int32) - 1, tf.float32)
    alpha = tf.where(tf.reduce_all(alpha == opaque), 255.0, alpha)
    on_white = 255.0 + alpha / 255.0 * (colours - 255.0)
    image = tf.cast(tf.round(on_white), tf.uint8)
    return _upright(image, _orientation(_note_in_png(data)))


def _upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns an image; orientations 5 to 8 exchange height and width."""

    def when(
        codes: tuple[int, ...],
        change: Callable[[tf.Tensor], tf.Tensor],
        image: tf.Tensor,
    ) -> tf.Tensor:
        applies = tf.reduce_any(orientation == tf.constant(codes))
        return tf.cond(applies, lambda: change(image), lambda: image)

    image = when((5, 6, 7, 8), lambda x: tf.transpose(x, [1, 0, 2]), image)
    image = when((2, 3, 6, 7), lambda x: x[:, ::-1], image)
    return when((3, 4, 7, 8), lambda x: x[::-1], image)


def _orientation(note: tf.Tensor) -> tf.Tensor:
    """From 1, upright, to 8; 1 where the note does not say, or not clearly."""
    # A JPEG has a header before it, and some programs write it into PNGs too.
    start = tf.where(_slice(note, 0, len(_EXIF)) == _EXIF, len(_EXIF), 0)
    tiff = _slice(note, start, tf.strings.length(note))
    is_little = tf.strings.substr(tiff, 0, 2) == b"II"
    directory = _number(tiff, 4, 4, is_little)
    count = _number(tiff, directory, 2, is_little)
    entries = _bytes(tiff, directory + 2, 12 * _MAX_ENTRIES)
    entries = tf.reshape(entries, [_MAX_ENTRIES, 12])
    tags, kinds, shorts, longs = (
        _value(entries[:, at:end], is_little)
        for at, end in ((0, 2), (2, 4), (8, 10), (8, 12))
    )
    values = tf.where(kinds == _LONG, longs, shorts)
    is_note = (tags == _ORIENTATION) & (values >= 1) & (values <= 8)
    is_note &= tf.range(_MAX_ENTRIES) < count
    return tf.concat([tf.boolean_mask(values, is_note), [1]], 0)[0]


def _note_in_png(data: tf.Tensor) -> tf.Tensor:
    """The chunk eXIf; "" where there is none.

    Chunks are walked from the first on, so pixels that look like one are none.
    """

    def name(at: tf.Tensor) -> tf.Tensor:
        return _slice(data, at + 4, 4)

    def length(at: tf.Tensor) -> tf.Tensor:
        return _number(data, at, 4, False)

    (at,) = tf.while_loop(
        lambda at: tf.reduce_all(name(at) != [b"eXIf", b"IEND", b""]),
        lambda at: (at + _AROUND + length(at),),
        (tf.constant(_FIRST_CHUNK),),
        maximum_iterations=_MAX_CHUNKS,
    )
    found = tf.where(name(at) == b"eXIf", length(at), 0)
    return _slice(data, at + 8, found)


def _note_in_jpeg(data: tf.Tensor) -> tf.Tensor:
    """The EXIF segment; "" where there is none."""

    def length(at: tf.Tensor) -> tf.Tensor:
        return 2 + _number(data, at + 2, 2, False)

    def is_exif(at: tf.Tensor) -> tf.Tensor:
        is_app1 = _number(data, at + 1, 1, False) == _APP1
        return is_app1 & (_slice(data, at + 4, len(_EXIF)) == _EXIF)

    def is_other_segment(at: tf.Tensor) -> tf.Tensor:
        marker = _number(data, at, 2, False)
        in_header = (marker >= 0xFF00) & (marker != 0xFF00 + _IMAGE_DATA)
        return in_header & ~is_exif(at)

    (at,) = tf.while_loop(
        is_other_segment,
        lambda at: (at + length(at),),
        (tf.constant(2),),
        maximum_iterations=_MAX_SEGMENTS,
    )
    segment = _slice(data, at + 4, length(at) - 4)
    return tf.cond(is_exif(at), lambda: segment, lambda: tf.constant(b""))


def _number(
    data: tf.Tensor, at: tf.Tensor | int, num_bytes: int, is_little: tf.Tensor | bool
) -> tf.Tensor:
    return _value(_bytes(data, at, num_bytes), is_little)


def _value(digits: tf.Tensor, is_little: tf.Tensor | bool) -> tf.Tensor:
    """Unsigned numbers [...], at most 2^30, of bytes [..., n]."""
    digits = tf.where(is_little, digits, tf.reverse(digits, [-1]))
    powers = tf.constant([1 << 8 * i for i in range(digits.shape[-1])], tf.int64)
    value = tf.reduce_sum(tf.cast(digits, tf.int64) * powers, axis=-1)
    return tf.cast(tf.minimum(value, 1 << 30), tf.int32)


def _bytes(data: tf.Tensor, at: tf.Tensor | int, num_bytes: int) -> tf.Tensor:
    """uint8 [num_bytes] of a string; behind its end zeros."""
    padded = _slice(data, at, num_bytes) + b"\0" * num_bytes
    padded = tf.strings.substr(padded, 0, num_bytes)
    return tf.ensure_shape(tf.io.decode_raw(padded, tf.uint8), [num_bytes])


def _slice(
    data: tf.Tensor, at: tf.Tensor | int, num_bytes: tf.Tensor | int
) -> tf.Tensor:
    """Bytes of a string; fewer behind its end."""
    at = tf.clip_by_value(at, 0, tf.strings.length(data))
    return tf.strings.substr(data, at, tf.maximum(num_bytes, 0))
