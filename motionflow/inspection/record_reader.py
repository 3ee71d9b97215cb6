"""Records of a shard, read one by one and checked beyond what the schema says.

tf.train.Example bytes --> RecordedSample, or BadRecordError that says what is wrong
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from motionflow.data.records import decode_frame, decode_kept, feature_spec
from motionflow.labels.codebook import Codebook
from motionflow.labels.options import LabelOptions


class BadRecordError(ValueError):
    """A record that holds no sample; the message says what such records do."""


@dataclasses.dataclass(frozen=True)
class RecordedSample:
    """A sample as NumPy knows it.

    Attributes:
      clip: path of the clip in the video directory.
      frame_index: which frame of the clip.
      action: class of the motion.
      source: the video that the clip was cut from.
      frame: uint8 RGB [S, S, 3].
      flow: float32 [g, g, 2], pixels.
      codes: int64 [g * g].
      kept: float32 arrays of `LabelOptions.kept_shapes`, pixels.
    """

    clip: str
    frame_index: int
    action: str
    source: str
    frame: np.ndarray
    flow: np.ndarray
    codes: np.ndarray
    kept: dict[str, np.ndarray]

    @property
    def origin(self) -> tuple[str, str, str]:
        """Clip, action and source."""
        return self.clip, self.action, self.source

    @property
    def knows_past(self) -> bool:
        """Whether the flow just before is kept, and known."""
        past = self.kept.get("past_flow")
        return past is not None and bool(np.isfinite(past).all())


class RecordReader:
    """Reads and checks records one by one."""

    def __init__(self, labels: LabelOptions, codebook: Codebook | None):
        """Takes what records must agree with; without a codebook codes go unchecked."""
        self.labels, self.codebook = labels, codebook
        spec = feature_spec(labels.grid_size, labels.kept_shapes)
        self._parse = tf.function(
            lambda record: tf.io.parse_single_example(record, spec),
            input_signature=[tf.TensorSpec([], tf.string)],
        )

    def read(self, record: tf.Tensor) -> RecordedSample:
        """Reads one record, a string scalar.

        Raises:
          BadRecordError: it does not hold what it should.
        """
        size, encoding = self.labels.frame_size, self.labels.frame_encoding
        with _refused("do not parse"):
            values = {k: v.numpy() for k, v in self._parse(record).items()}
        with _refused(f"hold no {encoding} frame of {size}x{size}"):
            frame = decode_frame(values["frame"], encoding, size).numpy()
        kept = {}
        for name, shape in self.labels.kept_shapes.items():
            with _refused(f"hold no {name} of {'x'.join(map(str, shape))}"):
                kept[name] = decode_kept(values[name], shape).numpy()
        texts = {n: os.fsdecode(values[n]) for n in ("clip", "action", "source")}
        return RecordedSample(
            **texts,
            frame_index=int(values["frame_index"]),
            frame=frame,
            flow=values["flow"],
            codes=values["codes"],
            kept=kept,
        )

    def fault(self, sample: RecordedSample) -> str:
        """Says what is wrong with the values, "" where nothing is."""
        for name, flow in {"flow": sample.flow, **sample.kept}.items():
            unknown = name == "past_flow" and np.isnan(flow).all()
            if not unknown and not np.isfinite(flow).all():
                return f"hold {name} that is not finite"
        if self.codebook is None:
            return ""
        last = self.codebook.num_clusters - 1
        if sample.codes.min() < 0 or sample.codes.max() > last:
            return f"hold codes outside 0 to {last}"
        if (sample.codes != self.codebook.encode(sample.flow).ravel()).any():
            return "hold codes that are not those of their flow"
        return ""


def record_at(shard: str | Path, position: int) -> tf.Tensor:
    """Returns the record at a position of a shard, a string scalar."""
    records = tf.data.TFRecordDataset(os.fsencode(shard))
    return next(iter(records.skip(position).take(1)))


@contextlib.contextmanager
def _refused(what: str) -> Iterator[None]:
    """Turns TensorFlow's refusal of some bytes into a BadRecordError."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        raise BadRecordError(what) from error
