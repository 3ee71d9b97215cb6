"""Some steps of a training, operation by operation.

    --profile_steps=FIRST,LAST -> R/logs/plugins/profile/<time>/<host>.xplane.pb

TensorBoard shows them in its tab PROFILE, a plugin with a package of its own
(tensorboard-plugin-profile).
"""

from pathlib import Path
from typing import Any

import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.training.progress import Progress


def profile_range(text: str) -> tuple[int, int]:
    """Reads "FIRST,LAST", steps of the run counted from 1.

    Raises:
      InputError: it says anything else.
    """
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
      steps_per_epoch: of the training.
    """

    def __init__(
        self,
        folder: str | Path,
        steps: tuple[int, int],
        progress: Progress,
        steps_per_epoch: int,
    ):
        super().__init__()
        self._folder, self._steps = str(folder), steps
        self._progress, self._steps_per_epoch = progress, steps_per_epoch
        self._is_running = False

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Starts before the first of the steps, stops before the one after the last."""
        progress, (first, last) = self._progress, self._steps
        step = progress.epoch * self._steps_per_epoch + progress.step + 1
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
