"""Flags that say how a picture moves: arrows and pins; a mask, a strength."""

import re
from pathlib import Path
from typing import Any

from absl import flags

from motionflow.errors import InputError
from motionflow.flag_groups import FlagGroups

_NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*"
_PLACE = f"{_NUMBER},{_NUMBER}"


def define_told(define: FlagGroups) -> None:
    """Adds those of arrows and pins to a command."""
    define.group("What moves (a model that can be told, such as the one in the box)")
    define.repeated(
        "arrow",
        "x,y:x2,y2 in pixels of the picture: what is at (x, y) is at (x2, y2) in the "
        "end. May be repeated.",
    )
    define.repeated("pin", "x,y: what is there stays. May be repeated.")


def define_control(define: FlagGroups) -> None:
    """Adds all of them."""
    define_told(define)
    text = "Picture of the input's size: only where it is white anything moves."
    define.text("mask", None, text)
    define.number("strength", 1.0, "Factor on all motion.", at_least=0.01)


def read_told(values: flags.FlagValues) -> dict[str, Any]:
    """Arrows and pins, as arguments of `Model.animate` and `Control`.

    Raises:
      InputError: an arrow or pin of another form.
    """
    arrows = [_numbers("arrow", f"{_PLACE}:{_PLACE}", text) for text in values.arrow]
    return {
        "arrows": [((x, y), (x2, y2)) for x, y, x2, y2 in arrows],
        "pins": [tuple(_numbers("pin", _PLACE, text)) for text in values.pin],
    }


def read_control(values: flags.FlagValues) -> dict[str, Any]:
    """What all the flags say, as arguments of `Model.animate`.

    Raises:
      InputError: an arrow or pin of another form, or a mask that is not there.
    """
    if values.mask and not Path(values.mask).is_file():
        raise InputError(f"--mask={values.mask}: there is no such file")
    return read_told(values) | {"mask": values.mask, "strength": values.strength}


def _numbers(name: str, pattern: str, text: str) -> list[float]:
    found = re.fullmatch(pattern, text)
    if not found:
        form = {"arrow": "120,80:180,76", "pin": "120,80"}[name]
        raise InputError(f"--{name}={text} is not of the form {form}")
    return [float(number) for number in found.groups()]
