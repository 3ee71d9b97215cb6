import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

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


# --- the orientation of a photograph ----------------------------------------------

TURNED = range(10)  # 0 and 9 mean nothing


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


NOTED = {
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
@pytest.mark.parametrize("kind", NOTED)
def test_pictures_stand_upright(decode, kind, order):
    for orientation in TURNED:
        data = NOTED[kind](note_of(orientation, order))
        expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
        np.testing.assert_array_equal(decode(data), expected)
        np.testing.assert_array_equal(picture.decode_image(data), expected)


def test_a_number_of_four_bytes_is_read_too(decode):
    entry = struct.pack(">HHII", 0x0112, 4, 1, 6)
    note = b"MM\0*\0\0\0\x08\0\x01" + entry + bytes(4)
    for make in NOTED.values():
        assert (
            decode(make(note)).shape
            == picture.decode_image(make(note)).shape
            == (41, 30, 3)
        )


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
    for make in NOTED.values():
        data = make(note)
        np.testing.assert_array_equal(decode(data), picture.decode_image(data))
        assert decode(data).shape == FRAME.shape
