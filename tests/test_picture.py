"""Every kind of picture becomes 8-bit RGB; frames become a folder, or nothing."""

import resource
import struct
import time
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile

from motionflow.errors import InputError
from motionflow.media import picture
from tests.conftest import texture

WHITE = [255, 255, 255]


def png(width: int, height: int, depth: int, kind: int, *chunks: tuple) -> bytes:
    """A PNG file from its chunks."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, data in [(b"IHDR", header), *chunks, (b"IEND", b"")]:
        crc = zlib.crc32(name + data)
        parts.append(struct.pack(">I", len(data)) + name + data)
        parts.append(struct.pack(">I", crc))
    return b"".join(parts)


def test_colours_are_read_as_they_are(tmp_path):
    pixels = texture(1, 30, 40)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    read = picture.read_image(tmp_path / "a.png")
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, pixels)


# How a viewer turns the stored picture, orientation by orientation (EXIF, tag 274).
@pytest.mark.parametrize(
    "orientation, turn",
    [
        (2, np.fliplr),
        (3, lambda a: np.rot90(a, 2)),
        (4, np.flipud),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: np.rot90(a.transpose(1, 0, 2), 2)),
        (8, np.rot90),
    ],
)
def test_exif_orientation(tmp_path, orientation, turn):
    pixels = texture(1, 30, 40)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(picture.read_image(tmp_path / "a.png"), turn(pixels))


@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
def test_transparency_lies_over_white(tmp_path, suffix):
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0] = [[200, 0, 0, 0], [200, 0, 0, 255], [200, 0, 100, 51]]
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}", lossless=True, exact=True)
    # 51 is a fifth: 0.2 * 200 + 0.8 * 255 = 244, 0.8 * 255 = 204, 224.
    expected = [WHITE, [200, 0, 0], [244, 204, 224]]
    read = picture.read_image(tmp_path / f"a.{suffix}")[0]
    np.testing.assert_allclose(read, expected, atol=1)


def test_transparent_grey_and_palettes(tmp_path):
    gray = np.uint8([[[50, 0], [50, 255], [50, 51]]])
    Image.fromarray(gray, "LA").save(tmp_path / "la.png")
    # 0.2 * 50 + 0.8 * 255 = 214.
    read = picture.read_image(tmp_path / "la.png")[0]
    np.testing.assert_allclose(read[:, 0], [255, 50, 214], atol=1)
    # One grey level, one colour, one index of a palette that stands for "nothing".
    levels = Image.fromarray(np.uint8([[7, 8]]))
    levels.save(tmp_path / "l.png", transparency=7)
    np.testing.assert_array_equal(
        picture.read_image(tmp_path / "l.png")[0], [WHITE, [8] * 3]
    )
    colors = Image.fromarray(np.uint8([[[1, 2, 3], [4, 5, 6]]]))
    colors.save(tmp_path / "rgb.png", transparency=(1, 2, 3))
    np.testing.assert_array_equal(
        picture.read_image(tmp_path / "rgb.png")[0], [WHITE, [4, 5, 6]]
    )
    palette = Image.fromarray(np.uint8([[0, 1]]), "P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    for name in ("p.png", "p.gif"):
        palette.save(tmp_path / name, transparency=1)
        np.testing.assert_array_equal(
            picture.read_image(tmp_path / name)[0], [[10, 20, 30], WHITE]
        )


@pytest.mark.parametrize("suffix", ["png", "tiff", "jpg", "webp", "bmp"])
def test_grey(tmp_path, suffix):
    Image.new("L", (16, 16), 90).save(tmp_path / f"a.{suffix}")
    read = picture.read_image(tmp_path / f"a.{suffix}")
    assert read.shape == (16, 16, 3)
    np.testing.assert_allclose(read, 90, atol=1)


def test_black_and_white(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    np.testing.assert_array_equal(
        picture.read_image(tmp_path / "a.png")[0], [WHITE, [0] * 3]
    )


@pytest.mark.parametrize("suffix", ["png", "tiff", "pgm"])
def test_grey_of_16_bits_keeps_its_range(tmp_path, suffix):
    # 257 v is v, white is white, and what lies between is rounded: 128 / 257 is less
    # than a half, 129 / 257 more.
    values = np.uint16([[0, 128, 129, 257, 25700, 30000, 65535]])
    assert cv2.imwrite(str(tmp_path / f"a.{suffix}"), values)
    read = picture.read_image(tmp_path / f"a.{suffix}")
    expected = [0, 0, 1, 1, 100, 117, 255]  # 30000 / 257 = 116.73
    for channel in range(3):
        assert read[0, :, channel].tolist() == expected


def test_other_byte_order_and_transparent_level_of_16_bits(tmp_path):
    values = np.array([[0, 257 * 40]], ">u2")
    Image.fromarray(values).save(tmp_path / "a.tiff")  # I;16B
    assert picture.read_image(tmp_path / "a.tiff")[0, :, 0].tolist() == [0, 40]
    Image.fromarray(values.astype("<u2")).save(tmp_path / "a.png", transparency=0)
    assert picture.read_image(tmp_path / "a.png")[0, :, 0].tolist() == [255, 40]


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_colours_of_16_bits(tmp_path, suffix):
    # RGB; OpenCV writes BGR.
    values = np.uint16([[[0, 257, 65535], [257 * 40, 257 * 254, 25900]]])
    assert cv2.imwrite(str(tmp_path / f"a.{suffix}"), values[..., ::-1])
    read = picture.read_image(tmp_path / f"a.{suffix}")[0]
    # 25900 / 257 = 100.8; its high byte is 101.
    np.testing.assert_array_equal(read, [[0, 1, 255], [40, 254, 101]])
    alpha = np.uint16([[[0], [65535]]])
    bgra = np.concatenate([values[..., ::-1], alpha], axis=-1)
    assert cv2.imwrite(str(tmp_path / f"b.{suffix}"), bgra)
    read = picture.read_image(tmp_path / f"b.{suffix}")[0]
    np.testing.assert_array_equal(read, [WHITE, [40, 254, 101]])


@pytest.mark.parametrize("suffix", ["jpg", "tiff"])
def test_printing_inks(tmp_path, suffix):
    # Cyan, magenta, yellow, black: no ink is white, cyan takes the red.
    for ink, expected in [
        ((0, 0, 0, 0), WHITE),
        ((255, 0, 0, 0), [0, 255, 255]),
        ((0, 0, 0, 255), [0, 0, 0]),
    ]:
        Image.new("CMYK", (16, 16), ink).save(tmp_path / f"a.{suffix}")
        read = picture.read_image(tmp_path / f"a.{suffix}")
        np.testing.assert_allclose(read[8, 8], expected, atol=3)


@pytest.mark.parametrize("mode, word", [("I", "integers"), ("F", "floats")])
def test_numbers_without_a_white_are_refused(tmp_path, mode, word):
    Image.new(mode, (4, 4)).save(tmp_path / "a.tiff")
    with pytest.raises(InputError, match=f"32-bit {word}.*convert it to 8 or 16"):
        picture.read_image(tmp_path / "a.tiff")


def test_lab(tmp_path):
    # Lightness 100 % without colour is white, 0 % is black.
    for lightness in (0, 255):
        Image.new("LAB", (4, 4), (lightness, 128, 128)).save(tmp_path / "a.tiff")
        read = picture.read_image(tmp_path / "a.tiff")
        np.testing.assert_allclose(read, lightness, atol=2)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_an_animation_gives_its_last_frame(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "lime", "blue")]
    path = tmp_path / f"a.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_array_equal(picture.read_image(path)[4, 4], [0, 0, 255])


def huge_files() -> dict[str, bytes]:
    """Small files whose headers claim 60000x60000 pixels, 10.8 GB."""
    rows = zlib.compress(bytes(60000 * 3 * 30), 9)
    jpeg = bytearray(cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    start = jpeg.index(b"\xff\xc0")  # the frame's header: length, depth, height, width
    jpeg[start + 5 : start + 9] = struct.pack(">HH", 60000, 60000)
    return {
        "png": png(60000, 60000, 8, 2, (b"IDAT", rows)),
        "jpg": bytes(jpeg),
    }


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_huge_header_is_refused_before_decoding(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"huge.{suffix}"
    path.write_bytes(huge_files()[suffix])
    assert path.stat().st_size < 10_000
    loads = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", loads.append)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    with pytest.raises(InputError, match="cannot be read as a picture.*3600000000"):
        picture.read_image(path)
    assert time.perf_counter() - start < 1
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    assert grown < 20_000  # kilobytes
    assert not loads


def test_what_is_no_picture(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match="cannot be read as a picture"):
        picture.read_image(tmp_path / "text.png")
    for path in (tmp_path / "missing.png", tmp_path):
        with pytest.raises(InputError, match="there is no picture"):
            picture.read_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "tiff", "bmp"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_cut_file_is_refused(tmp_path, suffix, share):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(texture(1, 60, 80)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match="cannot be read as a picture"):
        picture.read_image(path)


def test_bytes_are_read_as_their_file_is(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    path = tmp_path / "a.jpg"
    Image.fromarray(texture(1, 30, 40)).save(path, exif=exif)
    decoded = picture.decode_image(path.read_bytes())
    assert decoded.shape == (40, 30, 3) and decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, picture.read_image(path))
    for data in (b"", b"no picture", path.read_bytes()[:400], huge_files()["png"]):
        with pytest.raises(InputError, match="the data cannot be read as a picture"):
            picture.decode_image(data)


def test_frames_become_a_folder(tmp_path):
    frames = [texture(i, 20, 31) for i in range(3)]
    for _ in range(2):  # the second replaces the first
        picture.write_frames(tmp_path / "out", iter(frames))
        names = sorted(path.name for path in (tmp_path / "out").iterdir())
        assert names == ["frame-0000.png", "frame-0001.png", "frame-0002.png"]
        for name, frame in zip(names, frames, strict=True):
            with Image.open(tmp_path / "out" / name) as image:
                np.testing.assert_array_equal(np.asarray(image), frame)
        frames = frames[::-1]
        for left_by_a_mac in (".DS_Store", "._frame-0000.png"):
            (tmp_path / "out" / left_by_a_mac).touch()
    picture.write_frames(tmp_path / "out", frames[:1])
    assert len(list((tmp_path / "out").iterdir())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failure_leaves_what_was_there(tmp_path):
    picture.write_frames(tmp_path / "out", [texture(0, 8, 8)] * 2)

    def broken():
        yield texture(1, 8, 8)
        raise RuntimeError("broken")

    for folder in ("out", "new"):
        with pytest.raises(RuntimeError, match="broken"):
            picture.write_frames(tmp_path / folder, broken())
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_folders_of_others_are_left_alone(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "frame-0000.png").write_text("mine")
    (tmp_path / "photos" / "frame.png").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name, message in [
        ("photos", "holds frame.png; PNG frames go into a new folder"),
        ("file", "is a file"),
        ("none/out", "no folder"),
    ]:
        with pytest.raises(InputError, match=message):
            picture.write_frames(tmp_path / name, [texture(0, 8, 8)])
    assert len(list((tmp_path / "photos").iterdir())) == 2
    assert len(list(tmp_path.iterdir())) == 2
