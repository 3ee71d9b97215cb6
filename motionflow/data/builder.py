"""Clips to a data directory.

    find clips -> split them -> samples of each clip, in several processes
      -> codebook and mean frame of the training split -> shards -> manifest

A build that was stopped goes on where it was: the samples of finished clips are kept in
a work folder inside the output directory until the manifest is written.
"""

import collections
import dataclasses
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from motionflow import __version__
from motionflow.data import hmdb51, ucf101
from motionflow.data.clips import find_folder_clips
from motionflow.data.codebook import Codebook, fit_codebook
from motionflow.data.extraction import (
    ClipStatus,
    WorkDir,
    clip_status,
    extract_clips,
)
from motionflow.data.records import FORMAT_VERSION, Sample, write_shards
from motionflow.data.samples import LabelOptions, decode_frame
from motionflow.data.splits import SPLITS, split_clips, split_frames
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
    """All that decides what a data directory holds; saved in its manifest."""

    dataset: str = "hmdb51"
    split: str = "source"
    num_clusters: int = 40
    seed: int = 0
    labels: LabelOptions = dataclasses.field(default_factory=LabelOptions)

    def flags(self) -> dict:
        """One flat dictionary, flag name to value."""
        flags = dataclasses.asdict(self)
        return flags | flags.pop("labels")


