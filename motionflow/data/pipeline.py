"""Shards to batches.

    training:   shards, interleaved -> encoded records shuffled -> parse, decode
                -> batches: one epoch; the rest is done in the step (`data.finishing`)
    evaluation: shards in order -> parse, decode -> batches, each sample exactly once

An epoch of the training stream always has the same order and the same draws for the
same seed: training that resumes at a step asks for `epoch` and `first_step`.

Labels have one shape: flow [B, T, s, s, 2] and codes [B, T, s, s], T = 1 and s = g but
for a `DataDir.view` of several steps or of dense flow.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from motionflow.compat import as_written
from motionflow.data.augmentation import draw
from motionflow.data.data_dir import DataDir
from motionflow.data.known import draw_chances
from motionflow.data.records import decode_frame, decode_kept, feature_spec
from motionflow.errors import InputError

SHUFFLE_BUFFER = 2048  # encoded records, about 70 kB each as PNG
_INTERLEAVED_SHARDS = 10
_ABOUT = ("clip", "action", "source", "frame_index")  # of no use to training
_PREFETCHED = 2  # batches
# The tuner's thread sleeps as long as it ran before, up to a minute, and may miss that
# its iterator is gone, which then waits for it.
_NOT_TUNED = tf.data.Options()
_NOT_TUNED.autotune.enabled = False


def steps_per_epoch(data_dir: DataDir, batch_size: int) -> int:
    """Number of whole batches in the training split; InputError where there is none."""
    num_samples = data_dir.num_samples("train")
    if num_samples < batch_size:
        raise InputError(
            f"the training split has {num_samples} samples, batch_size is "
            f"{batch_size}: pass --batch_size={max(num_samples, 1)} or less"
        )
    return num_samples // batch_size


def assign_codes(flow: tf.Tensor, centers: np.ndarray) -> tf.Tensor:
    """Nearest centre of each vector, as `Codebook.encode` gives it.

    Of flow float32 [..., 2], pixels, and centres float32 [K, 2] it is int32 [...].
    """
    # Not a sum over the last axis: over two numbers that is slow.
    dx, dy = flow[..., :1] - centers[:, 0], flow[..., 1:] - centers[:, 1]
    return tf.argmin(dx * dx + dy * dy, axis=-1, output_type=tf.int32)


def pack_targets(codes: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    """Joins what a network is trained and judged by into one tensor, as Keras wants it.

    Codes int32 [B, T, s, s], flow float32 [B, T, s, s, 2] -> float32 [B, T, s, s, 3].
    """
    return tf.concat([tf.cast(codes, tf.float32)[..., None], flow], axis=-1)


def unpack_targets(targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Codes int32 [B, T, s, s], flow float32 [B, T, s, s, 2] of packed targets."""
    return tf.cast(targets[..., 0], tf.int32), targets[..., 1:]


def first_step(samples: dict) -> dict:
    """Samples with the labels of their first step: flow [B, s, s, 2], codes [B, s * s].

    Args:
      samples: a batch of `evaluation_batches`, `targets` or `read_samples`, in NumPy.
    """
    flow, codes = samples["flow"][:, 0], samples["codes"][:, 0]
    return samples | {"flow": flow, "codes": codes.reshape(len(codes), -1)}


