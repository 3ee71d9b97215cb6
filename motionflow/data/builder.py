"""Clips to a data directory.

    find clips -> samples of each clip, by an engine -> split them
      -> codebook and mean frame of the training split -> shards -> manifest

A build that was stopped goes on where it was: the samples of finished clips are kept in
a work folder inside the output directory until the manifest is written. Clips are split
after their samples are made, so that a file that gives none never moves the others.
"""

import collections
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from motionflow.data.data_dir import open_data_dir, read_manifest
from motionflow.data.writer import SplitClip, write_data_dir
from motionflow.errors import InputError
from motionflow.files.file_names import is_video
from motionflow.files.lock import alone
from motionflow.labels.clip_status import (
    FAILED,
    STATUSES,
    ClipStatus,
    Failure,
    clip_status,
    read_clips,
    write_clips,
)
from motionflow.labels.clips import NO_VIDEO, Clip
from motionflow.labels.datasets import DATASETS
from motionflow.labels.extraction import WorkDir, extract_clips, flag_differences
from motionflow.labels.options import BuildOptions
from motionflow.labels.splits import (
    SPLITS,
    listed_splits,
    official_split,
    split_clips,
    split_samples,
)

_LEFT_OUT_NOTES = {
    "cut": "a shot cut in their window of frames",
    "duplicate": "a duplicated frame in it (--duplicates=remove keeps more)",
    "gap": "a gap in the time stamps in it",
    "unstable": "the camera's motion could not be removed",
}
_STATUS_NOTES = {
    "truncated": "frames were lost; the samples of others are used",
    "filtered": "by name, official lists, cuts, duplicates or camera",
    "too_short": "for one sample",
    "corrupt": "cannot be decoded",
    "timeout": "took longer than --clip_timeout",
}

Engine = Callable[[Sequence[Clip], WorkDir], dict[str, Failure]]


def build_data_dir(
    video_dir: str | Path,
    output_dir: str | Path,
    options: BuildOptions,
    *,
    extract: Engine = extract_clips,
    split_dir: str | Path | None = None,
    max_failed_fraction: float = 0.1,
) -> list[ClipStatus]:
    """Builds a data directory, or does nothing where it is complete already.

    Args:
      video_dir: folder of videos.
      output_dir: where to build; created if missing.
      options: what to build.
      extract: the engine: makes the samples of clips in a work folder and returns what
        went wrong with which. `extraction.extract_clips` or `beam.extract_clips`, their
        own arguments given.
      split_dir: official split files, for the splits official1-3.
      max_failed_fraction: share of the clips that may be corrupt or time out.

    Returns:
      what became of every clip, in the order of their paths.

    Raises:
      InputError: bad options, no usable clip, too many that failed, too few sources or
        vectors, or `output_dir` was built with other flags or from other videos, cannot
        be written to, or is being written by another process.
    """
    video_dir, output_dir = Path(video_dir), Path(output_dir)
    if options.dataset not in DATASETS:
        raise InputError(
            f"dataset {options.dataset!r} is none of {', '.join(DATASETS)}"
        )
    official = official_split(options.split, options.dataset, split_dir)
    clips = DATASETS[options.dataset](video_dir)
    manifest = output_dir / "manifest.json"
    if not manifest.exists():
        chosen = _exclude(clips, options, official)
        wanted = _wanted(chosen, video_dir, official, options)
        with alone(output_dir):
            if not manifest.exists():  # another process may have been faster
                work = WorkDir(output_dir, video_dir, options.labels)
                statuses = _statuses(chosen, work, extract(wanted, work))
                try:
                    _check_failures(statuses, len(wanted), max_failed_fraction)
                    used = _split_samples(chosen, statuses, work, official, options)
                finally:  # a build that is refused says why, clip by clip
                    write_clips(output_dir, statuses)
                flags = options.flags()
                write_data_dir(
                    output_dir,
                    used,
                    statuses,
                    flags,
                    options.codebook,
                    options.labels.versions,
                )
                work.remove()
                return statuses
    _check_same_build(output_dir, options, clips)
    return read_clips(output_dir)


def _wanted(
    clips: Sequence[Clip],
    video_dir: Path,
    official: Mapping[str, str] | None,
    options: BuildOptions,
) -> list[Clip]:
    """The clips to extract; refuses what cannot become a data directory."""
    wanted = [clip for clip in clips if not clip.excluded]
    if not wanted:
        reasons = [c.excluded for c in clips if c.excluded != NO_VIDEO]
        raise InputError(
            f"none of the {len(reasons)} videos in {video_dir} can be used with "
            f"--dataset={options.dataset}; the first: {reasons[0]}"
        )
    if options.split != "frame":
        split_clips(wanted, official, options.seed)  # too few sources? say so now
    return wanted


def _statuses(
    clips: Sequence[Clip], work: WorkDir, failures: Mapping[str, Failure]
) -> list[ClipStatus]:
    return [
        clip_status(clip, work.file(clip), work.labels, failures.get(clip.path))
        for clip in clips
    ]


