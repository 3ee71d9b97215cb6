"""The records of a data directory, clip by clip, as the samples they were made from.

    shards of all splits --read_clip_samples--> (clip, its samples), one clip at a time

Frames stay the encoded bytes that they are and flow stays bit for bit.
"""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from motionflow.data.records import KEPT, DataDir, feature_spec, kept_shapes
from motionflow.errors import InputError
from motionflow.labels.clip_status import ClipStatus
from motionflow.labels.samples import ClipSamples
from motionflow.labels.splits import SPLITS


def read_clip_samples(
    data: DataDir, statuses: Sequence[ClipStatus]
) -> Iterator[tuple[str, ClipSamples]]:
    """Reads the samples of each clip, whatever splits they lie in.

    Each split holds its clips in the order of clips.jsonl: walking along all splits at
    once finds the records of a clip together.

    Args:
      data: the data directory.
      statuses: its clips.jsonl.

    Yields:
      (clip, its samples in the order of frames), in the order of clips.jsonl.

    Raises:
      InputError: clips.jsonl and the records do not agree.
    """
    walks = [
        itertools.groupby(_read(data, split), lambda r: os.fsdecode(r["clip"]))
        for split in SPLITS
    ]
    heads = [next(walk, None) for walk in walks]
    for status in statuses:
        records: list[dict] = []
        for i, walk in enumerate(walks):
            head = heads[i]
            if head and head[0] == status.clip:
                records += head[1]
                heads[i] = next(walk, None)
        if len(records) != status.samples:
            raise InputError(
                f"{data.path} holds {len(records)} records of {status.clip!r}, its "
                f"clips.jsonl says {status.samples}: see `motionflow inspect`"
            )
        if records:
            records.sort(key=lambda r: r["frame_index"])
            yield status.clip, _to_samples(records, data)
    for clip in [head[0] for head in heads if head]:
        raise InputError(f"{data.path} holds records of {clip!r}, no clip of its own")


def _read(data: DataDir, split: str) -> Iterator[dict]:
    """Yields the records of a split in the order in which they were written."""
    shards, flags = data.shards(split), data.manifest["flags"]
    if not shards:
        return
    spec = feature_spec(data.grid_size, kept_shapes(flags))
    records = tf.data.Dataset.from_tensor_slices(shards).interleave(
        tf.data.TFRecordDataset, cycle_length=len(shards), block_length=1
    )
    yield from records.map(
        lambda record: tf.io.parse_single_example(record, spec)
    ).as_numpy_iterator()


def _to_samples(records: Sequence[Mapping], data: DataDir) -> ClipSamples:
    kept: dict[str, Any] = {name: np.zeros((0, 0)) for name in KEPT}
    for name, shape in kept_shapes(data.manifest["flags"]).items():
        encoded = b"".join(record[name] for record in records)
        kept[name] = np.frombuffer(encoded, "<f2").reshape(len(records), *shape)
    return ClipSamples(
        frames=[record["frame"] for record in records],
        flow=np.array([record["flow"] for record in records]),
        **kept,
        frame_indices=np.array([record["frame_index"] for record in records]),
    )
