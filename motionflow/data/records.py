"""One schema for a sample, and the data directory that holds them.

    Sample --encode--> tf.train.Example bytes --parse--> dict of tensors

A data directory holds `manifest.json` (written last: its presence says that the
directory is complete), `codebook.npz`, `mean_frame.npy`, `clips.jsonl` and
`{train,validation,test}-NNNNN-of-NNNNN.tfrecord`.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.labels.codebook import Codebook
from motionflow.labels.samples import LabelOptions
from motionflow.labels.splits import SPLITS

FORMAT_VERSION = 2
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
      dense_flow, later_flow, later_dense_flow, past_flow: see `kept_shapes`; None: not
        kept.
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


def kept_shapes(flags: Mapping) -> dict[str, tuple[int, ...]]:
    """What records keep beside their flow, as float16 in pixels of the frame.

    Args:
      flags: of the manifest; D is `store_dense_flow`, T `sequence_length`.

    Returns:
      those that are kept of dense_flow (D, D, 2), later_flow (T - 1, g, g, 2), the flow
      of the steps that follow, later_dense_flow (T - 1, D, D, 2), and past_flow (g, g,
      2), the flow of the frames before, NaN in all cells where it is not known.
    """
    grid, dense = flags["grid_size"], flags.get("store_dense_flow", 0)
    later = flags.get("sequence_length", 1) - 1
    past = grid if flags.get("past_frames", 0) else 0
    shapes = {
        "dense_flow": (dense, dense, 2),
        "later_flow": (later, grid, grid, 2),
        "later_dense_flow": (later, dense, dense, 2),
        "past_flow": (past, past, 2),
    }
    return {name: shape for name, shape in shapes.items() if 0 not in shape}


def feature_spec(
    grid_size: int, kept: Iterable[str] = ()
) -> dict[str, tf.io.FixedLenFeature]:
    """The one declaration of a record for reading; a missing key is an error.

    Args:
      grid_size: cells along one side of the grid.
      kept: which of `kept_shapes` to read.
    """
    spec = {
        "frame": tf.io.FixedLenFeature([], tf.string),
        "flow": tf.io.FixedLenFeature([grid_size, grid_size, 2], tf.float32),
        "codes": tf.io.FixedLenFeature([grid_size**2], tf.int64),
        "clip": tf.io.FixedLenFeature([], tf.string),
        "frame_index": tf.io.FixedLenFeature([], tf.int64),
        "action": tf.io.FixedLenFeature([], tf.string),
        "source": tf.io.FixedLenFeature([], tf.string),
    }
    return spec | {name: tf.io.FixedLenFeature([], tf.string) for name in kept}


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
    """Decodes flow of `kept_shapes` to float32."""
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
    shards = []
    for file, count, writer in zip(files, counts, writers, strict=True):
        writer.close()
        shards.append(
            {
                "name": file.name,
                "num_samples": count,
                "bytes": file.stat().st_size,
                "sha256": _sha256(file),
            }
        )
    return shards


@dataclasses.dataclass(frozen=True)
class DataDir:
    """An opened data directory.

    Attributes:
      path: where it is.
      manifest: format version, flags, per split the counts and shards, versions.
      codebook: the flow vectors that codes stand for.
      mean_frame: float32 [S, S, 3], mean of the training frames, 0..255.
      dense, sequence: which flow is read; see `view`.
      past: whether the flow of the frames before is read as well.
    """

    path: Path
    manifest: dict
    codebook: Codebook
    mean_frame: np.ndarray
    dense: bool = False
    sequence: bool = False
    past: bool = False

    def view(
        self, dense: bool = False, sequence: bool = False, past: bool = False
    ) -> "DataDir":
        """The same directory, read with finer or further targets, or with the past.

        Args:
          dense: the flow is that at D x D.
          sequence: it is that of T steps.
          past: batches hold the flow of the frames before, too.

        Raises:
          InputError: the records do not keep that.
        """
        flags = self.manifest["flags"]
        for wanted, kept, flag in (
            (dense, self.dense_size, "--store_dense_flow=100"),
            (sequence, self.sequence_length > 1, "--sequence_length=5"),
            (past, self.has_past, "--past_frames=2"),
        ):
            if wanted and not kept:
                raise InputError(
                    f"{self.path} holds no such flow: make the data with {flag} "
                    f"(it was made with {flags.get(flag[2:].split('=')[0])})"
                )
        return dataclasses.replace(self, dense=dense, sequence=sequence, past=past)

    @property
    def has_past(self) -> bool:
        """Whether the flow of the frames before is kept."""
        return self.manifest["flags"].get("past_frames", 0) > 0

    @property
    def target_shape(self) -> tuple[int, int]:
        """Steps, and cells a side, of the flow that is read."""
        side = self.dense_size if self.dense else self.grid_size
        return self.sequence_length if self.sequence else 1, side

    @property
    def dense_size(self) -> int:
        """D, cells a side of the dense flow; 0 where none is kept."""
        return self.manifest["flags"].get("store_dense_flow", 0)

    @property
    def sequence_length(self) -> int:
        """T, steps whose flow is kept."""
        return self.manifest["flags"].get("sequence_length", 1)

    @property
    def step_frames(self) -> int:
        """Video frames from one step to the next."""
        flags = self.manifest["flags"]
        names = {"flow_frames", "flow_average"} & flags.keys()
        return LabelOptions(**{name: flags[name] for name in names}).step_frames

    @property
    def data_sets(self) -> tuple[str, ...]:
        """Names of the data sets that were put together; none for a single one."""
        return tuple(self.manifest["flags"].get("data_sets", ()))

    @property
    def frame_size(self) -> int:
        """S, pixels a side."""
        return self.manifest["flags"]["frame_size"]

    @property
    def grid_size(self) -> int:
        """g, cells a side."""
        return self.manifest["flags"]["grid_size"]

    @property
    def frame_encoding(self) -> str:
        """How frames are stored: png, jpeg or raw."""
        return self.manifest["flags"]["frame_encoding"]

    def num_samples(self, split: str) -> int:
        """How many samples a split holds."""
        return self._split(split)["num_samples"]

    def shards(self, split: str) -> list[bytes]:
        """The split's shard files, in order; TensorFlow takes any name as bytes."""
        shards = self._split(split)["shards"]
        return [os.fsencode(self.path / shard["name"]) for shard in shards]

    def _split(self, split: str) -> dict:
        if split not in SPLITS:
            raise InputError(f"split {split!r} is none of {', '.join(SPLITS)}")
        return self.manifest["splits"][split]


