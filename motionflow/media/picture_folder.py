"""A folder of pictures -> its pictures; which frame each of them is.

    folder                   --find_pictures-->   paths of pictures, and of what is none
    f-0007.png, f-0009.png   --number_pictures--> numbers 7, 9; the paths in that order
    1305031102.175304.png    --number_pictures--> no numbers, but their order: the names
    1305031103.011215.png      are times

The number that varies from name to name is that of the frame: 12 in take2_12_of_99.png.
Where several vary, as in a date and a time, no name says which frames are missing. The
pictures are in the order of all their numbers then, the first counting most.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from motionflow.errors import InputError
from motionflow.files.file_names import PICTURE_SUFFIXES, is_hidden, is_picture


def find_pictures(folder: str | Path) -> tuple[list[Path], list[Path]]:
    """Finds the pictures in a folder, by the suffixes of their names.

    Returns:
      pictures and other files, in the order of their names; hidden files and folders
      are in neither.

    Raises:
      InputError: the folder holds no picture.
    """
    files = sorted(
        path
        for path in Path(folder).iterdir()
        if path.is_file() and not is_hidden(path.name)
    )
    pictures = [path for path in files if is_picture(path.name)]
    if not pictures:
        raise InputError(f"{folder} holds no picture ({', '.join(PICTURE_SUFFIXES)})")
    return pictures, [path for path in files if not is_picture(path.name)]


def number_pictures(pictures: Sequence[Path]) -> tuple[list[int] | None, list[Path]]:
    """Numbers pictures by their names, or puts them in order at least.

    Args:
      pictures: of one folder, one at least.

    Returns:
      the numbers of the frames, ascending, None where names are rather times; and the
      pictures in their order.

    Raises:
      InputError: a name has no number, or another count of them than the first, two
        pictures have the same, or digits behind a point leave the order open.
    """
    # Text, digits, text, digits, ..., text.
    parts = [re.split(r"(\d+)", path.stem) for path in pictures]
    for path, found in zip(pictures, parts, strict=True):
        if len(found) == 1:
            raise InputError(f"{path} has no number in its name")
        if len(found) != len(parts[0]):
            raise InputError(
                f"{pictures[0]} has {len(parts[0]) // 2} numbers in its name, {path} "
                f"{len(found) // 2}: which is the frame?"
            )
    numbers = [tuple(map(int, found[1::2])) for found in parts]
    _check_distinct(pictures, numbers)
    counted = sorted(range(len(pictures)), key=numbers.__getitem__)
    varying = [set(column) for column in zip(*numbers, strict=True)]
    varying = [column for column in varying if len(column) > 1] or varying[-1:]
    frames = sorted(varying[0]) if len(varying) == 1 else None
    if frames and frames[-1] - frames[0] < 2 * len(frames):
        return frames, [pictures[i] for i in counted]
    order = _order_of_times(pictures, parts, counted)
    return frames if order == counted else None, [pictures[i] for i in order]


def _check_distinct(
    pictures: Sequence[Path], numbers: Sequence[tuple[int, ...]]
) -> None:
    files: dict[tuple[int, ...], Path] = {}
    for path, number in zip(pictures, numbers, strict=True):
        if number in files:
            raise InputError(f"{files[number]} and {path} have the same number")
        files[number] = path


def _order_of_times(
    pictures: Sequence[Path], parts: Sequence[Sequence[str]], counted: list[int]
) -> list[int]:
    """The order in which 3.25 is before 3.5: digits behind a point are decimals.

    They may be counted instead, 3.9 before 3.10, but then they begin with no zero.
    """
    width = max(len(digits) for found in parts for digits in found[1::2])
    numbers = [
        tuple(
            int(digits.ljust(width, "0") if before == "." else digits)
            for before, digits in zip(found[:-1:2], found[1::2], strict=True)
        )
        for found in parts
    ]
    order = sorted(counted, key=numbers.__getitem__)
    if order == counted or any(re.search(r"\d\.0\d", path.stem) for path in pictures):
        return order
    one, other = next(
        pair for pair in zip(counted, order, strict=True) if len({*pair}) > 1
    )
    raise InputError(
        f"{pictures[one]} or {pictures[other]}: which comes first is not sure; give "
        f"all names the same count of digits behind the point"
    )
