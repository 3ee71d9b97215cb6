"""What happens around each step: the place moves on, weights are averaged and saved.

Signals that ask the process to end (SIGTERM from a scheduler, Ctrl-C) are answered
after the running step: the training is saved and the process ends.

    --profile_steps=FIRST,LAST -> R/logs/plugins/profile/<time>/<host>.xplane.pb

TensorBoard shows profiles in its tab PROFILE, a plugin with a package of its own
(tensorboard-plugin-profile).
"""

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from motionflow.compat import graph, keras
from motionflow.errors import InputError, Stopped
from motionflow.training.checkpoints import Progress


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


class WeightAverage:
    """An exponential moving average of the weights, which predicts instead of them.

        average += (1 - decay) (weights - average)        after each step

    The last steps of a training scatter around where they tend to; their average is
    nearer to it (Polyak and Juditsky 1992). At the beginning the decay is smaller,
    (1 + n) / (10 + n) after n steps, as in TensorFlow's own average. Batch
    normalisation's statistics are averaged too, since they belong to the weights.

    Args:
      model: what is trained.
      average: a model of the same kind; takes the average.
      decay: of the average, below 1.
    """

    def __init__(self, model: keras.Model, average: keras.Model, decay: float):
        self._decay = decay
        for averaged, weight in zip(average.weights, model.weights, strict=True):
            averaged.assign(weight)
        # A frozen layer stays what it is.
        self._pairs = [
            pair
            for layers in zip(average.layers, model.layers, strict=True)
            if layers[1].trainable
            for pair in zip(*(layer.weights for layer in layers), strict=True)
        ]

    @graph
    def update(self, num_updates: tf.Tensor) -> None:
        """Follows the model by a step.

        Args:
          num_updates: int64 scalar, finished steps of the training, this one included.
        """
        num_updates = tf.cast(num_updates, tf.float32)
        decay = tf.minimum(self._decay, (1 + num_updates) / (10 + num_updates))
        for averaged, weight in self._pairs:
            if weight.dtype.is_floating:
                averaged.assign_add((1 - decay) * (weight - averaged))


def profile_range(text: str | None) -> tuple[int, int] | None:
    """Reads "FIRST,LAST", steps of the run counted from 1; None where none are wanted.

    Raises:
      InputError: it says anything else.
    """
    if text is None:
        return None
    try:
        first, last = map(int, text.split(","))
    except ValueError:
        first = last = 0
    if not 1 <= first <= last:
        raise InputError(
            f"--profile_steps={text} is no range of steps; expected FIRST,LAST, the "
            f"first step of a run being 1: --profile_steps=11,15"
        )
    return first, last


class Profiler(keras.callbacks.Callback):
    """Profiles some steps of `fit`.

    An epoch's end ends a profile; if it wants more steps, they get another one.

    Args:
      folder: R/logs.
      steps: first and last, from `profile_range`.
      progress: the place in the training.
    """

    def __init__(self, folder: str | Path, steps: tuple[int, int], progress: Progress):
        super().__init__()
        self._folder, self._steps, self._progress = str(folder), steps, progress
        self._is_running = False

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Starts before the first of the steps, stops before the one after the last."""
        (first, last), step = self._steps, self._progress.num_steps + 1
        if not self._is_running and first <= step <= last:
            tf.profiler.experimental.start(self._folder)
            self._is_running = True
        elif step > last:
            self._stop()

    def on_train_end(self, logs: Any = None) -> None:
        """The epoch is over: stops."""
        self._stop()

    def _stop(self) -> None:
        if self._is_running:
            tf.profiler.experimental.stop()
            self._is_running = False
