"""The frame to play on: of a picture or of a video.

picture or video --read_moment--> its (last) frame, uint8 [H, W, 3], and those before
file, PIL image or array --as_moment--> the same
any frame        --bound_size--> the same with a longest side
"""

import collections
import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from motionflow.errors import InputError
from motionflow.media import picture, video
from motionflow.media.timing import Timing

NUM_BEFORE = 10  # frames; enough for a step at 120 frames a second


class Moment(NamedTuple):
    """A frame to play on, and what came before it.

    Attributes:
      frame: uint8 [H, W, 3] RGB.
      before: frames of the video just before it with no gap in time, oldest first;
        none of a picture.
      fps: frames a second of the video; 0 of a picture.
    """

    frame: np.ndarray
    before: Sequence[np.ndarray] = ()
    fps: float = 0.0


Picture = str | os.PathLike | Image.Image | np.ndarray | Moment


def read_still(path: str | Path) -> np.ndarray:
    """The frame of `read_moment`."""
    return read_moment(path).frame


def read_moment(path: str | Path) -> Moment:
    """Reads a picture, or the last frames of a video; InputError if it is neither."""
    if not Path(path).is_file():
        raise InputError(f"there is no file {path}")
    # A picture that is damaged or too large is not tried as a video.
    if picture.is_picture(path):
        return Moment(picture.read_image(path))
    video.check_file(path)
    stamps: list[Fraction | None] = []
    last: collections.deque[Callable] = collections.deque(maxlen=NUM_BEFORE + 1)
    try:
        for stamp, show in video.decode(path):
            stamps.append(stamp)
            last.append(show)
    except InputError as error:
        raise InputError(f"{path} is neither a picture nor a video") from error
    timing = Timing.of(stamps)
    num_joined = len(stamps) - max(timing.gaps, default=0)
    *before, frame = (show() for show in list(last)[-num_joined:])
    return Moment(frame, before, timing.rate)


def as_moment(source: Picture) -> Moment:
    """A picture as a file, see `read_moment`, a PIL image, or an array.

    Arrays are uint8 [H, W], [H, W, 3] (RGB) or [H, W, 4] (transparency is laid over
    white); InputError for others.
    """
    if isinstance(source, Moment):
        return source
    if isinstance(source, Image.Image):
        return Moment(picture.from_image(source))
    if not isinstance(source, np.ndarray):
        return read_moment(Path(source))
    if source.dtype != np.uint8 or not 2 <= source.ndim <= 3 or not source.size:
        raise InputError(
            f"the picture is an array of {source.dtype} {list(source.shape)}, expected "
            f"uint8 [H, W], [H, W, 3] or [H, W, 4]"
        )
    if source.ndim == 3 and source.shape[2] not in (3, 4):
        raise InputError(
            f"the picture has {source.shape[2]} channels, expected RGB or RGBA"
        )
    return Moment(picture.from_image(Image.fromarray(source)))


def bound_size(frame: np.ndarray, max_size: int) -> np.ndarray:
    """Shrinks a frame, uint8 [H, W, 3], to `max_size` pixels as its longer side.

    Its aspect is kept, up to rounding. What is small enough stays; 0 sets no bound.
    """
    height, width = frame.shape[:2]
    scale = max_size / max(height, width)
    if max_size == 0 or scale >= 1:
        return frame
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(frame, shape, interpolation=cv2.INTER_AREA)