def open_data_dir(path: str | Path) -> DataDir:
    """Opens a complete data directory and checks that its parts belong together.

    Raises:
      InputError: no manifest, another format, a shard missing or changed, or a
        codebook or mean frame that is not the one the records were written with.
    """
    path = Path(path)
    manifest = read_manifest(path)
    for split in SPLITS:
        for shard in manifest["splits"][split]["shards"]:
            if problem := shard_problem(path, shard):
                raise InputError(problem)
    codebook = Codebook.load(path / "codebook.npz")
    if codebook.fingerprint != manifest["codebook_fingerprint"]:
        raise InputError(
            f"{path}/codebook.npz is codebook {codebook.fingerprint}, but the records "
            f"were written with {manifest['codebook_fingerprint']}"
        )
    return DataDir(path, manifest, codebook, _load_mean_frame(path, manifest))


def read_manifest(path: str | Path) -> dict:
    """Reads manifest.json.

    Raises:
      InputError: there is none, it is damaged, or of another format.
    """
    try:
        manifest = json.loads(Path(path, "manifest.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        lacks = "it has no manifest.json" if Path(path).is_dir() else "there is none"
        raise InputError(
            f"{path} is no complete data directory: {lacks} (`motionflow data` writes "
            f"manifest.json last)"
        ) from error
    except ValueError as error:
        raise InputError(f"{path}/manifest.json is damaged: {error}") from error
    found = manifest.get("format_version") if isinstance(manifest, dict) else None
    if found != FORMAT_VERSION:
        raise InputError(f"{path} has format {found}, expected {FORMAT_VERSION}")
    return manifest


def shard_problem(path: str | Path, shard: dict) -> str | None:
    """Compares a shard with its entry in the manifest; says what is wrong, if anything.

    A cut between two records, or a shard of another build, is a valid file to a reader:
    only size and checksum tell.
    """
    file = Path(path, shard["name"])
    size = file.stat().st_size if file.is_file() else "no"
    if size != shard["bytes"]:
        return f"{file} has {size} bytes, expected {shard['bytes']}"
    if _sha256(file) != shard["sha256"]:
        return f"{file} is damaged: its sha256 is not the manifest's"
    return None


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _load_mean_frame(path: Path, manifest: dict) -> np.ndarray:
    file, size = path / "mean_frame.npy", manifest["flags"]["frame_size"]
    try:
        mean_frame = np.load(file)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    if mean_frame.shape != (size, size, 3):
        raise InputError(f"{file} is {mean_frame.shape}, expected {(size, size, 3)}")
    return mean_frame
