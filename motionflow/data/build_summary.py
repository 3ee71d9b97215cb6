"""What a finished build has to say: a table of what became of the clips, and counts.

data directory, statuses of its clips --format_summary--> lines for the terminal
"""

import collections
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from motionflow.data.records import open_data_dir
from motionflow.labels.clip_status import FAILED, STATUSES, ClipStatus
from motionflow.labels.clips import NO_VIDEO
from motionflow.labels.splits import SPLITS

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
