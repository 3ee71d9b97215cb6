"""Pixels and frames -> pictures and videos that stand inside a page.

    uint8 [H, W, 3] -> WebP -> data URI -> Picture
    frames -> MP4 (H.264) -> data URI

A page that holds its pictures is one file: it can be sent, kept and opened anywhere.
"""

import base64
import dataclasses
import io
from collections.abc import Iterable

import numpy as np
from PIL import Image

from motionflow.media.video_writer import write_mp4

_FPS = 10.0


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture inside the page.

    Attributes:
      uri: the picture itself.
      alt: what it shows, for who cannot see it.
      width: pixels.
      height: pixels.
    """

    uri: str
    alt: str
    width: int
    height: int


def data_uri(content: bytes, kind: str) -> str:
    """Bytes of a MIME type as a URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def picture(pixels: np.ndarray, alt: str) -> Picture:
    """uint8 RGB [H, W, 3] as a WebP."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=85, method=6)
    height, width = pixels.shape[:2]
    return Picture(data_uri(buffer.getvalue(), "image/webp"), alt, width, height)


def video_uri(frames: Iterable[np.ndarray], fps: float = _FPS) -> str:
    """uint8 [H, W, 3] frames as an MP4."""
    buffer = io.BytesIO()
    write_mp4(buffer, frames, fps)
    return data_uri(buffer.getvalue(), "video/mp4")
