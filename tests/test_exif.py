import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from motionflow.media.picture import decode_image
from motionflow.serving import picture_bytes
from tests import served

pytestmark = pytest.mark.slow

FRAME = served.pictures(1, 30, 41)[0]
TURNED = range(10)  # 0 and 9 mean nothing


@pytest.fixture(scope="module")
def decode():
    spec = tf.TensorSpec([], tf.string)
    return tf.function(picture_bytes.decode, input_signature=[spec])


def jpeg(**options):
    return served.encoded(FRAME, format="JPEG", **options)


def jpeg_with(note):
    body, data = b"Exif\0\0" + note, jpeg()
    return data[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(body)) + body + data[2:]


def chunk(name, body):
    crc = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)


def png_with(note, place=33, frame=FRAME):
    """A PNG with a chunk eXIf behind its header, or at another place."""
    data = served.encoded(frame)
    return data[:place] + chunk(b"eXIf", note) + data[place:]


FILES = {
    "jpeg": jpeg_with,
    "png": png_with,
    "png, behind the pixels": lambda note: png_with(note, -12),
    "png, with a JPEG's header": lambda note: png_with(b"Exif\0\0" + note),
}


def note_of(orientation, order=">"):
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F], exif[0x0112], exif[0x0131] = "maker", orientation, "program"
    return exif.tobytes()[6:]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", FILES)
def test_pictures_stand_upright(decode, kind, order):
    for orientation in TURNED:
        data = FILES[kind](note_of(orientation, order))
        expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
        np.testing.assert_array_equal(decode(data), expected)
        np.testing.assert_array_equal(decode_image(data), expected)


def test_a_number_of_four_bytes_is_read_too(decode):
    entry = struct.pack(">HHII", 0x0112, 4, 1, 6)
    note = b"MM\0*\0\0\0\x08\0\x01" + entry + bytes(4)
    for make in FILES.values():
        assert decode(make(note)).shape == decode_image(make(note)).shape == (41, 30, 3)


def test_pixels_are_no_note(decode):
    """A chunk inside of another one, whose pixels are stored as they are."""
    hidden = chunk(b"eXIf", note_of(6))
    rows = np.zeros((2, 120, 3), np.uint8)
    rows[1].flat[: len(hidden)] = np.frombuffer(hidden, np.uint8)
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows), 0)
    data = served.encoded(rows)[:33] + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    assert hidden in data
    np.testing.assert_array_equal(decode(data), rows)
    behind_text = data[:33] + chunk(b"tEXt", b"a\0" + hidden) + data[33:]
    np.testing.assert_array_equal(decode(behind_text), rows)


def test_the_note_is_found_behind_other_segments(decode):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = jpeg(exif=exif.tobytes(), comment=b"\xff\xe1 Exif\0\0 is not here")
    other = b"\xff\xe1\x00\x20http://ns.adobe.com/xap/1.0/\x00\x00"
    with_xmp = data[:2] + other + data[2:]
    assert decode(with_xmp).shape == (41, 30, 3)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",  # a directory behind the end
        b"II*\0\x08\0\0\0\xff\xff",  # entries that are not there
        b"MM\0*\0\0\0\x08\0\x01\x01\x12",
        b"garbage that is no TIFF header at all",
    ],
)
def test_a_damaged_note_turns_nothing(decode, note):
    for make in FILES.values():
        data = make(note)
        np.testing.assert_array_equal(decode(data), decode_image(data))
        assert decode(data).shape == FRAME.shape