def _check_same_build(
    output_dir: Path, options: BuildOptions, clips: Sequence[Clip]
) -> None:
    found = read_manifest(output_dir)["flags"]
    # A flag that only that build has, as a fold's number, is a difference too.
    differences = flag_differences(found, dict.fromkeys(found) | options.flags())
    before = {status.clip: status.bytes for status in read_clips(output_dir)}
    now = {clip.path: clip.bytes for clip in clips}
    others = [
        clip
        for clip in sorted(before | now)
        # What is no video may change; older builds do not list it.
        if before.get(clip) != now.get(clip) and is_video(clip)
    ]
    if others:
        differences.append(f"{len(others)} other videos, the first: {others[0]}")
    if differences:
        raise InputError(
            f"{output_dir} was built with {'; '.join(differences)}: "
            "remove it or choose another output_dir"
        )


def _exclude(
    clips: Sequence[Clip], options: BuildOptions, official: Mapping[str, str] | None
) -> list[Clip]:
    """Excludes what these options cannot use."""
    takes_moving = options.labels.stabilize != "none"
    listed = None if official is None else listed_splits(clips, official)
    found = []
    for clip in clips:
        excluded = clip.excluded
        if clip.camera_moves and not takes_moving:
            excluded = excluded or "moving camera (--stabilize=homography takes it)"
        if listed is not None and not listed[clip.path]:
            excluded = excluded or "in no split of the official lists"
        found.append(dataclasses.replace(clip, excluded=excluded))
    return found


def _check_failures(
    statuses: Sequence[ClipStatus], num_tried: int, max_failed_fraction: float
) -> None:
    failed = [status for status in statuses if status.status in FAILED]
    if not any(status.samples for status in statuses):
        bad = [s for s in statuses if s.status != "ok" and s.reason != NO_VIDEO]
        problems = failed or bad
        raise InputError(f"no clip gave a sample; {_examples(problems)}")
    if len(failed) > max_failed_fraction * num_tried:
        raise InputError(
            f"{len(failed)} of {num_tried} clips failed, more than max_failed_fraction "
            f"{max_failed_fraction:g}; {_examples(failed)}"
        )


def _examples(statuses: Sequence[ClipStatus]) -> str:
    return "; ".join(f"{status.clip}: {status.reason}" for status in statuses[:3])


def _split_samples(
    clips: Sequence[Clip],
    statuses: Sequence[ClipStatus],
    work: WorkDir,
    official: Mapping[str, str] | None,
    options: BuildOptions,
) -> list[SplitClip]:
    """Splits the clips that gave samples; writes their split into their status."""
    given = {status.clip: status for status in statuses if status.samples}
    used = [clip for clip in clips if clip.path in given]
    num_samples = {path: status.samples for path, status in given.items()}
    splits = split_samples(used, num_samples, options.split, official, options.seed)
    for path, sample_splits in splits.items():
        given[path].split = "frame" if options.split == "frame" else sample_splits[0]
    return [SplitClip(clip, work.file(clip), splits[clip.path]) for clip in used]


def format_summary(data_dir: str | Path, statuses: Sequence[ClipStatus]) -> str:
    """Says what became of the clips, and what the data directory holds."""
    return "\n".join([*_clips(statuses), *_data(data_dir), f"{data_dir} is complete"])


def _clips(statuses: Sequence[ClipStatus]) -> Iterator[str]:
    yield f"{'status':9} {'clips':>7} {'frames':>9} {'samples':>8}"
    for name in STATUSES:
        chosen = [status for status in statuses if status.status == name]
        if chosen:
            frames = sum(status.frames for status in chosen)
            samples = sum(status.samples for status in chosen)
            note = _STATUS_NOTES.get(name, "")
            numbers = f"{len(chosen):7d} {frames:9d} {samples:8d}"
            yield f"{name:9} {numbers}  {note}".rstrip()
    for status in statuses:
        if status.status in (*FAILED, "too_short"):
            yield f"  {status.status}: {status.clip!r}: {status.reason}"
    yield from _no_videos([s.clip for s in statuses if s.reason == NO_VIDEO])
    for cause, note in _LEFT_OUT_NOTES.items():
        left_out = sum(getattr(status, f"{cause}_samples") for status in statuses)
        if left_out:
            yield f"{left_out} samples left out: {note}"


def _no_videos(files: Sequence[str]) -> Iterator[str]:
    """A line for each suffix: a folder may hold thousands of pictures."""
    alike = collections.defaultdict(list)
    for file in files:
        alike[PurePosixPath(file).suffix.lower()].append(file)
    for suffix, (first, *others) in alike.items():
        more = f" and {len(others)} more of {suffix or 'no suffix'}" if others else ""
        yield f"  filtered: {first!r}{more}: {NO_VIDEO}"


def _data(data_dir: str | Path) -> Iterator[str]:
    data = open_data_dir(data_dir)
    counts = ", ".join(f"{data.num_samples(split)} in {split}" for split in SPLITS)
    yield f"samples: {counts}"
    codebook = data.codebook
    still = codebook.counts[codebook.zero_index] / codebook.counts.sum()
    yield (
        f"{codebook.num_clusters} flow vectors; {still:.0%} of the training cells are "
        f"still"
    )
    if not codebook.num_near_zero:
        yield "no flow vector is near zero: the camera seems never to rest"
