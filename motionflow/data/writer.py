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
from motionflow.data.data_dir import FORMAT_VERSION
from motionflow.data.records import KEPT, Sample, write_shards
from motionflow.files import drafts
from motionflow.labels.clip_status import ClipStatus
from motionflow.labels.clips import Clip
from motionflow.labels.codebook import Codebook, fit_codebook
from motionflow.labels.options import LabelOptions
from motionflow.labels.samples import ClipSamples, decode_frame
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


@dataclasses.dataclass(frozen=True)
class SplitClip:
    """A clip that gave samples.

    Attributes:
      clip: what the clip's name says.
      file: its samples, as `ClipSamples.save` wrote them.
      splits: the split of each sample.
    """

    clip: Clip
    file: Path
    splits: Sequence[str]


def write_data_dir(
    output_dir: Path,
    clips: Sequence[SplitClip],
    statuses: Sequence[ClipStatus],
    flags: Mapping,
    codebook: Codebook | None = None,
    versions: Mapping[str, str] | None = None,
) -> None:
    """Writes all that a data directory holds besides clips.jsonl, the manifest last.

    Args:
      output_dir: an existing folder; shards that lie there are removed.
      clips: the clips that gave samples, with the split of each sample.
      statuses: what became of every clip.
      flags: for the manifest; how the samples were made, and `num_clusters` and `seed`
        of a codebook to fit.
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
        mean_frame = mean_training_frame(clips, LabelOptions.from_flags(flags))
        drafts.write_array(new / "mean_frame.npy", mean_frame)
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


def _write_split(
    output_dir: Path, clips: Sequence[SplitClip], split: str, codebook: Codebook
) -> dict:
    chosen = [clip for clip in clips if split in clip.splits]
    num_samples = sum(clip.splits.count(split) for clip in chosen)
    num_bytes = sum(clip.file.stat().st_size for clip in chosen)
    num_shards = min(num_samples, max(math.ceil(num_bytes / _SHARD_BYTES), _MIN_SHARDS))
    records = split_records(chosen, split, codebook)
    shards = write_shards(output_dir, split, records, num_shards)
    return {"num_samples": num_samples, "num_clips": len(chosen), "shards": shards}


def training_vectors(clips: Sequence[SplitClip]) -> Iterator[np.ndarray]:
    """Yields the flow vectors of each clip's training samples, float32 [n, 2]."""
    for clip in clips:
        chosen = [i for i, split in enumerate(clip.splits) if split == "train"]
        if chosen:
            yield ClipSamples.load_flow(clip.file)[chosen].reshape(-1, 2)


def mean_training_frame(clips: Sequence[SplitClip], labels: LabelOptions) -> np.ndarray:
    """Returns the mean of the training frames as they are stored, float32 [S, S, 3]."""
    size = labels.frame_size
    total, count = np.zeros((size, size, 3)), 0
    for clip in clips:
        if "train" not in clip.splits:
            continue
        frames = ClipSamples.load(clip.file).frames
        for frame, split in zip(frames, clip.splits, strict=True):
            if split == "train":
                total += decode_frame(frame, labels.frame_encoding, size)
                count += 1
    return (total / count).astype(np.float32)


def split_records(
    clips: Sequence[SplitClip], split: str, codebook: Codebook
) -> Iterator[bytes]:
    """Yields the records of a split, in the order of clips and frames."""
    for clip in clips:
        if split not in clip.splits:
            continue
        samples = ClipSamples.load(clip.file)
        codes = codebook.encode(samples.flow).reshape(len(samples.frames), -1)
        kept = {n: getattr(samples, n) for n in KEPT if getattr(samples, n).size}
        for i, sample_split in enumerate(clip.splits):
            if sample_split == split:
                yield Sample(
                    frame=samples.frames[i],
                    flow=samples.flow[i],
                    codes=codes[i],
                    clip=clip.clip.path,
                    frame_index=int(samples.frame_indices[i]),
                    action=clip.clip.action,
                    source=clip.clip.source,
                    **{name: values[i] for name, values in kept.items()},
                ).encode()
