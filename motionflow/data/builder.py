"""Clips to a data directory.

    find clips -> samples of each clip, by an engine -> split them
      -> codebook and mean frame of the training split -> shards -> manifest

A build that was stopped goes on where it was: the samples of finished clips are kept in
a work folder inside the output directory until the manifest is written. Clips are split
after their samples are made, so that a file that gives none never moves the others.
"""

import collections
import dataclasses
import itertools
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import sklearn
import tensorflow as tf

from motionflow import __version__
from motionflow.data import hmdb51, ucf101
from motionflow.data.clip_status import FAILED, ClipStatus, Failure, clip_status
from motionflow.data.clips import Clip, find_folder_clips
from motionflow.data.codebook import Codebook, fit_codebook
from motionflow.data.extraction import WorkDir, extract_clips, flag_differences
from motionflow.data.records import FORMAT_VERSION, read_manifest, write_shards
from motionflow.data.samples import LabelOptions
from motionflow.data.split_samples import (
    SplitClip,
    mean_training_frame,
    split_records,
    training_vectors,
)
from motionflow.data.splits import SPLITS, official_split, split_clips, split_frames
from motionflow.errors import InputError

DATASETS = {
    "hmdb51": hmdb51.find_clips,
    "ucf101": ucf101.find_clips,
    "folder": find_folder_clips,
}
_SHARD_BYTES = 50_000_000
_MIN_SHARDS = 10  # so that readers can interleave and hosts can share


