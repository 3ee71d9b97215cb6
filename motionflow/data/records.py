"""One schema for a sample, in shards of records.

Sample --encode--> tf.train.Example bytes --parse by feature_spec--> dict of tensors
"""

import dataclasses
import itertools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from motionflow.files.file_names import sha256_of

KEPT = {"dense_flow", "later_flow", "later_dense_flow", "past_flow"}


@dataclasses.dataclass(frozen=True)
class Sample:
    """A frame and how it moves.

    Attributes:
      frame: the frame as encoded bytes (png, jpeg, or raw RGB).
      flow: float32 [g, g, 2], unquantised, pixels of the frame.
      codes: int [g * g], row by row.
      clip: path of the clip in the video directory.
      frame_index: which frame of the clip.
      action: class of the motion, "" where unknown.
      source: the video that the clip was cut from.
      dense_flow, later_flow, later_dense_flow, past_flow: see
        `LabelOptions.kept_shapes`; None: not kept.
    """

    frame: bytes
    flow: np.ndarray
    codes: np.ndarray
    clip: str
    frame_index: int
    action: str
    source: str
    dense_flow: np.ndarray | None = None
    later_flow: np.ndarray | None = None
    later_dense_flow: np.ndarray | None = None
    past_flow: np.ndarray | None = None

    def encode(self) -> bytes:
        """Serialises to a tf.train.Example; the same sample gives the same bytes."""
        values = {n: v for n, v in vars(self).items() if v is not None}
        for name in KEPT & values.keys():
            values[name] = values[name].astype("<f2").tobytes()
        features = {name: _feature(values[name]) for name in sorted(values)}
        example = tf.train.Example(features=tf.train.Features(feature=features))
        return example.SerializeToString(deterministic=True)


def _feature(value: bytes | str | int | np.ndarray) -> tf.train.Feature:
    if isinstance(value, str):
        value = os.fsencode(value)  # file names need not be text
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    values = np.ravel(value)
    if values.dtype == np.float32:
        return tf.train.Feature(float_list=tf.train.FloatList(value=values.tolist()))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values.tolist()))


def feature_spec(
    grid_size: int, kept: Iterable[str] = ()
) -> dict[str, tf.io.FixedLenFeature]:
    """The one declaration of a record for reading; a missing key is an error.

    Args:
      grid_size: cells along one side of the grid.
      kept: which of `LabelOptions.kept_shapes` to read.
    """
    texts = ("frame", "clip", "action", "source", *kept)
    return {
        **{name: tf.io.FixedLenFeature([], tf.string) for name in texts},
        "flow": tf.io.FixedLenFeature([grid_size, grid_size, 2], tf.float32),
        "codes": tf.io.FixedLenFeature([grid_size**2], tf.int64),
        "frame_index": tf.io.FixedLenFeature([], tf.int64),
    }


def decode_frame(encoded: tf.Tensor, encoding: str, frame_size: int) -> tf.Tensor:
    """Decodes a frame's bytes to uint8 [frame_size, frame_size, 3]."""
    shape = [frame_size, frame_size, 3]
    if encoding == "raw":
        return tf.reshape(tf.io.decode_raw(encoded, tf.uint8), shape)
    if encoding == "png":
        frame = tf.io.decode_png(encoded, channels=3)
    else:  # the default IFAST is off by a few levels
        frame = tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.ensure_shape(frame, shape)


def decode_kept(encoded: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Decodes flow of `LabelOptions.kept_shapes` to float32."""
    return tf.cast(tf.reshape(tf.io.decode_raw(encoded, tf.float16), shape), tf.float32)


class ShardWriter:
    """Writes a split's records round robin, so that each shard mixes all clips."""

    def __init__(self, output_dir: str | Path, split: str, num_shards: int):
        """Opens `num_shards` files in `output_dir`."""
        ending = f"of-{num_shards:05d}.tfrecord"
        names = [f"{split}-{i:05d}-{ending}" for i in range(num_shards)]
        self._files = [Path(output_dir, name) for name in names]
        self._counts = [0] * num_shards
        self._writers = [
            tf.io.TFRecordWriter(os.fsencode(file)) for file in self._files
        ]
        self._turn = itertools.cycle(range(num_shards))

    def write(self, record: bytes) -> None:
        """Adds a record to the shard whose turn it is."""
        shard = next(self._turn)
        self._writers[shard].write(record)
        self._counts[shard] += 1

    def close(self) -> list[dict]:
        """Ends the files; of each its name, num_samples, bytes and sha256."""
        for writer in self._writers:
            writer.close()
        return [
            {
                "name": file.name,
                "num_samples": count,
                "bytes": file.stat().st_size,
                "sha256": sha256_of(file),
            }
            for file, count in zip(self._files, self._counts, strict=True)
        ]


def write_shards(
    output_dir: str | Path, split: str, records: Iterable[bytes], num_shards: int
) -> list[dict]:
    """Writes the records of one split; returns what `ShardWriter.close` does."""
    shards = ShardWriter(output_dir, split, num_shards)
    for record in records:
        shards.write(record)
    return shards.close()
