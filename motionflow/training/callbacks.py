"""What happens after each step: the place moves on, and from time to time it is saved.

Signals that ask the process to end (SIGTERM from a scheduler, Ctrl-C) are answered
after the running step: the training is saved and the process ends.
"""

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from motionflow.compat import keras
from motionflow.errors import InputError, Stopped
from motionflow.training.progress import Progress


class StepKeeper(keras.callbacks.Callback):
    """Counts steps and their time, averages weights, saves.

    Args:
      progress: the place in the training; moved on.
      save: saves it.
      save_every: steps of an epoch between two saves; 0: never.
      after_step: called after each step.
      saves_alone: whether a signal to this process alone can be answered by saving:
        workers of a cluster save together or wait for each other for ever.
    """

    def __init__(
        self,
        progress: Progress,
        save: Callable[[], None],
        save_every: int,
        after_step: Callable[[], None],
        saves_alone: bool = True,
    ):
        super().__init__()
        self._progress, self._save = progress, save
        self._save_every, self._after_step = save_every, after_step
        self._saves_alone = saves_alone
        self._signal: int | None = None
        self._restored: list = []

    def restore_metrics(self, metrics: Sequence[keras.metrics.Metric]) -> None:
        """Notes what a checkpoint put into the metrics: `fit` begins with a reset."""
        self._restored = [
            (variable, variable.numpy())
            for metric in metrics
            for variable in metric.variables
        ]

    @contextlib.contextmanager
    def answering_signals(self) -> Iterator[None]:
        """Inside, SIGTERM and SIGINT are noted, and answered after a step."""
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may set handlers
            return

        def note(number: int, _: Any) -> None:
            self._signal = number
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C again: at once

        before = {s: signal.signal(s, note) for s in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the clock; an interrupted epoch's metrics go on."""
        for variable, value in self._restored:
            variable.assign(value)
        self._restored = []
        self._begin = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves the place on; saves where it is time."""
        if not math.isfinite(logs["loss"]):
            raise InputError(
                f"the loss is {logs['loss']} in epoch {self._progress.epoch + 1}, step "
                f"{self._progress.step + 1}, which is not saved: train with a lower "
                f"--learning_rate"
            )
        self._progress.step += 1
        self._after_step()
        now = time.monotonic()
        self._progress.seconds += now - self._begin
        self._begin = now
        if self._save_every and self._progress.step % self._save_every == 0:
            self._save()
        self._answer_signal()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Validation ends early where the process is asked to."""
        self._answer_signal()

    def _answer_signal(self) -> None:
        if self._signal is None:
            return
        if self._saves_alone:
            self._save()
        name, place = signal.Signals(self._signal).name, self._progress
        raise Stopped(
            self._signal,
            f"stopped by {name} after {place.epoch} epochs and {place.step} steps; "
            f"the same command goes on from the last checkpoint",
        )
