"""How a photograph is turned: the orientation in its EXIF data, inside a graph.

    data, JPEG --orientation--> 1..8        image, 1..8 --upright--> image

A camera stores what its sensor saw and notes how it was held (Exif 2.3, section 4.6.4,
tag 0x0112). The note lies in an APP1 segment near the start of the file, in the format
of a TIFF header: byte order, offset of a directory, its entries of 12 bytes.
"""

from collections.abc import Callable

import tensorflow as tf

_TAG = 0x0112
_MAX_SEGMENTS = 16  # looked through for APP1, which is the first or second
_MAX_ENTRIES = 64  # of the directory; the orientation is among the first
_APP1, _IMAGE_DATA = 0xE1, 0xDA
_HEADER = b"Exif\x00\x00"


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns an image as its EXIF orientation says.

    Args:
      image: [H, W, C].
      orientation: scalar from 1, upright, to 8.

    Returns:
      [H, W, C], or [W, H, C] for 5 to 8.
    """

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


def orientation(data: tf.Tensor) -> tf.Tensor:
    """Finds the orientation of a JPEG.

    Args:
      data: string scalar.

    Returns:
      int32 scalar from 1 to 8; 1 where the file does not say, or not clearly.
    """
    tiff = _tiff(data)
    is_little = tf.strings.substr(tiff, 0, 2) == b"II"
    directory = _number(tiff, 4, 4, is_little)
    count = _number(tiff, directory, 2, is_little)
    entries = _bytes(tiff, directory + 2, 12 * _MAX_ENTRIES)
    entries = tf.reshape(entries, [_MAX_ENTRIES, 12])
    tags, values = (_value(entries[:, at : at + 2], is_little) for at in (0, 8))
    is_note = (tags == _TAG) & (values >= 1) & (values <= 8)
    is_note &= tf.range(_MAX_ENTRIES) < count
    return tf.concat([tf.boolean_mask(values, is_note), [1]], 0)[0]


def _tiff(data: tf.Tensor) -> tf.Tensor:
    """The TIFF part of the EXIF segment; "" where there is none."""

    def length(at: tf.Tensor) -> tf.Tensor:
        return 2 + _number(data, at + 2, 2, False)

    def is_exif(at: tf.Tensor) -> tf.Tensor:
        return (_number(data, at + 1, 1, False) == _APP1) & (
            _slice(data, at + 4, len(_HEADER)) == _HEADER
        )

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
    start = 4 + len(_HEADER)
    segment = _slice(data, at + start, length(at) - start)
    return tf.cond(is_exif(at), lambda: segment, lambda: tf.constant(b""))


def _number(
    data: tf.Tensor, at: tf.Tensor | int, num_bytes: int, is_little: tf.Tensor | bool
) -> tf.Tensor:
    return _value(_bytes(data, at, num_bytes), is_little)


def _value(digits: tf.Tensor, is_little: tf.Tensor | bool) -> tf.Tensor:
    """Unsigned numbers [...], at most 2^24, of bytes [..., n]."""
    digits = tf.where(is_little, digits, tf.reverse(digits, [-1]))
    powers = tf.constant([1 << 8 * i for i in range(digits.shape[-1])], tf.int64)
    value = tf.reduce_sum(tf.cast(digits, tf.int64) * powers, axis=-1)
    return tf.cast(tf.minimum(value, 1 << 24), tf.int32)


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
