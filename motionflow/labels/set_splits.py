"""Splits of several data sets that lie together: each is dealt by itself.

    clips of each set --splits.py--> its own splits, or folds
      -> a source of two sets goes where the first of them has it
      -> a share of the training sources

So each fold tests the same share of every set, and what a set gives to a split does not
depend on those behind it. Sources of a set that is only tested are tested in all sets.
"""

import itertools
from collections.abc import Mapping, Sequence

from motionflow.errors import InputError
from motionflow.labels.build_options import ResplitOptions
from motionflow.labels.clips import Clip
from motionflow.labels.splits import (
    drawn_order,
    source_folds,
    split_clips,
    split_samples,
)

# What a clip has in place of a split, and why it is in none.
UNLISTED, LEFT_OUT = "", "left out"
REASONS = {
    UNLISTED: "in no split of the official lists",
    LEFT_OUT: "left out by train_share",
}


def check_options(options: ResplitOptions, names: Sequence[str]) -> None:
    """Refuses what these data sets cannot be split by.

    Args:
      options: how to split.
      names: of the data sets; none for a single one.

    Raises:
      InputError: options that exclude each other, or name no data set.
    """
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
    folds = [_together(list(dealt.values()), fold) for fold in zip(*draws, strict=True)]
    if not options.validation:
        folds = [
            {p: "train" if s == "validation" else s for p, s in fold.items()}
            for fold in folds
        ]
    if options.train_share < 1:
        folds = [_share(list(dealt.values()), fold, options) for fold in folds]
    every_clip = itertools.chain(*sets.values())
    test = {clip.path: "test" for clip in every_clip if clip.source in tested}
    return [
        {path: [split] * num_samples[path] for path, split in (fold | test).items()}
        for fold in folds
    ]


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
