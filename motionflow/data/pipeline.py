"""Shards to batches.

    training:   shards, interleaved -> encoded records shuffled -> parse, decode
                -> mirror half of them -> batches, without end
    evaluation: shards in order -> parse, decode -> batches, each sample exactly once

Epoch e of the training stream always has the same order and the same mirrored samples
for the same seed: training that resumes after e epochs asks for `first_epoch=e`.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from motionflow.data.records import (
    DataDir,
    decode_dense_flow,
    decode_frame,
    feature_spec,
)
from motionflow.errors import InputError

SHUFFLE_BUFFER = 2048  # encoded records, about 70 kB each as PNG
_INTERLEAVED_SHARDS = 10


def steps_per_epoch(data_dir: DataDir, batch_size: int) -> int:
    """Number of whole batches in the training split.

    Raises:
      InputError: the split is smaller than one batch.
    """
    num_samples = data_dir.num_samples("train")
    if num_samples < batch_size:
        raise InputError(
            f"the training split has {num_samples} samples, batch_size is "
            f"{batch_size}: pass --batch_size={max(num_samples, 1)} or less"
        )
    return num_samples // batch_size


def assign_codes(flow: tf.Tensor, centers: np.ndarray) -> tf.Tensor:
    """Nearest centre of each vector, as `Codebook.encode` gives it.

    Args:
      flow: float32 [..., 2], pixels.
      centers: float32 [K, 2].

    Returns:
      int32 [...].
    """
    distances = tf.reduce_sum(tf.square(flow[..., None, :] - centers), axis=-1)
    return tf.argmin(distances, axis=-1, output_type=tf.int32)


def mirror(
    frame: tf.Tensor, flow: tf.Tensor, centers: np.ndarray
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Mirrors a sample left to right, exactly.

    The report gave the flip up since it "would have entailed reclassifying every
    label". The records hold the unquantised flow, so that is what happens: the grid is
    mirrored, dx changes sign, and every cell gets its code anew.

    Args:
      frame: uint8 [S, S, 3].
      flow: float32 [g, g, 2].
      centers: float32 [K, 2].

    Returns:
      the mirrored frame and flow, and int32 [g * g] codes.
    """
    flow = tf.reverse(flow, axis=[1]) * tf.constant([-1.0, 1.0])
    codes = tf.reshape(assign_codes(flow, centers), [-1])
    return tf.reverse(frame, axis=[1]), flow, codes


def training_batches(
    data_dir: DataDir,
    batch_size: int,
    seed: int,
    augment: bool = True,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Endless training batches; `steps_per_epoch` of them make an epoch.

    Args:
      data_dir: an opened data directory.
      batch_size: samples in every batch; an epoch's rest is dropped.
      seed: of the order and of the mirroring.
      augment: mirror each sample with probability one half.
      first_epoch: where the stream begins.

    Returns:
      a dataset of (frames uint8 [B, S, S, 3], codes int32 [B, g * g]).

    Raises:
      InputError: the training split is smaller than one batch.
    """
    steps_per_epoch(data_dir, batch_size)
    shards = data_dir.shards("train")
    centers = data_dir.codebook.centers

    def prepare(epoch: tf.Tensor, index: tf.Tensor, record: tf.Tensor):
        sample = _parse(data_dir, record)
        frame, codes = sample["frames"], sample["codes"]
        if augment:
            # Drawn from the sample's place in the stream, so that a resumed run
            # mirrors the same samples.
            draw = tf.random.stateless_uniform([], [seed + epoch, index])
            frame, codes = tf.cond(
                draw < 0.5,
                lambda: mirror(frame, sample["flow"], centers)[::2],
                lambda: (frame, codes),
            )
        return frame, codes

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        # This function's own graph seed: the stream does not depend on the program's,
        # and TensorFlow cannot compare a global seed of 0 with one that is a tensor.
        tf.compat.v1.set_random_seed(1)
        order = {"seed": seed + epoch, "reshuffle_each_iteration": False}
        names = tf.data.Dataset.from_tensor_slices(shards)
        records = names.shuffle(len(shards), **order).interleave(
            tf.data.TFRecordDataset,
            cycle_length=_INTERLEAVED_SHARDS,
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        records = records.shuffle(SHUFFLE_BUFFER, **order).enumerate()
        samples = records.map(
            lambda index, record: prepare(epoch, index, record),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        return samples.batch(batch_size, drop_remainder=True)

    epochs = tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max)
    return epochs.flat_map(one_epoch).prefetch(tf.data.AUTOTUNE)


def evaluation_batches(
    data_dir: DataDir, split: str, batch_size: int
) -> tf.data.Dataset:
    """A split in fixed order, each sample exactly once; the last batch may be smaller.

    Returns:
      a dataset of dicts: frames uint8 [B, S, S, 3], codes int32 [B, g * g], flow
      float32 [B, g, g, 2], clip, action, source string [B], frame_index int64 [B].

    Raises:
      InputError: the split holds no sample.
    """
    return _in_order(data_dir, split, batch_size, with_frames=True)


def targets(data_dir: DataDir, split: str, batch_size: int) -> tf.data.Dataset:
    """Like `evaluation_batches`, but without decoding a frame."""
    return _in_order(data_dir, split, batch_size, with_frames=False)


def read_samples(
    data_dir: DataDir, split: str, indices: Sequence[int]
) -> dict[str, np.ndarray]:
    """Reads a few samples by their place in the split; only these are decoded.

    Args:
      data_dir: an opened data directory.
      split: which one.
      indices: places in the order of `evaluation_batches`, each once.

    Returns:
      what `evaluation_batches` gives, [len(indices), ...], in the order of `indices`;
      and dense_flow float32 [len(indices), D, D, 2] where the directory keeps it.
    """
    side = data_dir.manifest["flags"].get("store_dense_flow", 0)
    spec = feature_spec(data_dir.grid_size, side)

    def read(_, record: tf.Tensor) -> dict:
        sample = _parse(data_dir, record)
        if side:
            dense = {"dense_flow": spec["dense_flow"]}
            encoded = tf.io.parse_single_example(record, dense)["dense_flow"]
            sample["dense_flow"] = decode_dense_flow(encoded, side)
        return sample

    wanted = tf.constant(indices, tf.int64)
    records = tf.data.TFRecordDataset(data_dir.shards(split)).enumerate()
    chosen = records.filter(lambda index, _: tf.reduce_any(index == wanted))
    samples = next(chosen.map(read).batch(len(indices)).as_numpy_iterator())
    order = np.argsort(np.argsort(indices))
    return {key: values[order] for key, values in samples.items()}


def _in_order(
    data_dir: DataDir, split: str, batch_size: int, with_frames: bool
) -> tf.data.Dataset:
    if not data_dir.num_samples(split):
        raise InputError(f"{data_dir.path} has no sample in its {split} split")
    return (
        tf.data.TFRecordDataset(data_dir.shards(split))
        .map(
            lambda record: _parse(data_dir, record, with_frames),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .batch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )


def _parse(data_dir: DataDir, record: tf.Tensor, with_frames: bool = True) -> dict:
    sample = tf.io.parse_single_example(record, feature_spec(data_dir.grid_size))
    encoded = sample.pop("frame")
    sample["codes"] = tf.cast(sample["codes"], tf.int32)
    if with_frames:
        sample["frames"] = decode_frame(
            encoded, data_dir.frame_encoding, data_dir.frame_size
        )
    return sample
