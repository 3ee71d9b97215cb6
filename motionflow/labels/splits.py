"""Which clip trains, validates and tests.

    source      no source video in two splits (default)
    official1-3 HMDB-51's or UCF-101's published split; validation sources are taken
                from its training clips
    frame       the report's protocol: frames are shuffled, so neighbours five frames
                apart stand in training and validation. It flatters every number.

The first two give a split to each clip, `frame` to each sample. `source_folds` draws
several splits by source, so that every source is tested once (cross-validation).
"""

import collections
import hashlib
import itertools
import os
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from motionflow.errors import InputError
from motionflow.files.file_names import video_stem
from motionflow.labels.clips import Clip
from motionflow.labels.datasets import OFFICIAL_LISTS

SPLITS = ("train", "validation", "test")
PROTOCOLS = ("source", "official1", "official2", "official3", "frame")
HELD_OUT = 0.1  # share of the clips for validation, and again for test


def split_by_source(
    clips: Sequence[Clip], held_out: Iterable[str], seed: int
) -> dict[str, str]:
    """Clip path -> split, all clips of a source together.

    Sources are taken in an order that depends on their name and the seed only; each
    goes to the first of `held_out`, splits of HELD_OUT of the clips each, that it does
    not overfill, else to training.

    Raises:
      InputError: too few sources to give each split one.
    """
    sizes = collections.Counter(clip.source for clip in clips)
    held_out = list(held_out)
    if len(sizes) <= len(held_out):
        raise InputError(
            f"{len(sizes)} source videos cannot fill {len(held_out) + 1} splits; "
            "add videos, or pass --split=frame to split frames instead"
        )
    order = drawn_order(sizes, seed)
    target = max(1.0, HELD_OUT * len(clips))
    most = max(1, len(sizes) // 3)  # sources, so that a few large ones leave some
    split_of: dict[str, str] = {}
    for split in held_out:
        left = [source for source in order if source not in split_of]
        chosen: list[str] = []
        for source in left:
            filled = sum(sizes[other] for other in chosen)
            if len(chosen) < most and filled + sizes[source] <= target:
                chosen.append(source)
        # Where every source is larger than the target, the smallest must do.
        chosen = chosen or [min(left, key=sizes.__getitem__)]
        split_of |= dict.fromkeys(chosen, split)
    return {clip.path: split_of.get(clip.source, "train") for clip in clips}


def source_folds(
    clips: Sequence[Clip], num_folds: int, seed: int
) -> list[dict[str, str]]:
    """For each fold, clip path -> split: each source is tested in exactly one.

    Sources with many clips are dealt first, each to the fold with the fewest test clips
    so far; which of equally large ones comes first depends on names and seed only. So
    folds differ by a clip or two where there are many sources. A tenth of the clips
    that a fold does not test are for its validation, chosen by `split_by_source`.

    Raises:
      InputError: fewer than three folds, or fewer sources than folds.
    """
    sizes = collections.Counter(clip.source for clip in clips)
    if num_folds < 3:
        raise InputError(f"num_folds is {num_folds}, expected 3 or more")
    if len(sizes) < num_folds:
        raise InputError(
            f"{len(sizes)} source videos cannot fill num_folds={num_folds} test splits"
        )
    num_tested, fold_of = [0] * num_folds, {}
    for source in sorted(drawn_order(sizes, seed), key=lambda s: -sizes[s]):
        fold_of[source] = num_tested.index(min(num_tested))
        num_tested[fold_of[source]] += sizes[source]
    folds = []
    for fold in range(num_folds):
        others = [clip for clip in clips if fold_of[clip.source] != fold]
        # An order of its own, or all folds would validate on the same sources.
        split_of = split_by_source(others, ("validation",), seed + fold)
        folds.append({clip.path: split_of.get(clip.path, "test") for clip in clips})
    return folds


def drawn_order(sources: Iterable[str], seed: int | str) -> list[str]:
    """Sorts sources by chance; the order depends on their names and the seed only."""

    def digest(source: str) -> bytes:
        return hashlib.sha256(os.fsencode(f"{seed}:{source}")).digest()

    return sorted(sources, key=digest)


def official_split(
    protocol: str, dataset: str, split_dir: str | Path | None
) -> Mapping[str, str] | None:
    """Reads the published lists of a data set that a protocol follows.

    Returns:
      file name -> "train", "test" or "" (in neither); None for the other protocols.

    Raises:
      InputError: unknown protocol, missing lists.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"split {protocol!r} is none of {', '.join(PROTOCOLS)}")
    if not protocol.startswith("official"):
        return None
    if dataset not in OFFICIAL_LISTS or split_dir is None:
        names = "|".join(OFFICIAL_LISTS)
        raise InputError(f"{protocol} needs --dataset={names}, --split_dir")
    return OFFICIAL_LISTS[dataset](split_dir, int(protocol[-1]))


def listed_splits(clips: Iterable[Clip], official: Mapping[str, str]) -> dict[str, str]:
    """Clip path -> "train", "test" or "": in neither of the published lists.

    Clips are found there by their names without suffix, in any case.
    """
    splits = {video_stem(name).casefold(): split for name, split in official.items()}
    return {c.path: splits.get(video_stem(c.path).casefold(), "") for c in clips}


def split_clips(
    clips: Sequence[Clip], official: Mapping[str, str] | None, seed: int
) -> Mapping[str, str]:
    """Clip path -> one of SPLITS, or "" for a clip that the official split leaves out.

    Args:
      clips: usable clips.
      official: from `official_split`; None splits by source.
      seed: of the source order.

    Raises:
      InputError: too few sources.
    """
    if official is None:
        return split_by_source(clips, ("test", "validation"), seed)
    split_of = listed_splits(clips, official)
    train = [clip for clip in clips if split_of[clip.path] == "train"]
    return split_of | split_by_source(train, ("validation",), seed)


def split_frames(num_samples: int, seed: int) -> list[str]:
    """Shuffles samples into splits, as the report did.

    Raises:
      InputError: fewer than three samples.
    """
    held = max(1, int(HELD_OUT * num_samples))
    if num_samples <= 2 * held:
        raise InputError(f"{num_samples} samples cannot fill three splits")
    splits = ["test"] * held + ["validation"] * held
    splits += ["train"] * (num_samples - 2 * held)
    random.Random(seed).shuffle(splits)
    return splits


def split_samples(
    clips: Sequence[Clip],
    num_samples: Mapping[str, int],
    protocol: str,
    official: Mapping[str, str] | None,
    seed: int,
) -> dict[str, list[str]]:
    """Clip path -> the split of each of its samples.

    Args:
      clips: the clips that gave samples, in their order.
      num_samples: clip path -> how many.
      protocol: one of PROTOCOLS.
      official: from `official_split`.
      seed: of the source order, or of the frames' shuffling.

    Raises:
      InputError: too few sources or samples.
    """
    if protocol == "frame":
        total = sum(num_samples[clip.path] for clip in clips)
        drawn = iter(split_frames(total, seed))
        return {
            clip.path: list(itertools.islice(drawn, num_samples[clip.path]))
            for clip in clips
        }
    split_of = split_clips(clips, official, seed)
    return {path: [split] * num_samples[path] for path, split in split_of.items()}