def build_data_dir(
    video_dir: str | Path,
    output_dir: str | Path,
    options: BuildOptions,
    *,
    split_dir: str | Path | None = None,
    num_workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[ClipStatus]:
    """Builds a data directory, or does nothing where it is complete already.

    Args:
      video_dir: folder of videos.
      output_dir: where to build; created if missing.
      options: what to build.
      split_dir: official split files, for the splits official1-3.
      num_workers: processes that decode and compute flow.
      progress: called with (clips done, clips in all) after each clip.

    Returns:
      what became of every clip, in the order of their paths.

    Raises:
      InputError: bad options, no usable clip, too few sources or vectors, or
        `output_dir` was built with other flags.
    """
    output_dir = Path(output_dir)
    if options.dataset not in DATASETS:
        raise InputError(
            f"dataset {options.dataset!r} is none of {', '.join(DATASETS)}"
        )
    if num_workers < 1:
        raise InputError(f"num_workers is {num_workers}, expected 1 or more")
    if _is_complete(output_dir, options):
        return read_clips(output_dir)
    clips = DATASETS[options.dataset](video_dir)
    usable = [clip for clip in clips if not clip.excluded]
    if not usable:
        raise InputError(
            f"none of the {len(clips)} videos in {video_dir} can be used with "
            f"--dataset={options.dataset}; the first: {clips[0].excluded}"
        )
    if options.split == "frame":
        split_of = {clip.path: "frame" for clip in usable}
    else:
        split_of = split_clips(
            usable, options.split, options.seed, options.dataset, split_dir
        )
    work = WorkDir(output_dir, options.labels)
    wanted = [clip for clip in usable if split_of[clip.path]]
    errors = extract_clips(Path(video_dir), wanted, work, num_workers, progress)
    statuses = [clip_status(clip, split_of, errors, work) for clip in clips]
    _write(output_dir, work, statuses, options)
    shutil.rmtree(work.path)
    return statuses


def read_clips(data_dir: str | Path) -> list[ClipStatus]:
    """Reads clips.jsonl of a data directory."""
    lines = Path(data_dir, "clips.jsonl").read_text(encoding="utf-8").splitlines()
    return [ClipStatus(**json.loads(line)) for line in lines]


def _is_complete(output_dir: Path, options: BuildOptions) -> bool:
    manifest = output_dir / "manifest.json"
    if not manifest.exists():
        return False
    found = json.loads(manifest.read_text(encoding="utf-8"))["flags"]
    wanted = options.flags()
    differences = [
        f"{name}={found.get(name)}, not {wanted[name]}"
        for name in wanted
        if found.get(name) != wanted[name]
    ]
    if differences:
        raise InputError(
            f"{output_dir} was built with {'; '.join(differences)}: "
            "remove it or choose another output_dir"
        )
    return True


def _write(
    output_dir: Path, work: WorkDir, statuses: list[ClipStatus], options: BuildOptions
) -> None:
    """Writes all that a data directory holds, the manifest last."""
    split_of = _split_samples(statuses, options)
    vectors, mean_frame = _training_statistics(work, statuses, split_of)
    codebook = fit_codebook(vectors, options.num_clusters, options.seed)
    codebook.save(output_dir / "codebook.npz")
    np.save(output_dir / "mean_frame.npy", mean_frame)
    lines = [json.dumps(dataclasses.asdict(status)) + "\n" for status in statuses]
    Path(output_dir, "clips.jsonl").write_text("".join(lines), encoding="utf-8")
    splits = {
        split: _write_split(output_dir, work, statuses, split_of, split, codebook)
        for split in SPLITS
    }
    manifest = {
        "format_version": FORMAT_VERSION,
        "flags": options.flags(),
        "splits": splits,
        "clips": dict(collections.Counter(status.status for status in statuses)),
        "codebook_fingerprint": codebook.fingerprint,
        "versions": {
            "motionflow": __version__,
            "opencv": cv2.__version__,
            "numpy": np.__version__,
            "tensorflow": tf.__version__,
        },
    }
    draft = output_dir / ".manifest.json.draft"
    draft.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    os.replace(draft, output_dir / "manifest.json")


SampleSplits = dict[str, list[str]]  # clip path -> the split of each of its samples


def _split_samples(statuses: Sequence[ClipStatus], options: BuildOptions):
    total = sum(status.samples for status in statuses)
    if not total:
        problems = [f"{s.clip}: {s.reason}" for s in statuses if s.status != "filtered"]
        raise InputError("no clip gave a sample; " + "; ".join(problems[:3]))
    drawn = iter(split_frames(total, options.seed) if options.split == "frame" else ())
    return {
        status.clip: [
            next(drawn) if status.split == "frame" else status.split
            for _ in range(status.samples)
        ]
        for status in statuses
    }


def _training_statistics(
    work: WorkDir, statuses: Sequence[ClipStatus], split_of: SampleSplits
) -> tuple[np.ndarray, np.ndarray]:
    """Reads all samples once, for what is learned from the training split.

    Returns:
      its flow vectors, float32 [N, 2], and the mean of its frames as they are stored,
      float32 [S, S, 3].
    """
    size, encoding = work.labels.frame_size, work.labels.frame_encoding
    vectors, total, count = [], np.zeros((size, size, 3)), 0
    for status, samples in work.load(statuses):
        chosen = np.flatnonzero(np.array(split_of[status.clip]) == "train")
        vectors.append(samples.flow[chosen].reshape(-1, 2))
        for i in chosen:
            total += decode_frame(samples.frames[i], encoding, size)
        count += len(chosen)
    return np.concatenate(vectors), (total / count).astype(np.float32)


def _write_split(
    output_dir: Path,
    work: WorkDir,
    statuses: Sequence[ClipStatus],
    split_of: SampleSplits,
    split: str,
    codebook: Codebook,
) -> dict:
    chosen = [status for status in statuses if split in split_of[status.clip]]
    num_samples = sum(split_of[status.clip].count(split) for status in chosen)
    num_bytes = sum(work.file(status.clip).stat().st_size for status in chosen)
    num_shards = max(math.ceil(num_bytes / _SHARD_BYTES), _MIN_SHARDS)
    shards = write_shards(
        output_dir,
        split,
        _records(work, chosen, split_of, split, codebook),
        min(num_shards, num_samples),
    )
    return {"num_samples": num_samples, "num_clips": len(chosen), "shards": shards}


def _records(
    work: WorkDir,
    statuses: Sequence[ClipStatus],
    split_of: SampleSplits,
    split: str,
    codebook: Codebook,
) -> Iterator[bytes]:
    for status, samples in work.load(statuses):
        codes = codebook.encode(samples.flow).reshape(len(samples.frames), -1)
        for i, sample_split in enumerate(split_of[status.clip]):
            if sample_split == split:
                yield Sample(
                    frame=samples.frames[i],
                    flow=samples.flow[i],
                    codes=codes[i],
                    clip=status.clip,
                    frame_index=int(samples.frame_indices[i]),
                    action=status.action,
                    source=status.source,
                ).encode()
