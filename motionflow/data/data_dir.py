"""A data directory, opened: what it holds, and that its parts belong together.

It holds `manifest.json` (written last: its presence says that the directory is
complete), `codebook.npz`, `mean_frame.npy`, `clips.jsonl` and the shards,
`{train,validation,test}-NNNNN-of-NNNNN.tfrecord`.
"""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from motionflow.errors import InputError
from motionflow.files.file_names import sha256_of
from motionflow.labels.codebook import Codebook
from motionflow.labels.options import LabelOptions
from motionflow.labels.splits import SPLITS

FORMAT_VERSION = 2


@dataclasses.dataclass(frozen=True)
class DataDir:
    """An opened data directory.

    Attributes:
      path: where it is.
      manifest: format version, flags, per split the counts and shards, versions.
      labels: how its frames became labels.
      codebook: the flow vectors that codes stand for.
      mean_frame: float32 [S, S, 3], mean of the training frames, 0..255.
      dense, sequence: which flow is read; see `view`.
      past: whether the flow of the frames before is read as well.
    """

    path: Path
    manifest: dict[str, Any]
    labels: LabelOptions
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
        for wanted, flag, least, example in (
            (dense, "store_dense_flow", 1, 100),
            (sequence, "sequence_length", 2, 5),
            (past, "past_frames", 1, 2),
        ):
            if wanted and getattr(self.labels, flag) < least:
                raise InputError(
                    f"{self.path} holds no such flow: make the data with "
                    f"--{flag}={example} (it was made with "
                    f"{self.manifest['flags'].get(flag)})"
                )
        return dataclasses.replace(self, dense=dense, sequence=sequence, past=past)

    @property
    def target_shape(self) -> tuple[int, int]:
        """Steps, and cells a side, of the flow that is read."""
        labels = self.labels
        side = labels.store_dense_flow if self.dense else labels.grid_size
        return labels.sequence_length if self.sequence else 1, side

    @property
    def data_sets(self) -> tuple[str, ...]:
        """Names of the data sets that were put together; none for a single one."""
        return tuple(self.manifest["flags"].get("data_sets", ()))

    @property
    def protocol(self) -> str:
        """What keeps the splits apart, see `splits.PROTOCOLS`; "" if not recorded."""
        return self.manifest["flags"].get("split") or ""

    @property
    def frame_size(self) -> int:
        """S, pixels a side."""
        return self.labels.frame_size

    @property
    def grid_size(self) -> int:
        """g, cells a side."""
        return self.labels.grid_size

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
    labels = LabelOptions.from_flags(manifest["flags"])
    mean_frame = _load_mean_frame(path / "mean_frame.npy", labels.frame_size)
    return DataDir(path, manifest, labels, codebook, mean_frame)


def read_manifest(path: str | Path) -> dict[str, Any]:
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
    if sha256_of(file) != shard["sha256"]:
        return f"{file} is damaged: its sha256 is not the manifest's"
    return None


def _load_mean_frame(file: Path, size: int) -> np.ndarray:
    try:
        mean_frame = np.load(file)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    if mean_frame.shape != (size, size, 3):
        raise InputError(f"{file} is {mean_frame.shape}, expected {(size, size, 3)}")
    return mean_frame
