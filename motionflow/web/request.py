"""What a visitor sends: a picture's file, and what is wished of its film.

    bytes     --read_frame---> uint8 [H, W, 3], and the size that the file has
    JSON text --read_request-> FilmRequest

What is a picture is told by decoding it, as everywhere in the package.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from motionflow.errors import InputError
from motionflow.generate.control import Arrow, Place
from motionflow.media import picture, still

MAX_BYTES = 16 * 2**20
LONGEST_SIDE = 1024  # pixels; larger pictures are shrunk to it
LENGTHS = range(1, 11)  # predictions; each is half a second
ENDINGS = ("open", "loop")
MOODS = ("calm", "lively")
LEAST_STRENGTH, MOST_STRENGTH = 0.25, 3.0
MOST_MARKS = 100
MOST_FUTURES = 3
_FARTHEST = 1e5  # pixels
_MOST_SEED = 2**31
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
        raise InputError(_reason(error.__cause__)) from error
    height, width = frame.shape[:2]
    return still.bound_size(frame, LONGEST_SIDE), (width, height)


def _reason(cause: BaseException | None) -> str:
    """Why a picture cannot be read, in the words of the page."""
    if isinstance(cause, UnidentifiedImageError):
        return _UNKNOWN
    if isinstance(cause, Image.DecompressionBombError):
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        return f"This picture has too many pixels: at most {limit} million are read."
    if "what is white" in str(cause):
        return (
            "This picture's numbers do not tell what is white: convert it to 8 or 16 "
            "bits a channel."
        )
    return "This picture is damaged: it cannot be read."


@dataclasses.dataclass(frozen=True)
class FilmRequest:
    """What is asked of one film.

    Attributes:
      arrows: ((x, y), (x2, y2)) each, pixels of the picture.
      pins: (x, y) each.
      strength: factor on all motion, `LEAST_STRENGTH` to `MOST_STRENGTH`.
      length: predictions, one of `LENGTHS`.
      ending: "open", or "loop": ends as it begins.
      mood: "calm", the average of what may happen, or "lively", nearer to what is most
        probable.
      seeds: of possible futures, drawn beside each other; none: the one film of `mood`.

    Raises:
      InputError: any other value, which the page would not send.
    """

    arrows: Sequence[Arrow] = ()
    pins: Sequence[Place] = ()
    strength: float = 1.0
    length: int = 5
    ending: str = "open"
    mood: str = "calm"
    seeds: Sequence[int] = ()

    def __post_init__(self) -> None:
        """Refuses what the page would not send."""
        lowest, highest = LEAST_STRENGTH, MOST_STRENGTH
        is_length = _is_whole(self.length) and self.length in LENGTHS
        marks = f"at most {MOST_MARKS} of"
        for name, is_right, expected in (
            ("arrows", _are(self.arrows, _is_arrow), f"{marks} [[x, y], [x2, y2]]"),
            ("pins", _are(self.pins, _is_place), f"{marks} [x, y]"),
            (
                "strength",
                _is_number(self.strength, lowest, highest),
                f"{lowest} to {highest}",
            ),
            ("length", is_length, f"{LENGTHS[0]} to {LENGTHS[-1]}"),
            ("ending", self.ending in ENDINGS, " or ".join(ENDINGS)),
            ("mood", self.mood in MOODS, " or ".join(MOODS)),
            (
                "seeds",
                _are(self.seeds, _is_seed, MOST_FUTURES),
                f"at most {MOST_FUTURES} whole numbers",
            ),
        ):
            if not is_right:
                found = repr(getattr(self, name))[:80]
                raise InputError(f"{name} is {found}, expected {expected}")

    @property
    def is_told(self) -> bool:
        """Whether there are arrows or pins."""
        return bool(self.arrows or self.pins)


def read_request(text: str) -> FilmRequest:
    """A request from JSON; what is not named has its default.

    Raises:
      InputError: no JSON object, an unknown name, a value that is refused.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("the wishes are no JSON") from error
    names = {field.name for field in dataclasses.fields(FilmRequest)}
    if not isinstance(values, dict) or not set(values) <= names:
        raise InputError(f"the wishes may hold {', '.join(sorted(names))}")
    return FilmRequest(**values)


def _are(
    values: Any, is_one: Callable[[Any], bool], most: int = MOST_MARKS, least: int = 0
) -> bool:
    is_list = isinstance(values, (list, tuple)) and least <= len(values) <= most
    return is_list and all(map(is_one, values))


def _is_arrow(value: Any) -> bool:
    return _are(value, _is_place, 2, 2)


def _is_place(value: Any) -> bool:
    return _are(value, lambda x: _is_number(x, -_FARTHEST, _FARTHEST), 2, 2)


def _is_number(value: Any, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and least <= value <= most


def _is_whole(value: Any) -> bool:
    return isinstance(value, int)


def _is_seed(value: Any) -> bool:
    return _is_whole(value) and 0 <= value < _MOST_SEED
