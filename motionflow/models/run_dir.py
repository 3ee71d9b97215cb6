"""A run directory: everything a training leaves behind, and how it is read again.

R/config.json      what rebuilds the model and identifies the run; written last, so
its presence says that the directory is set up
R/data.json        where the training data came from: the manifest without its shards
R/flags.txt        the command's flags, a valid --flagfile
R/codebook.npz     copies of the data's codebook and mean frame: a run needs no data
R/mean_frame.npy   directory to predict
R/checkpoints/     the last states of the training; best/: weights of the best epochs
R/logs/            TensorBoard
R/history.csv      one row an epoch
R/result.json      the last row and the run's totals; its presence says "finished"
"""

import csv
import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.files.outputs import check_name
from motionflow.labels.codebook import Codebook
from motionflow.models.network import Network, build_model, in_float32

# What may change when a run is resumed: how long and on what it runs, not what it is.
FREE_TO_CHANGE = ("epochs",)
# What older runs do not name, where it was not off.
_OLDER = {"head": "plain"}
# Of predictions: a network that is stuck at one class still errs in single cells.
STUCK_SHARE = 0.999


# What TensorFlow raises when a checkpoint is cut, changed or gone.
DAMAGE = (tf.errors.OpError, IndexError)


def warn_damaged(path: str, error: Exception) -> None:
    """Says that a checkpoint cannot be read and another is tried."""
    message = str(error).splitlines()[0]
    logging.getLogger(__name__).warning(
        "warning: %s is damaged and passed over: %s", path, message
    )


def _read_json(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text()) if path.is_file() else None


def _write_json(path: Path, values: dict[str, Any]) -> None:
    drafts.write(path, json.dumps(values, indent=2) + "\n")


