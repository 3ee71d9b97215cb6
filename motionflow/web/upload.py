"""A file that somebody sends -> a frame of bounded size, or a plain refusal.

bytes --read_frame--> uint8 [H, W, 3], and the size that the file has

What is a picture is told by decoding it, as everywhere in the package.
"""

import numpy as np
from PIL import Image, UnidentifiedImageError

from motionflow.errors import InputError
from motionflow.media import picture, still

MAX_BYTES = 16 * 2**20
LONGEST_SIDE = 1024  # pixels; larger pictures are shrunk to it
_EPS = (b"%!PS", b"\xc5\xd0\xd3\xc6")
_UNKNOWN = (
    "This file is not a picture that can be read here. JPEG, PNG, WebP, GIF, BMP and "
    "TIFF are read, among others."
)


def read_frame(data: bytes) -> tuple[np.ndarray, tuple[int, int]]:
    """Decodes a picture and shrinks it to a longest side of `LONGEST_SIDE`.

    The header is read first: too many pixels are refused before they are decoded.

    Args:
      data: a picture of any format that `media.picture` reads, but for EPS, which is a
        program that another program would run.

    Returns:
      The frame, uint8 [H, W, 3] RGB, and the (width, height) that the file holds.

    Raises:
      InputError: it is no picture, damaged, too large to decode, or its numbers do not
        tell what is white.
    """
    if not data:
        raise InputError("No picture came: choose one.")
    if data.startswith(_EPS):
        raise InputError(_UNKNOWN)
    try:
        frame = picture.decode_image(data)
    except InputError as error:
        cause = error.__cause__
        if isinstance(cause, UnidentifiedImageError):
            raise InputError(_UNKNOWN) from error
        if isinstance(cause, Image.DecompressionBombError):
            limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
            raise InputError(
                f"This picture has too many pixels: at most {limit} million are read."
            ) from error
        if "what is white" in str(cause):
            raise InputError(
                "This picture's numbers do not tell what is white: convert it to 8 or "
                "16 bits a channel."
            ) from error
        raise InputError("This picture is damaged: it cannot be read.") from error
    height, width = frame.shape[:2]
    return still.bound_size(frame, LONGEST_SIDE), (width, height)