@as_written
def training_batches(
    data_dir: DataDir,
    batch_size: int,
    seed: int,
    epoch: int = 0,
    first_step: int = 0,
    context: tf.distribute.InputContext | None = None,
    tells: bool = False,
) -> tf.data.Dataset:
    """The batches of one epoch, all of the same size; `finishing.finish` goes on.

    Args:
      data_dir: its training split.
      batch_size: samples in a step of all replicas; an epoch's rest is dropped.
      seed: of order and draws; the same epoch is always the same.
      epoch: which one, from 0.
      first_step: steps to leave out, without decoding their frames.
      context: which replicas this pipeline feeds. Together they get the batches that a
        single one would, each its share of the samples; only these are decoded.
      tells: whether to draw what is known of the motion.

    Returns:
      a dataset of dicts, B samples a replica: frames uint8 [B, S, S, 3], flow float32
      [B, T, s, s, 2], draws float32 [B, 7] of `augmentation.draw`; codes int32
      [B, 1, g, g] where they are stored with the flow; past_flow float32 [B, g, g, 2]
      of a view with the past; chances of `known.draw_chances` where it tells.

    Raises:
      InputError: the training split is smaller than one batch.
    """
    steps = steps_per_epoch(data_dir, batch_size)
    shards = data_dir.shards("train")
    context = context or tf.distribute.InputContext()
    num_here = batch_size // context.num_input_pipelines
    order = {"seed": seed + epoch, "reshuffle_each_iteration": False}
    # Codes of a view are not stored: `finish` finds them.
    unused = (*_ABOUT, "codes") if data_dir.dense or data_dir.sequence else _ABOUT

    def stream(_: tf.Tensor) -> tf.data.Dataset:
        # This function's own graph seed: the stream does not depend on the program's.
        tf.compat.v1.set_random_seed(1)
        # Drawn by a sample's place in the epoch, wherever the stream begins.
        draws = draw(steps * batch_size, seed, epoch)
        names = tf.data.Dataset.from_tensor_slices(shards)
        records = names.shuffle(len(shards), **order).interleave(
            tf.data.TFRecordDataset,
            cycle_length=_INTERLEAVED_SHARDS,
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        places = records.shuffle(SHUFFLE_BUFFER, **order).enumerate()
        places = places.take(steps * batch_size).skip(first_step * batch_size)
        if context.num_input_pipelines > 1:
            places = places.filter(
                lambda place, _: (
                    place % batch_size // num_here == context.input_pipeline_id
                )
            )

        def read(place: tf.Tensor, record: tf.Tensor) -> dict:
            sample = _parse(data_dir, record, without=unused)
            sample["draws"] = draws[place]
            if tells:
                grid_size = data_dir.grid_size
                sample["chances"] = draw_chances([seed, epoch], place, grid_size)
            return sample

        num_each = batch_size // context.num_replicas_in_sync
        return places.map(read, num_parallel_calls=tf.data.AUTOTUNE).batch(
            num_each, drop_remainder=True
        )

    batches = tf.data.Dataset.range(1).flat_map(stream).prefetch(_PREFETCHED)
    return batches.with_options(_NOT_TUNED)


def evaluation_batches(
    data_dir: DataDir, split: str, batch_size: int
) -> tf.data.Dataset:
    """A split in fixed order, each sample exactly once; the last batch may be smaller.

    Returns:
      a dataset of dicts: frames uint8 [B, S, S, 3], codes int32 [B, T, s, s], flow
      float32 [B, T, s, s, 2], clip, action, source string [B], frame_index int64 [B];
      past_flow float32 [B, g, g, 2], NaN where it is not known, of a view with the
      past.

    Raises:
      InputError: the split holds no sample.
    """
    return _in_order(data_dir, split, batch_size)


@as_written
def chosen_samples(
    data_dir: DataDir, split: str, is_chosen: np.ndarray
) -> tf.data.Dataset:
    """The samples of a split where bool [N] says so, one by one; only these decoded."""
    chosen = tf.constant(is_chosen)
    records = tf.data.TFRecordDataset(data_dir.shards(split)).enumerate()
    samples = records.filter(lambda index, _: chosen[index]).map(
        lambda _, record: _parse(data_dir, record), num_parallel_calls=tf.data.AUTOTUNE
    )
    return samples.with_options(_NOT_TUNED)


def targets(data_dir: DataDir, split: str, batch_size: int) -> tf.data.Dataset:
    """Like `evaluation_batches`, but without decoding a frame."""
    return _in_order(data_dir, split, batch_size, without=("frame",))


def read_columns(data_dir: DataDir, split: str, *names: str) -> list[np.ndarray]:
    """Columns of `targets` by their names, of a whole split: [N, ...] each."""
    batches = list(targets(data_dir, split, 256).as_numpy_iterator())
    return [np.concatenate([batch[name] for batch in batches]) for name in names]


@as_written
def read_samples(
    data_dir: DataDir, split: str, indices: Sequence[int] | np.ndarray
) -> dict[str, np.ndarray]:
    """Reads a few samples by their place in the split; only these are decoded.

    Returns:
      what `evaluation_batches` gives, [len(indices), ...], in the order of `indices`,
      each of which is there once; and what the directory keeps of
      `LabelOptions.kept_shapes`, float32.
    """

    def read(_: tf.Tensor, record: tf.Tensor) -> dict:
        return _parse(data_dir, record) | _read_kept(
            data_dir, record, data_dir.labels.kept_shapes
        )

    wanted = tf.constant(indices, tf.int64)
    records = tf.data.TFRecordDataset(data_dir.shards(split)).enumerate()
    chosen = records.filter(lambda index, _: tf.reduce_any(index == wanted))
    samples = next(chosen.map(read).batch(len(indices)).as_numpy_iterator())
    order = np.argsort(np.argsort(indices))
    return {key: values[order] for key, values in samples.items()}


@as_written
def _in_order(
    data_dir: DataDir, split: str, batch_size: int, without: Sequence[str] = ()
) -> tf.data.Dataset:
    if not data_dir.num_samples(split):
        raise InputError(f"{data_dir.path} has no sample in its {split} split")
    return (
        tf.data.TFRecordDataset(data_dir.shards(split))
        .map(
            lambda record: _parse(data_dir, record, without),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .batch(batch_size)
        .prefetch(_PREFETCHED)
        .with_options(_NOT_TUNED)
    )


def _parse(data_dir: DataDir, record: tf.Tensor, without: Sequence[str] = ()) -> dict:
    """A record, but for what is not wanted of it; its frame is decoded."""
    spec = feature_spec(data_dir.grid_size)
    sample = tf.io.parse_single_example(
        record, {name: spec[name] for name in spec if name not in without}
    )
    sample["flow"] = _flow_of_steps(data_dir, record, sample["flow"])
    if "codes" in sample:
        codes = tf.cast(sample["codes"], tf.int32)
        if data_dir.dense or data_dir.sequence:
            sample["codes"] = assign_codes(sample["flow"], data_dir.codebook.centers)
        else:
            sample["codes"] = tf.reshape(codes, sample["flow"].shape[:-1])
    if data_dir.past:
        sample |= _read_kept(data_dir, record, ["past_flow"])
    if "frame" in sample:
        encoding = data_dir.labels.frame_encoding
        sample["frames"] = decode_frame(
            sample.pop("frame"), encoding, data_dir.frame_size
        )
    return sample


def _flow_of_steps(data_dir: DataDir, record: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    """What the view reads, float32 [T, s, s, 2]."""
    names = ["dense_flow"] * data_dir.dense
    if data_dir.sequence:
        names.append("later_dense_flow" if data_dir.dense else "later_flow")
    kept = _read_kept(data_dir, record, names)
    first = kept.pop("dense_flow", flow)
    return tf.concat([first[tf.newaxis], *kept.values()], axis=0)


def _read_kept(data_dir: DataDir, record: tf.Tensor, names: Iterable[str]) -> dict:
    shapes = data_dir.labels.kept_shapes
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in names}
    if not spec:
        return {}
    encoded = tf.io.parse_single_example(record, spec)
    return {name: decode_kept(encoded[name], shapes[name]) for name in spec}