class RunDir:
    """Paths and files of one run directory.

    Args:
      path: the directory R; or R/checkpoints/best, to use the weights of the best epoch
        instead of the last.
    """

    def __init__(self, path: str | os.PathLike):
        self.path, self._which = Path(path), "last"
        if self.path.parts[-2:] == ("checkpoints", "best"):
            self.path, self._which = self.path.parents[1], "best"
        self.checkpoints = self.path / "checkpoints"
        self.logs = self.path / "logs"
        self._config = self.path / "config.json"
        self._history = self.path / "history.csv"
        self._result = self.path / "result.json"

    @classmethod
    def open(cls, path: str | os.PathLike) -> "RunDir":
        """Opens an existing run directory.

        Raises:
          InputError: `path` is none, training has saved no checkpoint in it yet, or
            TensorFlow cannot take its name.
        """
        check_name(path)
        run_dir = cls(path)
        if not run_dir._config.is_file():
            raise InputError(
                f"{path} is no run directory: it holds no config.json; expected the "
                f"--run_dir of a training (motionflow train)"
            )
        if not run_dir.checkpoint_paths():
            raise InputError(
                f"{path} holds no checkpoint: its training has not saved one yet"
            )
        return run_dir

    def prepare(
        self, config: dict[str, Any], codebook: Codebook, mean_frame: np.ndarray
    ) -> None:
        """Sets the directory up, or checks that it belongs to the same run.

        Args:
          config: sections "model", "training" and "data" of plain values.
          codebook: of the data.
          mean_frame: float32 [S, S, 3], of the data.

        Raises:
          InputError: the directory holds another run; names what differs.
        """
        if self._config.is_file():
            self._check_same(config)
        else:
            self.path.mkdir(parents=True, exist_ok=True)
            codebook.save(self.path / "codebook.npz")
            drafts.write_array(self.path / "mean_frame.npy", mean_frame)
        _write_json(self._config, config)

    def _check_same(self, config: dict[str, Any]) -> None:
        stored = self.config
        # A cosine's rates depend on where it ends.
        is_cosine = config["training"].get("learning_rate_schedule") == "cosine"
        free = () if is_cosine else FREE_TO_CHANGE
        # What a run is older than was off in it: False, which equals 0.
        differences = [
            f"{section}.{key} is {found!r} there and {value!r} now"
            for section, values in config.items()
            for key, value in values.items()
            if key not in free
            and (found := stored[section].get(key, _OLDER.get(key, False))) != value
        ]
        if differences:
            raise InputError(
                f"{self.path} holds another run: {'; '.join(differences)}; pass the "
                f"same flags to resume it, or another --run_dir"
            )

    @property
    def config(self) -> dict[str, Any]:
        """The sections of config.json."""
        return json.loads(self._config.read_text())

    @property
    def model_config(self) -> dict[str, Any]:
        """What `build_model` takes, but for the mean frame."""
        return _OLDER | self.config["model"]

    @property
    def codebook(self) -> Codebook:
        """The codebook that the run was trained with."""
        return Codebook.load(self.path / "codebook.npz")

    @property
    def mean_frame(self) -> np.ndarray:
        """The training data's mean frame, float32 [S, S, 3]."""
        return np.load(self.path / "mean_frame.npy")

    @property
    def origin(self) -> dict[str, Any] | None:
        """Where the data came from, see `write_origin`; None where nobody wrote it."""
        return _read_json(self.path / "data.json")

    def write_origin(self, manifest: dict[str, Any]) -> None:
        """Writes data.json: the manifest of the data directory without its shards."""
        counts = {
            split: {k: v for k, v in values.items() if k != "shards"}
            for split, values in manifest["splits"].items()
        }
        _write_json(self.path / "data.json", {**manifest, "splits": counts})

    def checkpoint_paths(self) -> list[str]:
        """Prefixes of the checkpoints in the order in which to try them.

        The last ones, latest first; or the best, by validation cross-entropy.
        """
        if self._which == "last":
            state = tf.train.get_checkpoint_state(str(self.checkpoints))
            return list(state.all_model_checkpoint_paths)[::-1] if state else []
        rows = [row for row in self.read_history() if "val_cross_entropy" in row]
        rows.sort(key=lambda row: row["val_cross_entropy"])
        paths = [self.checkpoints / "best" / f"epoch-{row['epoch']}" for row in rows]
        return [str(path) for path in paths if path.with_suffix(".index").is_file()]

    @property
    def result(self) -> dict[str, Any] | None:
        """result.json, or None while the run is unfinished."""
        return _read_json(self._result)

    def write_flags(self, lines: str) -> None:
        """Writes flags.txt."""
        drafts.write(self.path / "flags.txt", lines)

    def write_result(self, result: dict[str, Any]) -> None:
        """Writes result.json."""
        _write_json(self._result, result)

    def read_history(self) -> list[dict[str, float]]:
        """The rows of history.csv, first epoch first; [] before the first epoch."""
        if not self._history.is_file():
            return []
        with self._history.open(newline="") as file:
            rows = [
                {key: float(value) for key, value in row.items()}
                for row in csv.DictReader(file)
            ]
        return [{**row, "epoch": int(row["epoch"])} for row in rows]

    def write_history(self, rows: list[dict[str, float]]) -> None:
        """Replaces history.csv; all rows have the keys of the first."""
        lines = [",".join(rows[0])]
        lines += [",".join(str(row[key]) for key in rows[0]) for row in rows]
        drafts.write(self._history, "\n".join(lines) + "\n")

    def load_model(self) -> Network:
        """Rebuilds the model in float32 with the weights of a checkpoint.

        The averaged weights, where training kept an average. A damaged checkpoint is
        passed over with a warning.

        Raises:
          InputError: no such checkpoint, or none that can be read.
          AssertionError: the checkpoint lacks a weight of the model.
        """
        with in_float32():
            model = build_model(**self.model_config, mean_frame=self.mean_frame)
        is_averaged = self.config.get("training", {}).get("ema_decay", 0) > 0
        weights = tf.train.Checkpoint(**{"average" if is_averaged else "model": model})
        for path in self.checkpoint_paths():
            try:
                restored = weights.read(path)
            except DAMAGE as error:
                warn_damaged(path, error)
                continue
            restored.assert_existing_objects_matched()
            # The optimizer's slots are in the file too and not wanted here.
            restored.expect_partial()
            return model
        raise InputError(f"{self.path} has no checkpoint that can be read")
