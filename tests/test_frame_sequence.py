"""Which frames there are: by names, by time stamps, and behind damage."""

import random
import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from motionflow.errors import InputError
from motionflow.media.frame_sequence import (
    find_pictures,
    number_pictures,
    open_sequence,
    parse_numbers,
)
from tests.conftest import moving_square, texture, write_avi


def write_video(
    path, frames, numbers, codec="libx264", rate=25, title="", key_distance=12
):
    """Encodes frames with the time stamps of these numbers."""
    with av.open(str(path), "w") as container:
        container.metadata["title"] = title
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.time_base = Fraction(1, rate)
        stream.gop_size, stream.codec_context.max_b_frames = key_distance, 0
        for frame, number in zip(frames, numbers, strict=True):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24")
            picture.pts, picture.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def nearest(frame, truth):
    """Number of the true frame that a decoded one is most like."""
    return int(np.abs(frame.astype(int) - truth).mean(axis=(1, 2, 3)).argmin())


def test_lists_of_numbers():
    assert parse_numbers("3,7-9") == [3, 7, 8, 9]
    assert parse_numbers(" 9, 1-2,2-3,,") == [1, 2, 3, 9]
    assert parse_numbers("0") == [0]
    assert parse_numbers("") == []


@pytest.mark.parametrize("text", ["a", "3-", "-3", "3..5", "1;2", "9" * 10])
def test_what_is_no_list(text):
    with pytest.raises(InputError, match="is no frame number"):
        parse_numbers(text)


def test_a_list_that_runs_backwards():
    with pytest.raises(InputError, match="'9-7' runs backwards"):
        parse_numbers("9-7")


@pytest.mark.parametrize("name, codec", [("a.mp4", "libx264"), ("a.mkv", "mjpeg")])
def test_a_video_whose_stamps_jump(tmp_path, name, codec):
    frames = moving_square((4, 0), 12, seed=0)
    numbers = [0, 1, 2, 5, 6, 7, 8, 11]
    write_video(tmp_path / name, frames[numbers], numbers, codec)
    found = open_sequence(tmp_path / name)
    assert (found.numbers, found.first, found.last) == (numbers, 0, 11)
    assert found.num_missing == 4
    assert found.fps == pytest.approx(25)
    for _ in range(2):  # it can be read again
        assert [nearest(frame, frames) for frame in found.read()] == numbers


def test_a_whole_video_has_no_gap(tmp_path):
    write_avi(tmp_path / "a.avi", moving_square((2, 0), 9, seed=0))
    found = open_sequence(tmp_path / "a.avi")
    assert (found.numbers, found.remarks) == (list(range(9)), [])
    assert found.fps == pytest.approx(30)


def test_damaged_frames_leave_gaps(tmp_path):
    """Motion JPEG: each frame stands alone, so only the damaged ones are lost."""
    frames = moving_square((4, 0), 9, seed=0)
    write_avi(tmp_path / "a.avi", frames)
    data = bytearray((tmp_path / "a.avi").read_bytes())
    movie = data.index(b"movi")
    starts = [m.start() for m in re.finditer(b"00dc", data) if m.start() > movie]
    for lost in (3, 4):
        begin = starts[lost] + 8
        size = int.from_bytes(data[begin - 4 : begin], "little")
        data[begin : begin + size] = bytes(size)
    (tmp_path / "a.avi").write_bytes(data)
    found = open_sequence(tmp_path / "a.avi")
    assert found.numbers == [0, 1, 2, 5, 6, 7, 8]
    assert any("2 packets that could not be decoded" in r for r in found.remarks)
    assert [nearest(frame, frames) for frame in found.read()] == found.numbers


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_what_is_built_on_a_damaged_frame_is_missing_too(tmp_path, codec):
    """Every fifth frame needs no other; frames 8 and 9 need the damaged 7."""
    frames, path = moving_square((4, 0), 13, seed=0), tmp_path / "a.mp4"
    write_video(path, frames, range(13), codec, key_distance=5)
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data, (begin, size) = bytearray(path.read_bytes()), packets[7]
    data[begin : begin + size] = bytes(size)
    path.write_bytes(data)
    found = open_sequence(path)
    assert found.numbers == [0, 1, 2, 3, 4, 5, 6, 10, 11, 12]
    assert found.remarks == [
        f"{path}: 1 packets that could not be decoded",
        f"{path}: 2 frames left out, as they are built on lost ones",
    ]
    assert len(list(found.read())) == 10


def test_a_title_that_is_no_text(tmp_path):
    frames = moving_square((4, 0), 3, seed=0)
    write_video(tmp_path / "a.mkv", frames, range(3), title="TITLE")
    data = (tmp_path / "a.mkv").read_bytes()
    assert b"TITLE" in data
    (tmp_path / "a.mkv").write_bytes(data.replace(b"TITLE", b"TITL\xd3"))
    assert len(list(open_sequence(tmp_path / "a.mkv").read())) == 3


def write_pictures(folder, names):
    folder.mkdir()
    for i, name in enumerate(names):
        Image.fromarray(texture(i, 16, 20)).save(folder / name)
    return folder


def test_a_folder_of_numbered_pictures(tmp_path):
    folder = write_pictures(tmp_path / "f", ["a2-9.png", "a2-10.png", "a2-12.png"])
    (folder / "note.txt").write_text("not a picture")
    found = open_sequence(folder)
    assert (found.numbers, found.first, found.last) == ([9, 10, 12], 9, 12)
    assert (found.num_missing, found.fps) == (1, 0)
    assert found.remarks == [f"1 files in {folder} are no pictures"]
    for i, frame in enumerate(found.read()):
        np.testing.assert_array_equal(frame, texture(i, 16, 20))


