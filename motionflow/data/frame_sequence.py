"""A video or a folder of pictures -> its frames, and which frame each of them is.

    folder of f-0007.png, f-0009.png  --open_sequence--> numbers 7, 9; frames
    video whose time stamps jump      --open_sequence--> numbers 0, 1, 4; frames

The names of pictures number them, see `picture_folder`. The time stamps of a video do
where they are regular: a step of three frames' time says that two are missing. What the
decoder refuses leaves the same gaps; the frames behind it, up to the next that needs no
other, may be built on what is lost, so they count as missing too.
"""

import collections
import contextlib
import dataclasses
import functools
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from motionflow.data import picture, picture_folder, video
from motionflow.data.continuity import mark_breaks
from motionflow.errors import InputError

# Of a step; containers round time stamps, to milliseconds for example.
_IRREGULAR = 0.3
_MANY_IRREGULAR = 0.05
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
    announced = video.count_frames(path).announced  # and refuses what is no video
    lost: collections.Counter[str] = collections.Counter()
    stamps = [stamp for stamp, _ in _decoded(path, lost)]
    if not stamps:
        raise InputError(f"{path} holds no frame that PyAV decodes")
    remarks = [f"{path}: {count} {what}" for what, count in lost.items()]
    numbers, step = number_stamps(stamps)
    if step is None:
        remarks.append(f"{path}: irregular time stamps, so no gaps are looked for")
        step = _mean_step(path)
    if announced - 1 > numbers[-1]:
        behind = announced - 1 - numbers[-1]
        remarks.append(f"{path}: {behind} more frames are announced than there are")
    fps = float(1 / step) if step else 0.0

    def read() -> Iterator[np.ndarray]:
        return (frame() for _, frame in _decoded(path, collections.Counter()))

    return FrameSequence(numbers, 0, numbers[-1], fps, remarks, read)


def number_stamps(stamps: list[Fraction | None]) -> tuple[list[int], Fraction | None]:
    """Numbers frames by their time stamps.

    Args:
      stamps: seconds, or None where the container does not say.

    Returns:
      the numbers, from 0 on, and the seconds of one frame; None, and numbers without a
      gap, where the stamps are absent or irregular.
    """
    without_gap = list(range(len(stamps))), None
    known = [stamp for stamp in stamps if stamp is not None]
    if len(stamps) < 2 or len(known) < len(stamps):
        return without_gap
    steps = np.diff([float(stamp) for stamp in known])
    if steps.min() <= 0:
        return without_gap
    # Most steps may be gaps, but the shortest ones are frames.
    step = np.median(steps[steps < 1.5 * np.quantile(steps, 0.1)])
    counts = np.maximum(np.rint(steps / step), 1)
    irregular = np.abs(steps / step - counts) > _IRREGULAR
    if irregular.mean() > _MANY_IRREGULAR:
        return without_gap
    # Rounded stamps give a rounded step; all of them together give the true one.
    total = known[-1] - known[0]
    return [0, *np.cumsum(counts).astype(int).tolist()], total / int(counts.sum())


@contextlib.contextmanager
def _container(path: Path) -> Iterator:
    import av

    # Only local files: a playlist that poses as a video must not fetch others.
    arguments: dict[str, Any] = {"file": str(path)}
    arguments["options"] = {"protocol_whitelist": "file"}
    try:
        try:
            container = av.open(**arguments)
        except UnicodeDecodeError:  # PyAV 18, for a title that is no text
            container = av.open(**arguments | {"metadata_errors": "replace"})
    except av.error.FFmpegError as error:
        raise InputError(f"{path} cannot be opened by PyAV") from error
    with container:
        if not container.streams.video:
            raise InputError(f"{path} has no video in it")
        yield container


def _mean_step(path: Path) -> Fraction | None:
    """Seconds of a frame by the container's own account."""
    with _container(path) as container:
        rate = container.streams.video[0].average_rate
        return 1 / rate if rate else None


def _decoded(path: Path, lost: collections.Counter[str]) -> Iterator[tuple]:
    """Yields (time stamp, function that gives the frame); counts what is lost."""
    with _container(path) as container:
        for frame in _good_frames(container, lost):
            stamp = None if frame.pts is None else frame.pts * frame.time_base
            yield stamp, functools.partial(_rgb, frame)


def _good_frames(container: Any, lost: collections.Counter[str]) -> Iterator:
    from av.error import FFmpegError

    is_whole = True
    packets = container.demux(video=0)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:
            packet = None
            lost["times the container itself could not be read on"] += 1
        if packet is None:
            return
        try:
            frames = packet.decode()
        except FFmpegError:
            frames, is_whole = [], False
            lost["packets that could not be decoded"] += 1
        for frame in frames:
            is_whole = is_whole or bool(frame.key_frame)
            if is_whole and not frame.is_corrupt:
                yield frame
            else:
                lost["frames left out, as they are built on lost ones"] += 1


def _rgb(frame: Any) -> np.ndarray:
    """uint8 [H, W, 3], turned as the container says."""
    turned = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
    return np.ascontiguousarray(turned)
