"""A video or a folder of pictures -> its frames, and which frame each of them is.

    folder of f-0007.png, f-0009.png  --open_sequence--> numbers 7, 9; frames
    video whose time stamps jump      --open_sequence--> numbers 0, 1, 4; frames

The time stamps of a video number its frames where they are regular (see
`media.timing`); what the decoder refuses leaves the same gaps. The names of pictures
number them::

    f-0007.png, f-0009.png   numbers 7, 9
    1305031102.175304.png    no numbers, but an order: the names are times
    1305031103.011215.png

The number that varies from name to name is that of the frame: 12 in take2_12_of_99.png.
Where several vary, as in a date and a time, no name says which frames are missing. The
pictures are in the order of all their numbers then, the first counting most.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from motionflow.errors import InputError
from motionflow.files.file_names import PICTURE_SUFFIXES, is_hidden, is_picture
from motionflow.media import picture, video
from motionflow.media.continuity import mark_breaks

_SMALL = 200  # pixels a side, to find duplicates


@dataclasses.dataclass(frozen=True)
class FrameSequence:
    """Frames with their numbers; can be read again and again, one frame at a time.

    Attributes:
      numbers: of the frames there are, ascending, one at least.
      first, last: of the whole sequence; what is not in `numbers` is missing.
      fps: frames a second with none missing; 0 where the input does not say.
      remarks: what a user should know, one line each.
      read: gives the frames, uint8 [H, W, 3], in the order of the numbers.
      doubt: the remark that is to be answered before gaps are filled; "" if none.
    """

    numbers: list[int]
    first: int
    last: int
    fps: float
    remarks: list[str]
    read: Callable[[], Iterator[np.ndarray]]
    doubt: str = ""

    @property
    def num_missing(self) -> int:
        """Frames of the whole sequence that are not there."""
        return self.last + 1 - self.first - len(self.numbers)

    def without_gaps(self) -> "FrameSequence":
        """The same frames, with numbers that follow each other."""
        return self.lacking([])

    def lacking(self, missing: list[int], first: int | None = None) -> "FrameSequence":
        """The same frames, numbered so that these ascending numbers are left free.

        The whole begins with `first`; with the smallest number, if None.

        Raises:
          InputError: a number lies behind the end.
        """
        if first is None:
            first = min([self.first, *missing])
        last = first + len(self.numbers) + len(missing) - 1
        if missing and missing[-1] > last:
            raise InputError(
                f"frame {missing[-1]} cannot be missing: {len(self.numbers)} frames "
                f"and {len(missing)} missing ones have the numbers {first} to {last}"
            )
        free = set(missing)
        numbers = [i for i in range(first, last + 1) if i not in free]
        return dataclasses.replace(
            self, numbers=numbers, first=first, last=last, doubt=""
        )

    def find_duplicates(self) -> set[int]:
        """Numbers of the frames that repeat the one before, by `mark_breaks`."""
        small = (video.fit_frame(frame, _SMALL) for frame in self.read())
        marks = (mark for _, mark in mark_breaks(small))
        pairs = zip(self.numbers, marks, strict=True)
        return {number for number, mark in pairs if mark == "duplicate"}


def parse_numbers(text: str) -> list[int]:
    """Reads "3,7-9" as [3, 7, 8, 9]: ascending, each once.

    Raises:
      InputError: it is no such list.
    """
    numbers: set[int] = set()
    for part in filter(None, text.replace(" ", "").split(",")):
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
        if not match:
            raise InputError(f"{part!r} is no frame number; expected such as 3,7-9")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise InputError(f"{part!r} runs backwards")
        numbers.update(range(first, last + 1))
    return sorted(numbers)


def open_sequence(path: str | Path) -> FrameSequence:
    """Finds out which frames a video, which is decoded once, or a folder has.

    Raises:
      InputError: there is no such file or folder, or nothing to decode in it; pictures
        whose order is not sure, see `number_pictures`.
    """
    path = Path(path)
    found = _open_folder(path) if path.is_dir() else _open_video(path)
    doubt, num_missing, num_found = found.doubt, found.num_missing, len(found.numbers)
    if num_missing > num_found:
        of = f"{num_missing:,} of {num_missing + num_found:,}"
        doubt = f"{of} frames are missing: are these numbers of frames?"
    remarks = [*found.remarks, doubt] if doubt else found.remarks
    return dataclasses.replace(found, remarks=remarks, doubt=doubt)


def _open_folder(folder: Path) -> FrameSequence:
    pictures, others = find_pictures(folder)
    numbers, ordered = number_pictures(pictures)
    remarks = [f"{len(others)} files in {folder} are no pictures"] if others else []
    doubt = ""
    if numbers is None:
        numbers = list(range(len(ordered)))
        doubt = (
            f"names such as {ordered[0].name} and {ordered[-1].name} are no numbers of "
            f"frames: which are missing?"
        )

    def read() -> Iterator[np.ndarray]:
        return map(picture.read_image, ordered)

    first, last = numbers[0], numbers[-1]
    return FrameSequence(numbers, first, last, 0.0, remarks, read, doubt)


def _open_video(path: Path) -> FrameSequence:
    opened = video.open_video(path)
    timing, remarks = opened.timing, list(opened.remarks)
    numbers = list(timing.numbers)
    if not timing.is_regular and len(numbers) > 1:
        remarks.append(f"{path}: no regular time stamps, so no gaps are looked for")
    return FrameSequence(numbers, 0, numbers[-1], timing.rate, remarks, opened.read)


def find_pictures(folder: str | Path) -> tuple[list[Path], list[Path]]:
    """The pictures in a folder, by their names, and its other files that one sees.

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
    """Numbers pictures of a folder by their names, or puts them in order at least.

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
