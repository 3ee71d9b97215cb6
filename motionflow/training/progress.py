"""How far a training is: what a checkpoint holds beside weights.

It is saved inside the checkpoint, so that the two can never disagree; history.csv is
written from it.
"""

import json
from typing import Any

import tensorflow as tf


class Progress(tf.train.experimental.PythonState):
    """The place in the training, and the epochs behind it.

    Attributes:
      epoch: finished epochs.
      step: finished steps of the one after.
      seconds: what these steps took, with the runs that were interrupted.
      input_seconds: how long they waited for batches.
      training: metrics of its training; None while it has steps to go.
      rows: a dict of numbers for each finished epoch, as in history.csv.
    """

    def __init__(self) -> None:
        self.epoch = self.step = 0
        self.seconds = self.input_seconds = 0.0
        self.training: dict[str, float] | None = None
        self.rows: list[dict[str, float]] = []

    _FIELDS = ("epoch", "step", "seconds", "input_seconds", "training", "rows")

    def serialize(self) -> str:
        """For the checkpoint."""
        return json.dumps({name: getattr(self, name) for name in self._FIELDS})

    def deserialize(self, string_value: bytes) -> None:
        """From the checkpoint."""
        for name, value in json.loads(string_value).items():
            setattr(self, name, value)

    def finish_epoch(self, row: dict[str, float]) -> None:
        """Adds an epoch's row and begins the next epoch."""
        self.rows = [*self.rows, row]
        self.epoch, self.step, self.training = self.epoch + 1, 0, None
        self.seconds = self.input_seconds = 0.0


def summarize(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Makes the contents of result.json from the rows of history.csv.

    Returns:
      training and validation metrics of the last epoch (validation None without such
      samples), the epochs, the best of them by validation cross-entropy, the seconds of
      all of them, their median images/s and share of time in input.
    """
    last = rows[-1]
    others = ("epoch", "learning_rate", "seconds", "images_per_second", "input_share")
    names = [name for name in last if name not in others]
    metrics = {
        is_val: {n.removeprefix("val_"): last[n] for n in names if is_val == _is_val(n)}
        for is_val in (False, True)
    }
    best = min(rows, key=lambda row: row.get("val_cross_entropy", -row["epoch"]))
    return {
        "epochs": len(rows),
        "best_epoch": best["epoch"],
        "training": metrics[False],
        "validation": metrics[True] or None,
        "seconds": sum(row["seconds"] for row in rows),
        "images_per_second": _median(rows, "images_per_second"),
        "input_share": _median(rows, "input_share"),
        "tensorflow": tf.__version__,
    }


def _is_val(name: str) -> bool:
    return name.startswith("val_")


def _median(rows: list[dict[str, float]], name: str) -> float:
    return sorted(row[name] for row in rows)[len(rows) // 2]
