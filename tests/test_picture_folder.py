"""Which pictures a folder holds, their order, and when their names are no numbers."""

import random
from pathlib import Path

import pytest

from motionflow.errors import InputError
from motionflow.media.picture_folder import find_pictures, number_pictures


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
