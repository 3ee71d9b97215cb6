"""The samples of all clips, each with its split: what shards are written from.

    files of samples, one a clip --+--> training vectors, clip by clip --> the codebook
                                   +--> mean training frame
                                   +--> records of a split

Files are read one at a time and again for each use, so memory does not grow with the
number of clips.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from motionflow.data.records import KEPT, Sample
from motionflow.labels.clips import Clip
from motionflow.labels.codebook import Codebook
from motionflow.labels.samples import ClipSamples, LabelOptions, decode_frame


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
