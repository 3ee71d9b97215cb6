"""What a visitor drew and chose: JSON text -> Wishes, or a refusal."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from motionflow.errors import InputError
from motionflow.generate.control import Arrow, Place

LENGTHS = range(1, 11)  # predictions; each is half a second
ENDINGS = ("open", "loop")
MOODS = ("calm", "lively")
LEAST_STRENGTH, MOST_STRENGTH = 0.25, 3.0
MOST_MARKS = 100
MOST_FUTURES = 3
_FARTHEST = 1e5  # pixels
_MOST_SEED = 2**31


@dataclasses.dataclass(frozen=True)
class Wishes:
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
      InputError: any other value.
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
        for name, is_right, expected in (
            (
                "arrows",
                _are(self.arrows, lambda arrow: _are(arrow, _is_place, 2, 2)),
                f"at most {MOST_MARKS} of [[x, y], [x2, y2]]",
            ),
            ("pins", _are(self.pins, _is_place), f"at most {MOST_MARKS} of [x, y]"),
            (
                "strength",
                _is_number(self.strength, LEAST_STRENGTH, MOST_STRENGTH),
                f"{LEAST_STRENGTH} to {MOST_STRENGTH}",
            ),
            (
                "length",
                _is_whole(self.length) and self.length in LENGTHS,
                f"{LENGTHS[0]} to {LENGTHS[-1]}",
            ),
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


def read(text: str) -> Wishes:
    """Wishes from JSON; what is not named has its default.

    Raises:
      InputError: no JSON object, an unknown name, a value that `Wishes` refuses.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("the wishes are no JSON") from error
    names = {field.name for field in dataclasses.fields(Wishes)}
    if not isinstance(values, dict) or not set(values) <= names:
        raise InputError(f"the wishes may hold {', '.join(sorted(names))}")
    return Wishes(**values)


def _are(values: Any, is_one: Any, most: int = MOST_MARKS, least: int = 0) -> bool:
    is_list = isinstance(values, (list, tuple)) and least <= len(values) <= most
    return is_list and all(map(is_one, values))


def _is_place(value: Any) -> bool:
    return _are(value, lambda x: _is_number(x, -_FARTHEST, _FARTHEST), 2, 2)


def _is_number(value: Any, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and least <= value <= most


def _is_whole(value: Any) -> bool:
    return isinstance(value, int)


def _is_seed(value: Any) -> bool:
    return _is_whole(value) and 0 <= value < _MOST_SEED
