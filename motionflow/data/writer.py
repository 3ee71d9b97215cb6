"""Samples with their splits to a data directory.

    files of samples, one a clip --flow--> a file --> codebook of the training split
                                 --the rest--> shards, mean training frame --> manifest

All that the files hold is read once. The flow, 5 % of it, lies in a file meanwhile that
k-means and the shards read from memory; the rest goes through clip by clip, so memory
does not grow with the number of clips. The manifest is written last: its presence says
that the directory is complete.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import sklearn
import tensorflow as tf

from motionflow import __version__
from motionflow.data.data_dir import FORMAT_VERSION
from motionflow.data.records import KEPT, Sample, ShardWriter
from motionflow.files import drafts
from motionflow.labels.clip_status import ClipStatus
from motionflow.labels.clips import Clip
from motionflow.labels.codebook import Codebook, fit_codebook
from motionflow.labels.options import LabelOptions
from motionflow.labels.samples import ClipSamples, decode_frame
from motionflow.labels.splits import SPLITS

_SHARD_BYTES = 50_000_000
_MIN_SHARDS = 10  # so that readers can interleave and hosts can share
_OF_RECORDS = {"frames", "frame_indices", *KEPT}
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
      versions: of what made the samples, where it is not what is here.

    Raises:
      InputError: too few training vectors for a codebook.
    """
    with gathered_flow(clips, output_dir) as flow:

        def vectors() -> Iterator[np.ndarray]:
            return training_vectors(clips, flow)

        if codebook is None:
            codebook = fit_codebook(vectors, flags["num_clusters"], flags["seed"])
        else:
            codebook = codebook.counted(vectors())
        for stale in output_dir.glob("*.tfrecord"):  # of a build that was stopped
            stale.unlink()
        drafts.remove_stale(output_dir)
        with drafts.drafts(output_dir, last="manifest.json") as new:
            codebook.save(new / "codebook.npz")
            mean_frame = MeanFrame(LabelOptions.from_flags(flags))
            splits = _write_splits(new, clips, flow, codebook, mean_frame)
            drafts.write_array(new / "mean_frame.npy", mean_frame.result())
            manifest = {
                "format_version": FORMAT_VERSION,
                "flags": dict(flags),
                "splits": splits,
                "clips": dict(
                    collections.Counter(status.status for status in statuses)
                ),
                "codebook_fingerprint": codebook.fingerprint,
                "versions": _VERSIONS | dict(versions or {}),
            }
            drafts.write(new / "manifest.json", json.dumps(manifest, indent=1) + "\n")


@contextlib.contextmanager
def gathered_flow(clips: Sequence[SplitClip], folder: Path) -> Iterator[np.ndarray]:
    """Yields the flow of all samples, float32 [N, g, g, 2], mapped into memory.

    The file that it is mapped from lies in `folder` and has no name: nothing stays.
    """
    shape: tuple[int, ...] = ()
    with contextlib.ExitStack() as stack:
        with drafts.naming(folder):
            file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
            for clip in clips:
                of_clip = ClipSamples.load_flow(clip.file)
                file.write(of_clip.tobytes())
                shape = of_clip.shape[1:]
            file.flush()
        yield np.memmap(file, np.float32, "r").reshape(-1, *shape)


def _clip_by_clip(
    clips: Sequence[SplitClip], flow: np.ndarray
) -> Iterator[tuple[SplitClip, np.ndarray]]:
    """Yields each clip with its part of the flow."""
    start = 0
    for clip in clips:
        end = start + len(clip.splits)
        yield clip, flow[start:end]
        start = end


def training_vectors(
    clips: Sequence[SplitClip], flow: np.ndarray
) -> Iterator[np.ndarray]:
    """Yields the vectors of each clip's training samples, float32 [n, 2].

    `flow` is that of all samples, in the order of clips.
    """
    for clip, of_clip in _clip_by_clip(clips, flow):
        chosen = [i for i, split in enumerate(clip.splits) if split == "train"]
        if chosen:
            yield of_clip[chosen].reshape(-1, 2)


class MeanFrame:
    """The mean of frames as they are stored, computed by threads beside the writer."""

    def __init__(self, labels: LabelOptions):
        self._size, self._encoding = labels.frame_size, labels.frame_encoding
        self._num_threads = os.cpu_count() or 1
        self._pool = concurrent.futures.ThreadPoolExecutor(self._num_threads)
        self._jobs: list[concurrent.futures.Future] = []
        self._total = np.zeros((self._size, self._size, 3), np.int64)
        self._count = 0

    def add(self, frames: Sequence[bytes]) -> None:
        """Adds encoded frames; waits for those before, so that memory stays small."""
        self._finish()
        self._count += len(frames)
        shares = [frames[i :: self._num_threads] for i in range(self._num_threads)]
        self._jobs = [self._pool.submit(self._sum, share) for share in shares if share]

    def result(self) -> np.ndarray:
        """The mean so far, float32 [S, S, 3]."""
        self._finish()
        return (self._total / self._count).astype(np.float32)

    def _finish(self) -> None:
        for job in self._jobs:
            self._total += job.result()
        self._jobs = []

    def _sum(self, frames: Sequence[bytes]) -> np.ndarray:
        total = np.zeros((self._size, self._size, 3), np.uint32)
        for frame in frames:
            total += decode_frame(frame, self._encoding, self._size)
        return total


def _write_splits(
    output_dir: Path,
    clips: Sequence[SplitClip],
    flow: np.ndarray,
    codebook: Codebook,
    mean_frame: MeanFrame,
) -> dict[str, dict]:
    """Writes the shards of all splits in one pass; returns the manifest's splits."""
    found: dict[str, dict] = {}
    shards = {}
    for split in SPLITS:
        chosen = [clip for clip in clips if split in clip.splits]
        num_samples = sum(clip.splits.count(split) for clip in chosen)
        num_bytes = sum(clip.file.stat().st_size for clip in chosen)
        num_shards = max(math.ceil(num_bytes / _SHARD_BYTES), _MIN_SHARDS)
        shards[split] = ShardWriter(output_dir, split, min(num_samples, num_shards))
        found[split] = {"num_samples": num_samples, "num_clips": len(chosen)}
    for clip, of_clip in _clip_by_clip(clips, flow):
        samples = ClipSamples.load(clip.file, _OF_RECORDS)
        kept = zip(samples.frames, clip.splits, strict=True)
        mean_frame.add([frame for frame, split in kept if split == "train"])
        records = clip_records(clip.clip, samples, of_clip, codebook)
        for split, record in zip(clip.splits, records, strict=True):
            shards[split].write(record)
    return {split: found[split] | {"shards": shards[split].close()} for split in SPLITS}


def clip_records(
    clip: Clip, samples: ClipSamples, flow: np.ndarray, codebook: Codebook
) -> Iterator[bytes]:
    """Yields the records of a clip, in the order of frames.

    Args:
      clip: what the clip's name says.
      samples: its frames, their indices, and what is kept beside the flow.
      flow: float32 [N, g, g, 2].
      codebook: of the codes.
    """
    codes = codebook.encode(flow).reshape(len(flow), -1)
    kept = {n: getattr(samples, n) for n in KEPT if getattr(samples, n).size}
    for i, frame in enumerate(samples.frames):
        yield Sample(
            frame=frame,
            flow=flow[i],
            codes=codes[i],
            clip=clip.path,
            frame_index=int(samples.frame_indices[i]),
            action=clip.action,
            source=clip.source,
            **{name: values[i] for name, values in kept.items()},
        ).encode()
