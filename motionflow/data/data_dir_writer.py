"""Samples with their splits to a data directory.

    files of samples, one a clip --+--> codebook and mean frame of the training split
                                   +--> shards of each split --> manifest

Each file is read once a use, so memory does not grow with the number of clips. The
manifest is written last: its presence says that the directory is complete.
"""

import collections
import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import sklearn
import tensorflow as tf

from motionflow import __version__
from motionflow.data.records import FORMAT_VERSION, write_shards
from motionflow.data.split_samples import (
    SplitClip,
    mean_training_frame,
    split_records,
    training_vectors,
)
from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.labels.clip_status import ClipStatus
from motionflow.labels.codebook import Codebook, fit_codebook
from motionflow.labels.samples import LabelOptions
from motionflow.labels.splits import SPLITS

_SHARD_BYTES = 50_000_000
_MIN_SHARDS = 10  # so that readers can interleave and hosts can share
_VERSIONS = {
    "motionflow": __version__,
    "opencv": cv2.__version__,
    "pyav": av.__version__,
    "numpy": np.__version__,
    "scikit-learn": sklearn.__version__,
    "tensorflow": tf.__version__,
}


def write_data_dir(
    output_dir: Path,
    clips: Sequence[SplitClip],
    statuses: Sequence[ClipStatus],
    labels: LabelOptions,
    flags: Mapping,
    codebook: Codebook | None = None,
    versions: Mapping[str, str] | None = None,
) -> None:
    """Writes all that a data directory holds besides clips.jsonl, the manifest last.

    Args:
      output_dir: an existing folder; shards that lie there are removed.
      clips: the clips that gave samples, with the split of each sample.
      statuses: what became of every clip.
      labels: how the samples were made.
      flags: for the manifest; `num_clusters` and `seed` of a codebook to fit.
      codebook: an existing one; None fits one to the training split.
      versions: of libraries that had other versions when the samples were made.

    Raises:
      InputError: too few training vectors for a codebook.
    """

    def vectors() -> Iterator[np.ndarray]:
        return training_vectors(clips)

    if codebook is None:
        codebook = fit_codebook(vectors, flags["num_clusters"], flags["seed"])
    else:
        codebook = codebook.counted(vectors())
    for stale in output_dir.glob("*.tfrecord"):  # of a build that was stopped
        stale.unlink()
    drafts.remove_stale(output_dir)
    with drafts.drafts(output_dir, last="manifest.json") as new:
        codebook.save(new / "codebook.npz")
        drafts.write_array(new / "mean_frame.npy", mean_training_frame(clips, labels))
        manifest = {
            "format_version": FORMAT_VERSION,
            "flags": dict(flags),
            "splits": {
                split: _write_split(new, clips, split, codebook) for split in SPLITS
            },
            "clips": dict(collections.Counter(status.status for status in statuses)),
            "codebook_fingerprint": codebook.fingerprint,
            "versions": _VERSIONS | dict(versions or {}),
        }
        drafts.write(new / "manifest.json", json.dumps(manifest, indent=1) + "\n")


def read_clips(data_dir: str | Path) -> list[ClipStatus]:
    """Reads clips.jsonl of a data directory; InputError where it cannot be read."""
    file = Path(data_dir, "clips.jsonl")
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return [ClipStatus(**json.loads(line)) for line in lines]
    except (OSError, TypeError, ValueError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error


def write_clips(output_dir: Path, statuses: Sequence[ClipStatus]) -> None:
    """Writes clips.jsonl, a line for each clip."""
    lines = [json.dumps(dataclasses.asdict(status)) + "\n" for status in statuses]
    drafts.write(output_dir / "clips.jsonl", "".join(lines))


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
