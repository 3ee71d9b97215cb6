import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from motionflow.media import picture
from motionflow.serving import picture_bytes
from tests import served

pytestmark = pytest.mark.slow

FRAME = served.pictures(1, 30, 41)[0]


@pytest.fixture(scope="module")
def decode():
    spec = tf.TensorSpec([], tf.string)
    return tf.function(picture_bytes.decode, input_signature=[spec])


def file_of(image, **options):
    file = io.BytesIO()
    image.save(file, **{"format": "PNG"} | options)
    return file.getvalue()


def kinds():
    image = Image.fromarray(FRAME)
    alpha = image.copy()
    alpha.putalpha(image.convert("L"))
    yield "jpeg", file_of(image, format="JPEG")
    yield "progressive", file_of(image, format="JPEG", progressive=True, subsampling=2)
    yield "grey jpeg", file_of(image.convert("L"), format="JPEG")
    yield "print colours", file_of(image.convert("CMYK"), format="JPEG")
    yield "png", file_of(image)
    yield "grey", file_of(image.convert("L"))
    yield "one bit", file_of(image.convert("1"))
    yield "transparent", file_of(alpha)
    yield "transparent grey", file_of(alpha.convert("LA"))
    yield "colour key", file_of(image, transparency=image.getpixel((3, 4)))
    for num_colours in (2, 4, 16, 256):
        palette = image.quantize(num_colours)
        yield f"{num_colours} colours", file_of(palette)
        yield f"{num_colours} colours, one clear", file_of(palette, transparency=1)


@pytest.mark.parametrize("data", [pytest.param(d, id=name) for name, d in kinds()])
def test_pictures_decode_as_pillow_decodes_them(decode, data, tmp_path):
    (tmp_path / "picture").write_bytes(data)
    expected = picture.read_image(tmp_path / "picture")
    np.testing.assert_array_equal(decode(data), expected)


def test_16_bits_become_8(decode):
    values = np.uint16([[0, 257 * 7, 257 * 200, 65535]])
    gray = decode(file_of(Image.fromarray(values)))
    np.testing.assert_array_equal(gray, [[[v] * 3 for v in (0, 7, 200, 255)]])


def bomb(format_name):
    """A small file that claims to be of 60000 x 60000 pixels."""
    data = bytearray(served.encoded(FRAME, format=format_name))
    if format_name == "PNG":
        data[16:24] = struct.pack(">II", 60000, 60000)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    else:
        start = data.index(b"\xff\xc0")
        data[start + 5 : start + 9] = struct.pack(">HH", 60000, 60000)
    return bytes(data)


REFUSED = {
    "nothing": (b"", "neither a JPEG nor a PNG file; their number:] [0]"),
    "gif": (served.encoded(FRAME, format="GIF"), "neither a JPEG nor a PNG"),
    "bmp": (served.encoded(FRAME, format="BMP"), "neither a JPEG nor a PNG"),
    "start of a png": (b"\x89PNG\r\n\x1a\n", "neither a JPEG nor a PNG"),
    "start of a jpeg": (b"\xff\xd8\xff", "Invalid JPEG data"),
    "half a jpeg": (served.encoded(FRAME, format="JPEG")[:500], "JPEG"),
    "half a png": (served.encoded(FRAME)[:500], "Invalid PNG data"),
    "large jpeg": (
        bomb("JPEG"),
        "more than 67108864 pixels; height and width:] [60000",
    ),
    "large png": (bomb("PNG"), "more than 67108864 pixels; height and width:] [60000"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(decode, name):
    data, words = REFUSED[name]
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        decode(data)
    assert words in str(caught.value)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG"])
def test_damage_is_an_error_or_a_picture_and_never_worse(decode, format_name):
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = served.encoded(FRAME, format=format_name, exif=exif.tobytes())
    random, failed = np.random.default_rng(0), 0
    for _ in range(150):
        data = bytearray(whole)
        for place in random.integers(2, len(data), 3):
            data[place] = random.integers(256)
        try:
            assert decode(bytes(data)).shape[-1] == 3
        except tf.errors.InvalidArgumentError:
            failed += 1
    assert failed > 0
