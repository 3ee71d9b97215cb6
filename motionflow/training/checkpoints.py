"""Saving a training, and going on from what was saved.

    model, its metrics, optimizer, progress  <->  R/checkpoints/step-<steps so far>
    the weights of the best epochs            ->  R/checkpoints/best/epoch-<epoch>

A checkpoint can be taken after any step; it is a copy, which a thread writes while the
training goes on. The metrics are in it because an epoch's
metrics are sums over its steps; the dropout's state is a weight of the model; order and
augmentation of the images follow from the place. So a resumed training is, bit for bit
on one CPU device, the one that was not interrupted.
"""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError, NotWritten
from motionflow.files import drafts
from motionflow.models.run_dir import DAMAGE, RunDir, warn_damaged
from motionflow.training.snapshot import Snapshot


class Progress(tf.train.experimental.PythonState):
    """How far a training is: what a checkpoint holds beside weights.

    It is saved inside the checkpoint, so that the two can never disagree; history.csv
    is written from it.

    Args:
      steps_per_epoch: of the training, as the others not saved.
      epochs: of it.
      batch_size: images a step.

    Attributes:
      epoch: finished epochs.
      step: finished steps of the one after.
      seconds: what these steps took, with the runs that were interrupted.
      input_seconds: how long they waited for batches.
      training: metrics of its training; None while it has steps to go.
      rows: a dict of numbers for each finished epoch, as in history.csv.
    """

    _FIELDS = ("epoch", "step", "seconds", "input_seconds", "training", "rows")

    def __init__(
        self, steps_per_epoch: int = 0, epochs: int = 0, batch_size: int = 0
    ) -> None:
        self.steps_per_epoch, self.epochs = steps_per_epoch, epochs
        self.batch_size = batch_size
        self.epoch = self.step = 0
        self.seconds = self.input_seconds = 0.0
        self.training: dict[str, float] | None = None
        self.rows: list[dict[str, float]] = []

    @property
    def num_steps(self) -> int:
        """Finished steps of all epochs."""
        return self.epoch * self.steps_per_epoch + self.step

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

    def summary(self) -> dict[str, Any]:
        """The contents of result.json.

        Metrics of the last epoch (validation: None without such samples), the best
        epoch by validation cross-entropy, sums and medians of the times.
        """
        rows, last = self.rows, self.rows[-1]
        others = ("epoch", "learning_rate", "seconds", "images_per_second")
        names = [name for name in last if name not in (*others, "input_share")]
        validation = {
            name.removeprefix("val_"): last[name]
            for name in names
            if name.startswith("val_")
        }
        best = min(rows, key=lambda row: row.get("val_cross_entropy", -row["epoch"]))

        def median(name: str) -> float:
            return sorted(row[name] for row in rows)[len(rows) // 2]

        return {
            "epochs": len(rows),
            "best_epoch": best["epoch"],
            "training": {n: last[n] for n in names if not n.startswith("val_")},
            "validation": validation or None,
            "seconds": sum(row["seconds"] for row in rows),
            "images_per_second": median("images_per_second"),
            "input_share": median("input_share"),
            "tensorflow": tf.__version__,
        }


class Checkpoints:
    """The checkpoints of one run; every worker saves, only the chief into its folder.

    Args:
      run_dir: the run.
      model: what is trained, compiled, with its metrics built.
      average: the model of averaged weights, or None.
      progress: its place, restored and saved along.
      num_last: how many of the last to keep.
      num_best: how many of the best epochs to keep.
      is_chief: whether this process writes into the run directory.
    """

    def __init__(
        self,
        run_dir: RunDir,
        model: keras.Model,
        average: keras.Model | None,
        progress: Progress,
        num_last: int,
        num_best: int,
        is_chief: bool = True,
    ):
        self._run_dir, self._progress, self._num_best = run_dir, progress, num_best
        # Slots exist from here on, so that restoring can insist on all of them.
        model.optimizer.build(model.trainable_variables)
        weights = {"model": model, "average": average} if average else {"model": model}
        items = weights | {
            "optimizer": model.optimizer,
            "metrics": {metric.name: metric for metric in model.metrics},
            "progress": progress,
        }
        self._checkpoint = tf.train.Checkpoint(**items)
        self._writer = ThreadPoolExecutor(max_workers=1)
        self._unfinished: list[Future] = []
        # In the thread, which has no strategy.
        self._snapshot = self._writer.submit(Snapshot, self._checkpoint).result()
        copies = self._snapshot.items
        self._weights = tf.train.Checkpoint(**{name: copies[name] for name in weights})
        folder = str(run_dir.checkpoints)
        if not is_chief:
            folder = tempfile.mkdtemp(prefix="motionflow-")
        self._folder = folder
        self._manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(**copies),
            folder,
            max_to_keep=num_last,
            checkpoint_name="step",
        )

    def restore(self) -> None:
        """Goes on from the last checkpoint that can be read, if there is any.

        Raises:
          InputError: there are some, and none can be read.
        """
        for path in self._run_dir.checkpoint_paths():
            try:
                self._checkpoint.restore(path).assert_consumed()
                return
            except DAMAGE as error:
                warn_damaged(path, error)
        if self._run_dir.checkpoint_paths():
            raise InputError(
                f"no checkpoint in {self._run_dir.checkpoints} can be read: remove "
                f"that folder to begin again"
            )

    def save(self) -> None:
        """Saves everything under the number of steps since the first epoch.

        What lies in memory is copied, and written beside what the caller does next.

        Raises:
          NotWritten: what was saved before could not be written.
        """
        self.finish()
        self._snapshot.take()
        self._submit(self._write_step, self._progress.num_steps)

    def save_best(self) -> None:
        """Keeps what was saved last if the last epoch is among the best."""
        rows = self._progress.rows
        if not self._num_best or "val_cross_entropy" not in rows[-1]:
            return
        ranked = sorted(rows, key=lambda row: row["val_cross_entropy"])
        best = {f"epoch-{row['epoch']}" for row in ranked[: self._num_best]}
        self._submit(self._write_best, f"epoch-{rows[-1]['epoch']}", best)

    def finish(self) -> None:
        """Waits until everything is written.

        Raises:
          NotWritten: something could not be.
        """
        while self._unfinished:
            self._unfinished.pop(0).result()

    close = finish

    def _submit(self, work: Callable[..., None], *arguments: Any) -> None:
        self._unfinished.append(self._writer.submit(work, *arguments))

    def _write_step(self, step: int) -> None:
        with self._writing(f"step-{step}"):
            self._manager.save(checkpoint_number=step)

    def _write_best(self, last: str, best: set[str]) -> None:
        folder = Path(self._folder, "best")
        if last in best:
            with self._writing(f"best/{last}"):
                self._weights.write(str(folder / last))
        for file in folder.glob("epoch-*"):
            if file.name.split(".")[0] not in best:
                file.unlink()

    @contextlib.contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        """Removes what TensorFlow leaves of a checkpoint that it cannot write."""
        path = Path(self._folder, name)
        try:
            with drafts.naming(path):
                yield
        except NotWritten:
            shutil.rmtree(f"{path}_temp", ignore_errors=True)
            for file in path.parent.glob(f"{path.name}.*"):
                if str(path) not in self._manager.checkpoints:
                    file.unlink()
            raise
