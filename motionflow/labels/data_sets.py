"""Several data directories as one: what must agree, what is called how, who tests.

    folders A, B with their flags --> names "A", "B"; the flags of both as one
    clip "walk/1.avi" of A        --> "A/walk/1.avi"
    clips of each set --splits.py--> its own splits, or folds
      -> a source of two sets goes where the first of them has it
      -> a share of the training sources

Labels must be of one kind, or a model would learn two. How many samples a clip gives
may differ: short clips take a smaller stride. Each set is dealt by itself, so each fold
tests the same share of every set, and what a set gives to a split does not depend on
those behind it. Sources of a set that is only tested are tested in all sets. A single
data directory is a set without a name.
"""

import collections
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from motionflow.errors import InputError
from motionflow.labels.clips import Clip
from motionflow.labels.options import LabelOptions, ResplitOptions
from motionflow.labels.splits import (
    drawn_order,
    source_folds,
    split_clips,
    split_samples,
)

# These decide which frames become samples and how they look, not what a label means.
_SAMPLING = {"frame_stride", "stabilize", "duplicates", "jpeg_quality"}
# What a clip has in place of a split, and why it is in none.
UNLISTED, LEFT_OUT = "", "left out"
REASONS = {
    UNLISTED: "in no split of the official lists",
    LEFT_OUT: "left out by train_share",
}


def set_names(data_dirs: Sequence[Path]) -> list[str]:
    """Names of data sets, those of their folders; none for a single one.

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


def named(name: str, clip: str) -> str:
    """What a clip of a data set is called."""
    return f"{name}/{clip}" if name else clip


def by_set(clips: Iterable[Clip], names: Sequence[str]) -> dict[str, list[Clip]]:
    """Data set -> its clips; names are none for a single one."""
    found: dict[str, list[Clip]] = {name: [] for name in names or [""]}
    for clip in clips:
        found[clip.path.split("/")[0] if names else ""].append(clip)
    return found


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
    joined: dict[str, Any] = {}
    for name in dict.fromkeys(itertools.chain(*flags_of.values())):
        default = fields[name].default if name in fields else None
        values = [flags.get(name, default) for flags in flags_of.values()]
        if all(value == values[0] for value in values):
            joined[name] = values[0]
        elif name in fields.keys() - _SAMPLING:
            found = (f"{v} in {s}" for s, v in zip(flags_of, values, strict=True))
            raise InputError(f"--{name} must be one for all: {', '.join(found)}")
        else:
            joined[name] = values
    return joined | {"data_sets": list(flags_of)}


def check_options(options: ResplitOptions, names: Sequence[str]) -> None:
    """Refuses options that exclude each other, or do not fit the data sets' names."""
    by_source = options.split == "source"
    if options.num_folds and not by_source:
        raise InputError(f"num_folds needs split=source, found {options.split}")
    if names and options.split.startswith("official"):
        raise InputError(
            f"split {options.split} is of one data set, found {', '.join(names)}"
        )
    if not 0 < options.train_share <= 1:
        found = options.train_share
        raise InputError(f"train_share is {found}, expected more than 0, at most 1")
    if options.train_share < 1 and options.split == "frame":
        raise InputError("train_share keeps whole clips: it needs another split")
    if not options.validation and options.split == "frame":
        raise InputError("validation=False is for splits that keep clips whole")
    if options.test_sets and (options.num_folds or not by_source):
        raise InputError("test_sets needs split=source, and no folds")
    if unknown := sorted(set(options.test_sets) - set(names)):
        raise InputError(
            f"test_sets {', '.join(unknown)}: the data sets are "
            f"{', '.join(names) or 'a single one'}"
        )
    if options.test_sets and not set(names) - set(options.test_sets):
        raise InputError("test_sets names all data sets: nothing is left to train on")


def draw_splits(
    sets: Mapping[str, Sequence[Clip]],
    num_samples: Mapping[str, int],
    options: ResplitOptions,
    official: Mapping[str, str] | None,
) -> list[dict[str, list[str]]]:
    """Draws the split of each sample, once or for each fold.

    Args:
      sets: data set -> its clips that gave samples, in their order.
      num_samples: clip path -> how many.
      options: how to split; see `check_options`.
      official: from `splits.official_split`.

    Returns:
      for each fold, clip path -> one of SPLITS, or a key of REASONS, for each sample.

    Raises:
      InputError: too few sources or samples in a data set.
    """
    if options.split == "frame":
        drawn: dict[str, list[str]] = {}
        for clips in sets.values():
            drawn |= split_samples(clips, num_samples, "frame", None, options.seed)
        return [drawn]
    tested = {clip.source for name in options.test_sets for clip in sets[name]}
    dealt = {
        name: [clip for clip in clips if clip.source not in tested]
        for name, clips in sets.items()
        if name not in options.test_sets
    }
    draws = [_draw_set(name, dealt[name], options, official) for name in dealt]
    every_clip = itertools.chain(*sets.values())
    test = {clip.path: "test" for clip in every_clip if clip.source in tested}
    folds = []
    for drawn_of_sets in zip(*draws, strict=True):
        split_of = _together(list(dealt.values()), drawn_of_sets)
        if not options.validation:
            train = {"validation": "train"}
            split_of = {path: train.get(s, s) for path, s in split_of.items()}
        if options.train_share < 1:
            split_of = _share(list(dealt.values()), split_of, options)
        split_of |= test
        folds.append({path: [s] * num_samples[path] for path, s in split_of.items()})
    return folds


def _draw_set(
    name: str,
    clips: Sequence[Clip],
    options: ResplitOptions,
    official: Mapping[str, str] | None,
) -> Sequence[Mapping[str, str]]:
    """Splits one set, once or for each fold."""
    try:
        if options.num_folds:
            return source_folds(clips, options.num_folds, options.seed)
        return [split_clips(clips, official, options.seed)]
    except InputError as error:
        raise InputError(f"data set {name}: {error}" if name else error) from error


def _together(
    sets: Sequence[Sequence[Clip]], drawn: Sequence[Mapping[str, str]]
) -> dict[str, str]:
    """One split of all sets, in which no source is divided between two of them."""
    split_of: dict[str, str] = {}
    split_of_source: dict[str, str] = {}
    for clips, own in zip(sets, drawn, strict=True):
        split_of |= {c.path: split_of_source.get(c.source, own[c.path]) for c in clips}
        split_of_source |= {clip.source: split_of[clip.path] for clip in clips}
    return split_of


def _share(
    sets: Sequence[Sequence[Clip]],
    split_of: Mapping[str, str],
    options: ResplitOptions,
) -> dict[str, str]:
    """Keeps a share of each set's training sources; smaller ones are parts of it."""
    left_out: dict[str, bool] = {}
    for clips in sets:
        sources = {c.source for c in clips if split_of[c.path] == "train"}
        # An order of its own: in that of the splits, large sources come first here.
        order = drawn_order(sources, f"train_share:{options.seed}")
        num_kept = max(1, round(options.train_share * len(order)))
        for i, source in enumerate(order):
            left_out.setdefault(source, i >= num_kept)
    kept = dict(split_of)
    for clip in itertools.chain(*sets):
        if kept[clip.path] == "train" and left_out[clip.source]:
            kept[clip.path] = LEFT_OUT
    return kept
