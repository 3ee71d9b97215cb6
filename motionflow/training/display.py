"""What the terminal shows of a training.

    steps  -> a bar on standard error, if that is a terminal
    epochs -> a table on standard output, training beside validation

top-k, recall and input are percentages, EPE is in pixels; "input" is the share of the
time that steps waited for their images.
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from motionflow.compat import keras
from motionflow.data.data_dir import DataDir
from motionflow.models.run_dir import STUCK_SHARE
from motionflow.training.checkpoints import Progress
from motionflow.training.settings import Settings

_SECONDS_BETWEEN = 0.5
# Name in history.csv, title, factor, width and decimals.
_METRICS = (
    ("loss", "loss", 1, 7, 1),
    ("top1", "top-1 %", 100, 5, 1),
    ("top5", "top-5 %", 100, 5, 1),
    ("top10", "top-10 %", 100, 5, 1),
    ("mean_recall", "recall %", 100, 5, 1),
    ("epe", "EPE", 1, 5, 2),
    ("epe_nz", "EPE-nz", 1, 5, 2),
)
_REST = "{:>8} {:>8} {:>6} {:>8}"


def summary(
    settings: Settings,
    data: DataDir,
    progress: Progress,
    num_parameters: int,
    num_replicas: int,
) -> str:
    """Four lines on what is trained, from what, how and where."""
    num_train, num_validation = map(data.num_samples, ("train", "validation"))
    validation = f"{num_validation:,} validation samples"
    if not num_validation:
        validation = "NO validation samples: training without validation"
    begin = f"epochs {progress.epoch + 1} to {settings.epochs}"
    if progress.step:
        begin += f" (from step {progress.step + 1})"
    return (
        f"model     {settings.model}, width {settings.width:g}, "
        f"{num_parameters:,} parameters\n"
        f"data      {data.path}: {num_train:,} training and {validation}, "
        f"{data.grid_size}x{data.grid_size} cells, "
        f"{data.codebook.num_clusters} motions\n"
        f"training  {begin}, {progress.steps_per_epoch:,} steps of "
        f"{settings.batch_size} images\n"
        f"device    {settings.strategy} of {num_replicas}, {settings.precision}, "
        f"TensorFlow {tf.__version__}"
    )


def table_head(epochs: int) -> str:
    """Two lines to stand above `table_row`; `epochs` are all of the training."""
    width = len(_epoch(epochs, epochs))
    titles = [f"{title:^{2 * size + 1}}" for _, title, _, size, _ in _METRICS]
    kinds = [f"{'train':>{size}} {'val':>{size}}" for *_, size, _ in _METRICS]
    rest = _REST.format("rate", "images/s", "input", "seconds")
    first = "  ".join([f"{'epoch':<{width}}", *titles, rest])
    return f"{first}\n{'  '.join([' ' * width, *kinds])}"


def table_row(row: Mapping[str, float], epochs: int) -> str:
    """One finished epoch in one line.

    Args:
      row: of history.csv; without validation samples it has no "val_" keys.
      epochs: all of the training.
    """
    pairs = []
    for name, _, factor, size, decimals in _METRICS:
        values = (row.get(key, None) for key in (name, f"val_{name}"))
        texts = ("-" if v is None else f"{factor * v:.{decimals}f}" for v in values)
        pairs.append(" ".join(f"{text:>{size}}" for text in texts))
    rest = _REST.format(
        f"{row['learning_rate']:.2g}",
        f"{row['images_per_second']:,.0f}",
        f"{row['input_share']:.0%}",
        f"{row['seconds']:,.1f}",
    )
    return "  ".join([_epoch(row["epoch"], epochs), *pairs, rest])


def _epoch(epoch: float, epochs: int) -> str:
    return f"{epoch:>{max(3, len(str(epochs)))}}/{epochs}"


class ProgressBar(keras.callbacks.Callback):
    """A bar for each epoch's training and one for its validation.

    Stands after `StepKeeper` among the callbacks, which moves `progress` on.

    Args:
      progress: the place in the training.
      is_chief: whether this process shows it, if it has a terminal.
    """

    def __init__(self, progress: Progress, is_chief: bool = True):
        super().__init__()
        self._progress, self._is_chief = progress, is_chief
        self._bar: Any = None  # a tqdm, which has no types

    def close(self) -> None:
        """Removes the bar, so that a message gets a line of its own."""
        if self._bar is not None:
            self._bar.close()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begins where the epoch was interrupted."""
        self._open("", self._progress.steps_per_epoch, self._progress.step)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves on, twice a second."""
        if self._is_due():
            self._bar.set_postfix_str(self._numbers(logs), refresh=False)
            self._bar.update(self._progress.step - self._bar.n)

    def on_train_end(self, logs: Any = None) -> None:
        """Removes the bar."""
        self.close()

    def on_test_begin(self, logs: Any = None) -> None:
        """Nobody knows how many batches there are: a bar without an end."""
        self._open(", validation", None, 0)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves on, twice a second."""
        if self._is_due():
            self._bar.update(batch + 1 - self._bar.n)

    def on_test_end(self, logs: Any = None) -> None:
        """Removes the bar."""
        self.close()

    def _open(self, what: str, total: int | None, first: int) -> None:
        epoch = f"epoch {self._progress.epoch + 1}/{self._progress.epochs}"
        self._bar = tqdm(
            desc=epoch + what,
            total=total,
            initial=first,
            unit="step",
            # None: where standard error is no terminal.
            disable=None if self._is_chief else True,
            leave=False,
            dynamic_ncols=True,
            mininterval=0,
            bar_format=None
            if total is None
            else "{desc} {percentage:3.0f}%|{bar:10}| {n_fmt}/{total_fmt} "
            "[{elapsed}<{remaining}{postfix}]",
        )
        self._next = 0.0

    def _is_due(self) -> bool:
        now = time.monotonic()
        if self._bar.disable or now < self._next:
            return False
        self._next = now + _SECONDS_BETWEEN
        return True

    def _numbers(self, logs: Mapping[str, float]) -> str:
        progress = self._progress
        progress.input_seconds += self.model.input_clock.read()
        rate = progress.step * progress.batch_size / progress.seconds
        metrics = [
            f"{title.removesuffix(' %')} {factor * logs[name]:.{decimals}f}"
            for name, title, factor, _, decimals in _METRICS
        ]
        learning_rate = float(self.model.optimizer.learning_rate.numpy())
        share = progress.input_seconds / progress.seconds
        return " ".join(
            [
                f"{rate:,.0f} images/s",
                *metrics,
                f"rate {learning_rate:.2g}",
                f"input {share:.0%}",
            ]
        )


def stuck_warning(confusion: np.ndarray, still: int, epoch: float) -> str | None:
    """Says so if a network predicts next to nothing but the most frequent code.

    A training may begin so and stay there: "an aggressive learning rate that broke
    through the initial phase of predicting the most frequent cluster" was instrumental
    (report, section 4).

    Args:
      confusion: [K, K], cells by true and predicted code.
      still: the code of no motion.
      epoch: the finished one, from 1.

    Returns:
      What is wrong and what to try, or None.
    """
    true, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    code = int(true.argmax())
    if true[code] == true.sum() or predicted[code] < STUCK_SHARE * true.sum():
        return None
    meaning = " (still)" if code == still else ""
    return (
        f"warning: after epoch {epoch} the network predicts code {code}{meaning} in "
        f"{predicted[code] / true.sum():.2%} of the cells, the most frequent one with "
        f"{true[code] / true.sum():.0%}: it has not learned to tell motions apart. If "
        f"this goes on, try a higher --learning_rate, as the report did (section 4), "
        f"--class_weights=smoothed, or more epochs"
    )
