"""TensorFlow's side of step.py: the bare step, and a whole training in turns.

settings, data directory -> seconds
"""

import time
from collections.abc import Callable

import tensorflow as tf

from motionflow import runtime
from motionflow.data import pipeline, records
from motionflow.models import spatial_softmax
from motionflow.models.building import build_model
from motionflow.models.run_dir import RunDir
from motionflow.training.optimizers import make_optimizer
from motionflow.training.settings import Settings
from motionflow.training.trainer import Trainer, make_schedule

NUM_PRODUCTS = 5


class BareStep:
    """The network, its loss and its optimizer, without Keras' training around them.

    Args:
      settings: of the training that it is a part of.
      data: its data directory.
    """

    def __init__(self, settings: Settings, data: records.DataDir):
        runtime.set_precision(settings.precision)
        self.model = build_model(
            settings.model,
            mean_frame=data.mean_frame,
            num_clusters=data.codebook.num_clusters,
            grid_size=data.grid_size,
            width=settings.width,
            l2=settings.l2,
            dropout=settings.dropout,
        )
        steps = pipeline.steps_per_epoch(data, settings.batch_size)
        schedule = make_schedule(settings, steps)
        self._optimizer = make_optimizer(settings.optimizer, schedule)
        self._optimizer.build(self.model.trainable_variables)

    @tf.function
    def __call__(self, frames: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
        """Trains on frames [B, S, S, 3], codes [B, 1, g, g]; their cross-entropy."""
        with tf.GradientTape() as tape:
            logits = self.model(frames, training=True)
            cross_entropy = tf.reduce_mean(spatial_softmax.loss(codes, logits))
            loss = tf.add_n([cross_entropy, *self.model.losses])
        weights = self.model.trainable_variables
        gradients = tape.gradient(loss, weights)
        self._optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return cross_entropy

    def seconds(self, num_steps: int, frames: tf.Tensor, codes: tf.Tensor) -> float:
        """How long some steps take."""
        begin = time.perf_counter()
        for _ in range(num_steps):
            self(frames, codes).numpy()
        return time.perf_counter() - begin


class WholeTraining:
    """A training as its command runs it, that lets others have a turn in each epoch.

    Attributes:
      epochs: seconds of each epoch's steps, by history.csv, without the others' turns
        and the wait for the first batch.
      breaks: seconds between the steps of two epochs: checkpoint, history.csv, a new
        dataset and its first batch. An epoch here is a few steps only, so these are
        kept apart.
      input_share: of the steps' time, spent waiting for batches.
    """

    def __init__(self, settings: Settings):
        self._trainer = Trainer(settings)
        self._run_dir = RunDir(settings.run_dir)
        self.breaks: list[float] = []

    def run(self, others: Callable[[], None]) -> None:
        """Trains to the end; calls `others` before each epoch's first step.

        The epoch's dataset has read nothing then: it cannot work ahead while others
        have their turn.
        """
        model, left_out, ended = self._trainer.model, [], time.perf_counter()
        step = model.make_train_function()

        def step_after_others(iterator):
            nonlocal ended
            is_first, begin = self._trainer.progress.step == 0, time.perf_counter()
            if is_first:
                others()
                turn = time.perf_counter() - begin
            logs = step(iterator)
            if is_first:
                first_batch = model.input_clock.read()
                left_out.append(turn + first_batch)
                self.breaks.append(begin - ended + first_batch)
            ended = time.perf_counter()
            return logs

        model.train_function = step_after_others
        self._trainer.run()
        rows = self._run_dir.read_history()
        self.epochs = [
            row["seconds"] - seconds
            for row, seconds in zip(rows, left_out, strict=True)
        ]
        waited = sum(row["input_share"] * row["seconds"] for row in rows[1:])
        self.input_share = waited / sum(self.epochs[1:])


def product_seconds(size: int, precision: str) -> float:
    """The fastest of some products of square matrices."""
    dtype = tf.bfloat16 if precision == "mixed_bfloat16" else tf.float32
    left, right = tf.unstack(tf.cast(tf.random.normal([2, size, size]), dtype))
    seconds = []
    for _ in range(NUM_PRODUCTS):
        begin = time.perf_counter()
        tf.linalg.matmul(left, right)
        seconds.append(time.perf_counter() - begin)
    return min(seconds)
