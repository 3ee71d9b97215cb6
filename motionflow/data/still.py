"""The frame to play on: of a picture, of a video, of each picture in a folder.

picture or video --read_still--> uint8 [H, W, 3] RGB
file, PIL image or array --as_frame--> the same
folder           --find_pictures--> paths of pictures, and of what is none
any frame        --bound_size--> the same with a longest side
"""

import collections
import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from motionflow.data import picture, video
from motionflow.errors import InputError

PICTURE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".avif", ".jp2"),
)


def read_still(path: str | Path) -> np.ndarray:
    """Reads a picture, or the last frame of a video or animation.

    Returns:
      uint8 [H, W, 3] RGB.

    Raises:
      InputError: the file is missing, damaged or neither of the two.
    """
    if not Path(path).is_file():
        raise InputError(f"there is no file {path}")
    # A picture that is damaged or too large is not tried as a video.
    if picture.is_picture(path):
        return picture.read_image(path)
    try:
        (last,) = collections.deque(video.iter_frames(path), maxlen=1)
    except InputError as error:
        raise InputError(f"{path} is neither a picture nor a video") from error
    return last


def as_frame(source: str | os.PathLike | Image.Image | np.ndarray) -> np.ndarray:
    """A picture, in whatever form a caller has it.

    Args:
      source: a file, see `read_still`; a PIL image; or uint8 [H, W], [H, W, 3] (RGB) or
        [H, W, 4] (transparency is laid over white).

    Returns:
      uint8 [H, W, 3] RGB.

    Raises:
      InputError: no picture, or an array of another shape or dtype.
    """
    if isinstance(source, Image.Image):
        return picture.from_image(source)
    if not isinstance(source, np.ndarray):
        return read_still(Path(source))
    if source.dtype != np.uint8 or not 2 <= source.ndim <= 3 or not source.size:
        raise InputError(
            f"the picture is an array of {source.dtype} {list(source.shape)}, expected "
            f"uint8 [H, W], [H, W, 3] or [H, W, 4]"
        )
    if source.ndim == 3 and source.shape[2] not in (3, 4):
        raise InputError(
            f"the picture has {source.shape[2]} channels, expected RGB or RGBA"
        )
    return picture.from_image(Image.fromarray(source))


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
        if path.is_file() and not path.name.startswith(".")
    )
    pictures = [path for path in files if path.suffix.lower() in PICTURE_SUFFIXES]
    if not pictures:
        raise InputError(f"{folder} holds no picture ({', '.join(PICTURE_SUFFIXES)})")
    return pictures, [path for path in files if path not in pictures]


def bound_size(frame: np.ndarray, max_size: int) -> np.ndarray:
    """Shrinks a frame whose longer side is above a bound, averaging areas.

    Args:
      frame: uint8 [H, W, 3].
      max_size: bound in pixels; 0 for none.

    Returns:
      uint8; the frame itself if it is small enough, else with `max_size` as its longer
      side and its aspect kept, up to rounding.
    """
    height, width = frame.shape[:2]
    scale = max_size / max(height, width)
    if max_size == 0 or scale >= 1:
        return frame
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(frame, shape, interpolation=cv2.INTER_AREA)
