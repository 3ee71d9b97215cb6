import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

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


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", TURNED)
def test_photographs_stand_upright(decode, orientation, order):
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F], exif[0x0112], exif[0x0131] = "maker", orientation, "program"
    data = jpeg(exif=exif.tobytes())
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(decode(data), np.asarray(expected))


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
    data = jpeg()
    body = b"Exif\0\0" + note
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(body)) + body
    np.testing.assert_array_equal(decode(data[:2] + segment + data[2:]), decode(data))
