"""Where a video is not one continuous motion: shot cuts and duplicated frames.

    fitted frames, uint8 [S, S, 3] --mark_breaks--> (frame, "" | "cut" | "duplicate")

The mark says what lies between a frame and the one before it. Flow across a cut is
nonsense, and flow to a duplicate says "still" where something moves: film of 24 frames
a second, played at 30, has a duplicate in five, and much of HMDB-51 is such film.

cut        the frames' thumbnails correlate little, or a bit while their colours
           differ. This tells frames of different HMDB-51 sources apart in 99.9 % of
           cases, while camera swings (thumbnails differ, colours do not) and flashes
           (colours differ, thumbnails do not) are no cuts.
duplicate  nothing but rounding changed, or the change is a small part of the largest
           ones within two frames before and after. An absolute limit alone would take
           still scenes for duplicates or miss those that were encoded again.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

_THUMBNAIL = 20  # pixels a side
_COLORS = 8  # histogram bins a channel
_OTHER_SCENE = 0.4  # thumbnails that correlate less show different scenes
_SAME_SCENE = 0.7  # those that correlate more the same; between them colours decide
_MIN_COLOR_CHANGE = 0.3  # share of the pixels in another colour bin
_ROUNDING = 2  # levels of 255
_DUPLICATE_SHARE = 0.15
_NEIGHBOURS = 2  # frames before and after


def mark_breaks(frames: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, str]]:
    """Marks each frame with how it follows the one before; the first with "".

    Holds five frames at most, however long the video is.

    Args:
      frames: uint8 [S, S, 3] RGB, one after another.
    """
    # Padding lets the window slide over both ends.
    steps = itertools.chain([None] * _NEIGHBOURS, _steps(frames), [None] * _NEIGHBOURS)
    window: list = list(itertools.islice(steps, 2 * _NEIGHBOURS))
    for step in steps:
        window.append(step)
        frame, change, largest, other_shot = window[_NEIGHBOURS]
        before, after = window[:_NEIGHBOURS], window[_NEIGHBOURS + 1 :]
        if other_shot:
            yield frame, "cut"
        elif largest is not None and (
            largest <= _ROUNDING
            or change < _DUPLICATE_SHARE * min(_largest(before), _largest(after))
        ):
            yield frame, "duplicate"
        else:
            yield frame, ""
        window.pop(0)


def _largest(steps: list) -> float:
    """The largest change of some steps; where a video ends, nothing moves."""
    return max((step[1] for step in steps if step), default=0.0)


def _steps(frames: Iterable[np.ndarray]) -> Iterator[tuple]:
    """Yields (frame, mean change, largest change, is it a cut) for each frame."""
    previous, other = None, np.zeros(0)
    for frame in frames:
        thumbnail = _thumbnail(frame)
        if previous is None:
            yield frame, 0.0, None, False
        else:
            change = cv2.norm(frame, previous, cv2.NORM_L1) / frame.size
            largest = cv2.norm(frame, previous, cv2.NORM_INF)
            is_other = _is_cut(previous, frame, other, thumbnail)
            yield frame, change, largest, is_other
        previous, other = frame, thumbnail


def is_cut(first: np.ndarray, second: np.ndarray) -> bool:
    """Tells whether two frames, uint8 [S, S, 3], show different shots."""
    return _is_cut(first, second, _thumbnail(first), _thumbnail(second))


def _is_cut(
    first: np.ndarray, second: np.ndarray, one: np.ndarray, other: np.ndarray
) -> bool:
    """The same, with the frames' thumbnails."""
    # One level of contrast in common lets two frames that show nothing be one scene.
    both, contrasts = (one * other).sum() + one.size, [(one**2).sum(), (other**2).sum()]
    correlation = both / np.sqrt(np.prod(np.add(contrasts, one.size)))
    if not _OTHER_SCENE < correlation < _SAME_SCENE:
        return bool(correlation <= _OTHER_SCENE)
    colors = [_colors(frame) for frame in (first, second)]
    return bool(np.abs(colors[0] - colors[1]).sum() / 2 > _MIN_COLOR_CHANGE)


def _thumbnail(frame: np.ndarray) -> np.ndarray:
    """A small copy without its mean colour."""
    size = (_THUMBNAIL, _THUMBNAIL)
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return small - small.mean(axis=(0, 1))


def _colors(frame: np.ndarray) -> np.ndarray:
    """Share of the pixels in each colour bin."""
    counts = cv2.calcHist([frame], [0, 1, 2], None, [_COLORS] * 3, [0, 256] * 3)
    return counts / counts.sum()


class Step(NamedTuple):
    """A frame with its place in the video and its mark, see `marked_steps`."""

    index: int  # type: ignore[assignment]  # a field, where tuples have a method
    frame: np.ndarray
    mark: str


def marked_steps(
    frames: Iterable[np.ndarray],
    skip_duplicates: bool,
    gaps: Collection[int] = (),
) -> Iterator[Step]:
    """Yields a video's frames, on request without those that repeat the one before.

    Args:
      frames: uint8 [S, S, 3] RGB, one after another.
      skip_duplicates: leaves duplicates out.
      gaps: positions of the frames before which time is missing, see `media.timing`;
        the mark of such a frame is "gap", unless it is "cut".
    """
    is_late = False
    for index, (frame, mark) in enumerate(mark_breaks(frames)):
        is_late = is_late or index in gaps
        if skip_duplicates and mark == "duplicate":
            continue
        yield Step(index, frame, "gap" if is_late and mark != "cut" else mark)
        is_late = False
