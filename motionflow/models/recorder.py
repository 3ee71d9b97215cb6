"""What a training writes after each epoch.

metrics of an epoch -> a row of history.csv, a checkpoint -> result.json at the end
"""

import math
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models.run_dir import RunDir

_METRICS = ("cross_entropy", "top1", "top5", "top10", "mean_recall")


class Recorder(keras.callbacks.Callback):
    """After each epoch: a row of history.csv, then a checkpoint.

    In that order, so that a checkpoint is never without its row; rows beyond the
    checkpoint are dropped when the run resumes. Every worker saves, since saving may
    need all of them, but only the chief into the run directory.
    """

    def __init__(
        self,
        model: keras.Model,
        run_dir: RunDir,
        batch_size: int,
        num_checkpoints: int,
        is_chief: bool = True,
    ):
        super().__init__()
        self._run_dir = run_dir
        self._is_chief = is_chief
        self._batch_size = batch_size
        self.rows: list[dict[str, float]] = []
        # Slots exist from here on, so that restoring can insist on all of them.
        model.optimizer.build(model.trainable_variables)
        self._checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
        elsewhere = None if is_chief else tempfile.mkdtemp(prefix="motionflow-")
        self.log_dir = elsewhere or str(run_dir.logs)
        self._manager = tf.train.CheckpointManager(
            self._checkpoint,
            elsewhere or str(run_dir.checkpoints),
            max_to_keep=num_checkpoints,
            checkpoint_name="epoch",
        )

    def restore(self) -> int:
        """Continues from the last checkpoint; returns the number of epochs done."""
        num_done = self._run_dir.num_epochs
        if num_done:
            latest = self._run_dir.latest_checkpoint
            self._checkpoint.restore(latest).assert_consumed()
        self.rows = self._run_dir.read_history()[:num_done]
        return num_done

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self._begin, self._num_steps, self._training_end = time.monotonic(), 0, None

    def on_train_batch_end(self, batch, logs=None):
        """Counts steps."""
        self._num_steps += 1

    def on_test_begin(self, logs=None):
        """Validation begins: its time is not training time."""
        self._training_end = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Writes the row and the checkpoint."""
        if not math.isfinite(logs["loss"]):
            raise InputError(
                f"the loss is {logs['loss']} in epoch {epoch + 1}; "
                f"its weights were not saved: train with a lower --learning_rate"
            )
        now = time.monotonic()
        training_seconds = (self._training_end or now) - self._begin
        rate = self._num_steps * self._batch_size / training_seconds
        row = {"epoch": epoch + 1, **{key: float(logs[key]) for key in logs}}
        row["learning_rate"] = row.pop("lr")
        row |= {"seconds": now - self._begin, "images_per_second": rate}
        self.rows.append(row)
        if self._is_chief:
            self._run_dir.write_history(self.rows)
        self._manager.save(checkpoint_number=epoch + 1)


def summarize(rows: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Makes the contents of result.json from the rows of history.csv.

    Returns:
      training and validation metrics of the last epoch (validation None without such
      samples), the epochs, the seconds of all of them, and their median images/s.
    """
    names = ["loss", *(metric for metric in rows[-1] if metric in _METRICS)]
    rates = sorted(row["images_per_second"] for row in rows)
    return {
        "epochs": len(rows),
        "training": {name: rows[-1][name] for name in names},
        "validation": {name: rows[-1][f"val_{name}"] for name in names}
        if "val_loss" in rows[-1]
        else None,
        "seconds": sum(row["seconds"] for row in rows),
        "images_per_second": rates[len(rates) // 2],
        "tensorflow": tf.__version__,
    }
