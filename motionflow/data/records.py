"""One schema for a sample, in shards of records.

Sample --encode--> tf.train.Example bytes --parse by feature_spec--> dict of tensors
"""

import dataclasses
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
        values = {n: v for n, v in dataclasses.asdict(self).items() if v is not None}
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
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


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


def write_shards(
    output_dir: str | Path, split: str, records: Iterable[bytes], num_shards: int
) -> list[dict]:
    """Writes records round robin, so that each shard mixes all clips.

    Returns:
      for each shard its name, num_samples, bytes and sha256.
    """
    names = [f"{split}-{i:05d}-of-{num_shards:05d}.tfrecord" for i in range(num_shards)]
    files = [Path(output_dir, name) for name in names]
    counts = [0] * num_shards
    writers = [tf.io.TFRecordWriter(os.fsencode(file)) for file in files]
    for i, record in enumerate(records):
        writers[i % num_shards].write(record)
        counts[i % num_shards] += 1
    for writer in writers:
        writer.close()
    return [
        {
            "name": file.name,
            "num_samples": count,
            "bytes": file.stat().st_size,
            "sha256": sha256_of(file),
        }
        for file, count in zip(files, counts, strict=True)
    ]