@pytest.mark.parametrize(
    "names, num_missing, doubt",
    [
        # As many may be missing as there are, not more.
        (["9.png", "10.png", "14.png"], 3, ""),
        (["9.png", "10.png", "15.png"], 4, "4 of 7 frames are missing: are these num"),
        (
            ["5.02.png", "5.17.png", "6.01.png"],
            0,
            "5.02.png and 6.01.png are no numbers",
        ),
    ],
)
def test_numbers_that_may_be_none(tmp_path, names, num_missing, doubt):
    found = open_sequence(write_pictures(tmp_path / "f", names))
    assert found.num_missing == num_missing
    assert doubt in found.doubt and found.remarks == [found.doubt] * bool(doubt)
    for i, frame in enumerate(found.read()):
        np.testing.assert_array_equal(frame, texture(i, 16, 20))
    assert found.without_gaps().doubt == "" and found.without_gaps().num_missing == 0


def test_what_is_no_video(tmp_path):
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(InputError, match="no frame that can be decoded"):
        open_sequence(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="there is no file"):
        open_sequence(tmp_path / "b.mp4")


def test_other_numbers(tmp_path):
    found = open_sequence(write_pictures(tmp_path / "f", ["5.png", "7.png", "8.png"]))
    assert found.without_gaps().numbers == [5, 6, 7]
    assert found.without_gaps().num_missing == 0
    other = found.lacking([6, 8])
    assert (other.numbers, other.first, other.last) == ([5, 7, 9], 5, 9)
    other = found.lacking([3, 4, 8])
    assert (other.numbers, other.first, other.last) == ([5, 6, 7], 3, 8)
    other = found.lacking([1, 4], first=0)
    assert (other.numbers, other.first, other.last) == ([0, 2, 3], 0, 4)
    with pytest.raises(InputError, match="frame 12 cannot be missing: 3 frames and 2"):
        found.lacking([6, 12])


def test_duplicates_are_found(tmp_path):
    frames = moving_square((4, 0), 8, seed=0)
    write_avi(tmp_path / "a.avi", frames[[0, 1, 2, 2, 3, 4, 4, 5]])
    assert open_sequence(tmp_path / "a.avi").find_duplicates() == {3, 6}


# --- a folder of pictures -------------------------------------------------------


def test_pictures_of_a_folder(tmp_path):
    for name in ("b.JPG", "a.jfif", "notes.txt", "clip.avi", "._b.JPG", ".DS_Store"):
        (tmp_path / name).write_text("")
    (tmp_path / "folder.png").mkdir()
    pictures, others = find_pictures(tmp_path)
    assert [path.name for path in pictures] == ["a.jfif", "b.JPG"]
    assert [path.name for path in others] == ["clip.avi", "notes.txt"]
    with pytest.raises(InputError, match="holds no picture"):
        find_pictures(tmp_path / "folder.png")


@pytest.mark.parametrize(
    "numbers, names",
    [
        ([9, 10, 12], "a2-9.png a2-10.png a2-12.png"),
        ([1, 2, 3], "f_1_of_300.png f_2_of_300.png f_3_of_300.png"),
        ([8, 9, 10, 11], "f08.png f9.jpg f10.PNG f0011.tif"),
        ([1, 2], "a-1.png a-2.png"),
        ([7], "only1_7.png"),
        # As many are missing as given, not more.
        ([1, 4], "1.png 4.png"),
        ([1, 5], "1.png 5.png"),
        # Versions are counted, so 3.10 is behind 3.9.
        ([9, 10, 11], "shot3.9.png shot3.10.png shot3.11.png"),
        ([120058, 120059, 120100], "d1_120058.png d1_120059.png d1_120100.png"),
        # Times: no numbers of frames, but an order.
        (None, "IMG_20240101_235959.png IMG_20240102_000000.png"),
        (None, "1305031102.175304.png 1305031102.943211.png 1305031103.011215.png"),
        (None, "1700.05.png 1700.1.png 1700.125.png 1701.0.png"),
        (None, "1700.05.png 1700.1.png 1700.15.png"),
        (None, "cam0_000123.png cam0_000124.png cam1_000123.png cam1_000124.png"),
    ],
)  # fmt: skip
def test_numbers_and_order(numbers, names):
    right = [Path(name) for name in names.split()]
    mixed = random.Random(0).sample(right, len(right))
    assert number_pictures(mixed) == (numbers, right)


@pytest.mark.parametrize(
    "names, message",
    [
        ("1.png 01.png", "1.png and 01.png have the same number"),
        ("f1.png f1.jpg", "f1.png and f1.jpg have the same number"),
        ("t-1.png t1.png", "t-1.png and t1.png have the same number"),
        ("left_1.png right_1.png", "left_1.png and right_1.png have the same number"),
        ("1.png cover.png", "cover.png has no number in its name"),
        ("1.png 1(1).png", r"1.png has 1 numbers in its name, 1\(1\).png 2: which"),
        ("17.9.png 17.10.png 18.1.png", "17.9.png or 17.10.png: which comes first"),
    ],
)
def test_names_that_leave_the_order_open(names, message):
    with pytest.raises(InputError, match=message):
        number_pictures([Path(name) for name in names.split()])