@dataclasses.dataclass(frozen=True)
class BuildOptions:
    """All that decides what a data directory holds; saved in its manifest.

    `codebook` is an existing one to use; None fits one of `num_clusters` centres.
    """

    dataset: str = "hmdb51"
    split: str = "source"
    num_clusters: int = 40
    seed: int = 0
    codebook: Codebook | None = None
    labels: LabelOptions = dataclasses.field(default_factory=LabelOptions)

    def flags(self) -> dict:
        """One flat dictionary, flag name to value; a codebook as its fingerprint."""
        flags = vars(self) | dataclasses.asdict(self.labels)
        del flags["labels"]
        if self.codebook is not None:
            flags["codebook"] = self.codebook.fingerprint
            flags["num_clusters"] = self.codebook.num_clusters
        return flags


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
        vectors, or `output_dir` was built with other flags or from other videos.
    """
    video_dir, output_dir = Path(video_dir), Path(output_dir)
    if options.dataset not in DATASETS:
        raise InputError(
            f"dataset {options.dataset!r} is none of {', '.join(DATASETS)}"
        )
    official = official_split(options.split, options.dataset, split_dir)
    clips = DATASETS[options.dataset](video_dir)
    if Path(output_dir, "manifest.json").exists():
        _check_same_build(output_dir, options, clips)
        return read_clips(output_dir)
    clips = [_exclude(clip, options, official) for clip in clips]
    wanted = [clip for clip in clips if not clip.excluded]
    if not wanted:
        raise InputError(
            f"none of the {len(clips)} videos in {video_dir} can be used with "
            f"--dataset={options.dataset}; the first: {clips[0].excluded}"
        )
    if options.split != "frame":
        split_clips(wanted, official, options.seed)  # too few sources? say so now
    work = WorkDir(output_dir, video_dir, options.labels)
    failures = extract(wanted, work)
    statuses = [
        clip_status(clip, work.file(clip), options.labels, failures.get(clip.path))
        for clip in clips
    ]
    try:
        _check_failures(statuses, len(wanted), max_failed_fraction)
        used = _split_samples(clips, statuses, work, official, options)
    finally:  # a build that is refused says why, clip by clip
        _write_clips(output_dir, statuses)
    _write(output_dir, used, statuses, options)
    work.remove()
    return statuses


def read_clips(data_dir: str | Path) -> list[ClipStatus]:
    """Reads clips.jsonl of a data directory."""
    lines = Path(data_dir, "clips.jsonl").read_text(encoding="utf-8").splitlines()
    return [ClipStatus(**json.loads(line)) for line in lines]


def _check_same_build(
    output_dir: Path, options: BuildOptions, clips: Sequence[Clip]
) -> None:
    found = read_manifest(output_dir)["flags"]
    differences = flag_differences(found, options.flags())
    before = {status.clip: status.bytes for status in read_clips(output_dir)}
    now = {clip.path: clip.bytes for clip in clips}
    others = [
        clip for clip in sorted(before | now) if before.get(clip) != now.get(clip)
    ]
    if others:
        differences.append(f"{len(others)} other videos, the first: {others[0]}")
    if differences:
        raise InputError(
            f"{output_dir} was built with {'; '.join(differences)}: "
            "remove it or choose another output_dir"
        )


def _exclude(
    clip: Clip, options: BuildOptions, official: Mapping[str, str] | None
) -> Clip:
    """Excludes what these options cannot use."""
    excluded = clip.excluded
    if clip.camera_moves and options.labels.stabilize == "none":
        excluded = excluded or "moving camera (--stabilize=homography takes it)"
    if official is not None and not official.get(Path(clip.path).name):
        excluded = excluded or "in no split of the official lists"
    return dataclasses.replace(clip, excluded=excluded)


def _check_failures(
    statuses: Sequence[ClipStatus], num_tried: int, max_failed_fraction: float
) -> None:
    failed = [status for status in statuses if status.status in FAILED]
    if not any(status.samples for status in statuses):
        problems = failed or [s for s in statuses if s.status != "ok"]
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
    if options.split == "frame":
        total = sum(status.samples for status in given.values())
        drawn = iter(split_frames(total, options.seed))
        split_of = dict.fromkeys(given, "frame")
    else:
        split_of = split_clips(used, official, options.seed)
    result = []
    for clip in used:
        status = given[clip.path]
        status.split = split_of[clip.path]
        splits = [status.split] * status.samples
        if options.split == "frame":
            splits = list(itertools.islice(drawn, status.samples))
        result.append(SplitClip(clip, work.file(clip), splits))
    return result


def _write(
    output_dir: Path,
    clips: Sequence[SplitClip],
    statuses: Sequence[ClipStatus],
    options: BuildOptions,
) -> None:
    """Writes all that a data directory holds besides clips.jsonl, the manifest last."""
    for pattern in ("*.tfrecord", ".*.draft"):  # of a build that was stopped
        for stale in output_dir.glob(pattern):
            stale.unlink()

    def vectors() -> Iterator[np.ndarray]:
        return training_vectors(clips)

    if options.codebook is None:
        codebook = fit_codebook(vectors, options.num_clusters, options.seed)
    else:
        codebook = options.codebook.counted(vectors())
    codebook.save(output_dir / "codebook.npz")
    np.save(output_dir / "mean_frame.npy", mean_training_frame(clips, options.labels))
    manifest = {
        "format_version": FORMAT_VERSION,
        "flags": options.flags(),
        "splits": {
            split: _write_split(output_dir, clips, split, codebook) for split in SPLITS
        },
        "clips": dict(collections.Counter(status.status for status in statuses)),
        "codebook_fingerprint": codebook.fingerprint,
        "versions": {
            "motionflow": __version__,
            "opencv": cv2.__version__,
            "pyav": av.__version__,
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "tensorflow": tf.__version__,
        },
    }
    _write_text(output_dir / "manifest.json", json.dumps(manifest, indent=1) + "\n")


def _write_clips(output_dir: Path, statuses: Sequence[ClipStatus]) -> None:
    lines = [json.dumps(dataclasses.asdict(status)) + "\n" for status in statuses]
    _write_text(output_dir / "clips.jsonl", "".join(lines))


def _write_text(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)


def _write_split(
    output_dir: Path, clips: Sequence[SplitClip], split: str, codebook: Codebook
) -> dict:
    chosen = [clip for clip in clips if split in clip.splits]
    num_samples = sum(clip.splits.count(split) for clip in chosen)
    num_bytes = sum(clip.file.stat().st_size for clip in chosen)
    num_shards = max(math.ceil(num_bytes / _SHARD_BYTES), _MIN_SHARDS)
    shards = write_shards(
        output_dir,
        split,
        split_records(chosen, split, codebook),
        min(num_shards, num_samples),
    )
    return {"num_samples": num_samples, "num_clips": len(chosen), "shards": shards}
