"""A video or a folder of pictures -> its frames, and which frame each of them is.

    folder of f-0007.png, f-0009.png  --open_sequence--> numbers 7, 9; frames
    video whose time stamps jump      --open_sequence--> numbers 0, 1, 4; frames

The names of pictures number them, see `picture_folder`. The time stamps of a video do
where they are regular (see `media.timing`); what the decoder refuses leaves the same
gaps.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from motionflow.errors import InputError
from motionflow.media import picture, picture_folder, video
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
        """The same frames, numbered so that these numbers are left free.

        Args:
          missing: ascending.
          first: number of the first frame of the whole; the smallest, if None.

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
    """Finds out which frames a video or a folder of pictures has.

    A video is decoded once for that.

    Raises:
      InputError: there is no such file or folder, or nothing to decode in it; pictures
        whose order is not sure, see `picture_folder`.
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
    pictures, others = picture_folder.find_pictures(folder)
    numbers, ordered = picture_folder.number_pictures(pictures)
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
