"""Picture files to RGB frames, and RGB frames to numbered picture files.

    picture file --read_image---> uint8 [H, W, 3] RGB
    its bytes    --decode_image-> the same
    frames       --write_frames-> folder/frame-0000.png, frame-0001.png, ...

Whatever a picture holds becomes what a viewer shows on a white page: turned as its EXIF
orientation says, transparency over white, grey as grey, 16 bits a channel rounded to 8.
Colour profiles are not applied.
"""

import contextlib
import io
import re
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.files.file_names import is_macs
from motionflow.files.outputs import check_folder

# Formats whose pictures are the frames of one animation (the second "frame" of a TIFF
# is another page, that of a telephone's JPEG a thumbnail).
_ANIMATIONS = ("GIF", "PNG", "WEBP")
# Pillow may hold their 16-bit grey in 32-bit numbers; these formats have no others.
_GRAY16_AS_INT = ("PNG", "PPM")
_FRAME_NAME = re.compile(r"frame-\d{4,}\.png")


def read_image(path: str | Path) -> np.ndarray:
    """Reads a picture as uint8 [H, W, 3] RGB; of an animation its last frame.

    The header is read first: pictures of more than 179 megapixels (Pillow's limit) are
    refused before anything is decoded. Grey of 16 bits is divided by 257 and rounded;
    of 16-bit colours Pillow keeps the high byte, which is at most 1 larger.

    Raises:
      InputError: the file is missing, no picture, damaged or too large, or its numbers
        (32-bit integers, floats) do not tell what is white.
    """
    if not Path(path).is_file():  # a pipe would be waited for
        raise InputError(f"there is no picture {path}")
    return _read(path, str(path))


def decode_image(data: bytes) -> np.ndarray:
    """Decodes a picture file that is held in memory, as `read_image` does."""
    return _read(io.BytesIO(data), "the data")


def from_image(image: Image.Image) -> np.ndarray:
    """A PIL image as `read_image` gives a file's, with the same refusals."""
    try:
        return _to_rgb(*_upright(image))
    except ValueError as error:
        raise InputError(f"the picture cannot be used: {error}") from error


def _read(source: str | Path | io.BytesIO, name: str) -> np.ndarray:
    try:
        return _to_rgb(*_decode(source))
    # Pillow's answers to damage, from the header to the last chunk.
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        struct.error,
        Image.DecompressionBombError,
    ) as error:
        raise InputError(f"{name} cannot be read as a picture: {error}") from error


def is_picture(path: str | Path) -> bool:
    """Whether a file's header is that of a picture, even of one that is refused."""
    try:
        with Image.open(path) as image:
            # Pillow knows videos by their first bytes, but does not decode them.
            return image.format != "MPEG"
    except Image.DecompressionBombError:
        return True
    except (OSError, SyntaxError, ValueError, EOFError, struct.error):
        return False


def write_png(path: str | Path, frame: np.ndarray, mark: str = "") -> None:
    """Writes uint8 [H, W, 3] RGB; `mark` says who made it, see `files.outputs`."""
    with drafts.draft(path) as file:
        _save_png(file, frame, mark)


def _save_png(path: Path, frame: np.ndarray, mark: str) -> None:
    info = PngInfo()
    if mark:
        info.add_text("Software", mark)
    Image.fromarray(frame).save(path, pnginfo=info)


def write_frames(
    folder: str | Path, frames: Iterable[np.ndarray], mark: str = ""
) -> None:
    """Writes a folder of PNGs, `frame-0000.png` on; it appears whole or not at all.

    Frames are uint8 [H, W, 3] RGB. An empty folder, or one of such frames only, is
    replaced; see `check_frames_folder` for what is refused.
    """
    check_frames_folder(folder)
    folder = Path(folder).resolve()
    with drafts.draft(folder) as draft:
        draft.mkdir()
        for i, frame in enumerate(frames):
            _save_png(draft / f"frame-{i:04d}.png", frame, mark)


def check_frames_folder(folder: str | Path) -> None:
    """Refuses a folder whose content `write_frames` would destroy.

    Raises:
      InputError: it is a file, it holds something else than numbered frames, or its
        parent does not exist or cannot be written to.
    """
    folder = Path(folder).resolve()
    if not folder.parent.is_dir():
        raise InputError(f"there is no folder {folder.parent} to write {folder} into")
    check_folder(folder.parent)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is a file, expected a folder for PNG frames")
    for path in folder.iterdir():
        if not _FRAME_NAME.fullmatch(path.name) and not is_macs(path.name):
            raise InputError(
                f"{folder} holds {path.name}; PNG frames go into a new folder, an "
                f"empty one, or one that holds such frames only"
            )


def _decode(source: str | Path | io.BytesIO) -> tuple[Image.Image, bool]:
    with Image.open(source) as image:
        if image.format in _ANIMATIONS:
            image.seek(getattr(image, "n_frames", 1) - 1)
        return _upright(image)


def _upright(image: Image.Image) -> tuple[Image.Image, bool]:
    """The upright picture in its own mode, and whether it is 16-bit grey."""
    gray16 = image.mode.startswith("I;16") or (
        image.mode == "I" and image.format in _GRAY16_AS_INT
    )
    if image.mode in ("I", "F") and not gray16:
        kind = "integers" if image.mode == "I" else "floats"
        raise ValueError(
            f"its pixels are 32-bit {kind}, which do not tell what is white; "
            f"convert it to 8 or 16 bits"
        )
    image.load()
    # Of a JPEG Pillow itself passes over a damaged note.
    with contextlib.suppress(SyntaxError, ValueError, struct.error):
        image = ImageOps.exif_transpose(image)
    return image, gray16


def _to_rgb(image: Image.Image, gray16: bool) -> np.ndarray:
    if gray16:
        values = np.asarray(image).astype(np.uint32)
        # Pillow's own conversion would clip: all from 256 on would be white.
        gray = ((values + 128) // 257).astype(np.uint8)
        gray[values == image.info.get("transparency", -1)] = 255
        return np.repeat(gray[..., np.newaxis], 3, axis=-1)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))
