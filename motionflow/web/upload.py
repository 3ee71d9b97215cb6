"""A file that somebody sends -> a frame of bounded size, or a plain refusal.

bytes --check_kind--> begins like a JPEG or PNG --read_frame--> uint8 [H, W, 3]
"""

import numpy as np
from PIL import Image

from motionflow.data import picture, still
from motionflow.errors import InputError

MAX_BYTES = 16 * 2**20
LONGEST_SIDE = 1024  # pixels; larger pictures are shrunk to it
_KINDS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


def check_kind(data: bytes) -> None:
    """Refuses what does not begin like a JPEG or PNG, whatever it is called.

    Raises:
      InputError: no bytes at all, or another kind of file.
    """
    if not data:
        raise InputError("No picture came: choose a JPEG or PNG.")
    if not data.startswith(_KINDS):
        raise InputError(
            "This file is not a picture that we know: choose a JPEG or PNG."
        )


def read_frame(data: bytes) -> tuple[np.ndarray, tuple[int, int]]:
    """Decodes a picture and shrinks it to a longest side of `LONGEST_SIDE`.

    The header is read first: too many pixels are refused before they are decoded.

    Args:
      data: a JPEG or PNG, see `check_kind`.

    Returns:
      The frame, uint8 [H, W, 3] RGB, and the (width, height) that the file holds.

    Raises:
      InputError: the picture is damaged or too large to decode.
    """
    try:
        frame = picture.decode_image(data)
    except InputError as error:
        if isinstance(error.__cause__, Image.DecompressionBombError):
            limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
            raise InputError(
                f"This picture has too many pixels: at most {limit} million are read."
            ) from error
        raise InputError("This picture is damaged: it cannot be read.") from error
    height, width = frame.shape[:2]
    return still.bound_size(frame, LONGEST_SIDE), (width, height)
