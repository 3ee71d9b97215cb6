"""Which samples of a split are compared, and where they lie in their videos.

    data directory, split -> Choice -> batches of these samples only

Neighbouring samples of a clip look alike, and rolling each out takes long: a few of
each clip, spread evenly over it, tell as much.
"""

import dataclasses
import os
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir

_PARTS = 5  # a side of a frame's look


@dataclasses.dataclass(frozen=True)
class Choice:
    """Samples of a split, in its order.

    Attributes:
      indices: int [N], places in the split, ascending.
      rows: int [N], each sample's clip as a row of `clips`.
      frame_indices: int [N], the start frame's number in the clip.
      clips: str [C], paths in the video directory, sorted.
      sources: str [C].
      size: samples of the whole split.
    """

    indices: np.ndarray
    rows: np.ndarray
    frame_indices: np.ndarray
    clips: np.ndarray
    sources: np.ndarray
    size: int


@dataclasses.dataclass(frozen=True)
class Seen:
    """What is kept of the samples' records once they were read.

    Attributes:
      moving: bool [N, g, g], where the first label moves.
      motion: [N], its mean length in pixels.
      looks: [N, 5, 5, 3], see `look`, of the start frames.
    """

    moving: np.ndarray
    motion: np.ndarray
    looks: np.ndarray


def choose_samples(data: DataDir, split: str, max_per_clip: int = 0) -> Choice:
    """Chooses samples, without decoding a frame.

    Args:
      data: an opened data directory.
      split: which one.
      max_per_clip: at most so many of each clip, the first of as many equal parts of
        it: what follows a clip's first frame is longest. 0 takes all.

    Raises:
      InputError: the split holds no sample.
    """
    batches = list(pipeline.targets(data, split, 256).as_numpy_iterator())
    clips, sources, places = (
        np.concatenate([batch[key] for batch in batches])
        for key in ("clip", "source", "frame_index")
    )
    clips, sources = (
        [os.fsdecode(name) for name in names] for names in (clips, sources)
    )
    names, first, rows = np.unique(clips, return_index=True, return_inverse=True)
    chosen = []
    for row in range(len(names)):
        here = np.flatnonzero(rows == row)
        here = here[np.argsort(places[here], kind="stable")]
        count = min(max_per_clip or len(here), len(here))
        chosen.append(here[np.arange(count) * len(here) // count])
    indices = np.sort(np.concatenate(chosen))
    return Choice(
        indices=indices,
        rows=rows[indices],
        frame_indices=places[indices],
        clips=names,
        sources=np.array(sources)[first],
        size=len(rows),
    )


def read_batches(
    data: DataDir, split: str, choice: Choice, batch_size: int
) -> Iterator[dict[str, np.ndarray]]:
    """Reads the chosen samples, each once, in the order of the split.

    Args:
      data: the directory that the choice was made from, or a view of it.
      split: which one.
      choice: of this split.
      batch_size: samples at a time; the last batch may be smaller.

    Yields:
      batches of `pipeline.evaluation_batches`.
    """
    wanted = np.zeros(choice.size, bool)
    wanted[choice.indices] = True
    samples = pipeline.evaluation_batches(data, split, batch_size).unbatch()
    chosen = samples.enumerate().filter(lambda place, _: tf.gather(wanted, place))
    batches = chosen.map(lambda _, sample: sample).batch(batch_size)
    yield from batches.prefetch(1).as_numpy_iterator()


def look(frames: np.ndarray) -> np.ndarray:
    """Mean colours of 5x5 parts, to tell frames apart: [B, S, S, 3] -> [B, 5, 5, 3]."""
    side = frames.shape[1]
    edges = np.arange(_PARTS) * side // _PARTS
    sums = np.add.reduceat(np.add.reduceat(np.float64(frames), edges, 1), edges, 2)
    sides = np.diff(edges, append=side)
    return sums / np.outer(sides, sides)[..., np.newaxis]
