"""Several data directories as one: what must agree, and what is called how.

    folders A, B with their flags --> names "A", "B"; the flags of both as one
    clip "walk/1.avi" of A        --> "A/walk/1.avi"

Labels must be of one kind, or a model would learn two. How many samples a clip gives
may differ: short clips take a smaller stride.
"""

import collections
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from motionflow.errors import InputError
from motionflow.labels.clips import Clip
from motionflow.labels.samples import LabelOptions

# These decide which frames become samples, not what a label means.
SAMPLING = {"frame_stride", "stabilize", "duplicates"}


def set_names(data_dirs: Sequence[Path]) -> list[str]:
    """Names of data sets: those of their folders; none for a single one.

    Raises:
      InputError: two have the same.
    """
    if len(data_dirs) == 1:
        return []
    names = [Path(os.path.abspath(path)).name for path in data_dirs]
    for name, count in collections.Counter(names).items():
        if count > 1:
            raise InputError(
                f"data_dir names {count} folders called {name!r}: clips are called "
                "after their folder, so rename one"
            )
    return names


def joined_flags(flags_of: Mapping[str, Mapping]) -> dict[str, Any]:
    """The flags of several data directories as one.

    Args:
      flags_of: name of a data set -> flags of its manifest; one is given back as it is.

    Returns:
      flags that agree as they are; those that differ as lists, in the order of
      `data_sets`, the names.

    Raises:
      InputError: labels that do not fit together, or a data set that is several.
    """
    if len(flags_of) == 1:
        return dict(*flags_of.values())
    for name, flags in flags_of.items():
        if "data_sets" in flags:
            sets = ", ".join(flags["data_sets"])
            raise InputError(f"{name} is put together itself: name its sets ({sets})")
    fields = LabelOptions.__dataclass_fields__
    names = dict.fromkeys(name for flags in flags_of.values() for name in flags)
    joined: dict[str, Any] = {}
    for name in names:
        default = fields[name].default if name in fields else None
        values = [flags.get(name, default) for flags in flags_of.values()]
        if all(value == values[0] for value in values):
            joined[name] = values[0]
        elif name in fields.keys() - SAMPLING:
            found = (f"{v} in {s}" for s, v in zip(flags_of, values, strict=True))
            raise InputError(f"--{name} must be one for all: {', '.join(found)}")
        else:
            joined[name] = values
    return joined | {"data_sets": list(flags_of)}


def named(name: str, clip: str) -> str:
    """What a clip of a data set is called; "" is the set of a single directory."""
    return f"{name}/{clip}" if name else clip


def by_set(clips: Iterable[Clip], names: Sequence[str]) -> dict[str, list[Clip]]:
    """Data set -> its clips; all are of the set "" where there are no names."""
    found: dict[str, list[Clip]] = {name: [] for name in names or [""]}
    for clip in clips:
        found[clip.path.split("/")[0] if names else ""].append(clip)
    return found
