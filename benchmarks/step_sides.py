"""The two sides of step.py: TensorFlow in this process, PyTorch in another.

    settings, data directory -> seconds
    a command and its arguments -> step_torch.py -> its answer

PyTorch may live in another environment than TensorFlow, and two frameworks in one
process would share threads and memory. Either process waits while the other one
computes; what that costs is counted.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir
from motionflow.errors import InputError
from motionflow.models import blocks
from motionflow.models.losses import cross_entropy
from motionflow.models.network import build_model
from motionflow.models.run_dir import RunDir
from motionflow.training import devices
from motionflow.training.optimizers import make_optimizer
from motionflow.training.settings import Settings
from motionflow.training.trainer import Trainer, make_schedule

NUM_PRODUCTS = 5
VECTOR_SIZE = 2**26
MATRIX_SIZE = 2048
SCRIPT = Path(__file__).with_name("step_torch.py")
_FIND = "import importlib.util, sys; sys.exit(not importlib.util.find_spec('torch'))"


class BareStep:
    """The network, its loss and its optimizer, without Keras' training around them.

    Args:
      settings: of the training that it is a part of.
      data: its data directory.
    """

    def __init__(self, settings: Settings, data: DataDir):
        devices.set_precision(settings.precision)
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
            mean = tf.reduce_mean(cross_entropy(codes, logits))
            loss = tf.add_n([mean, *self.model.losses])
        weights = self.model.trainable_variables
        gradients = tape.gradient(loss, weights)
        self._optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return mean

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
        kept apart. The checkpoint is written to its end before anybody has a turn,
        which a training does not wait for.
      stops: the same without that wait.
      input_share: of the steps' time, spent waiting for batches.
    """

    def __init__(self, settings: Settings):
        self._trainer = Trainer(settings)
        self._run_dir = RunDir(settings.run_dir)
        self.breaks: list[float] = []
        self.stops: list[float] = []

    def run(self, others: Callable[[], None]) -> None:
        """Trains to the end; calls `others` before each epoch's first step.

        The epoch's dataset has read nothing then: it cannot work ahead while others
        have their turn.
        """
        model, left_out, ended = self._trainer.model, [], time.perf_counter()
        step = model.make_train_function()

        def step_after_others(iterator):
            nonlocal ended
            is_first, stopped = self._trainer.progress.step == 0, time.perf_counter()
            if is_first:
                self._trainer.checkpoints.finish()
                written = time.perf_counter()
                others()
                turn = time.perf_counter() - stopped
            logs = step(iterator)
            if is_first:
                first_batch = model.input_clock.read()
                left_out.append(turn + first_batch)
                self.breaks.append(written - ended + first_batch)
                self.stops.append(stopped - ended + first_batch)
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


def product_seconds(precision: str) -> float:
    """The fastest product of two matrices of side MATRIX_SIZE in this precision."""
    dtype = tf.as_dtype(precision.removeprefix("mixed_"))
    return devices.product_seconds(dtype, MATRIX_SIZE)


def memory_rate() -> float:
    """Bytes a second of vectors that no cache holds: two are read, one is written."""
    total, more = (tf.Variable(tf.zeros([VECTOR_SIZE])) for _ in range(2))
    seconds = []
    for _ in range(NUM_PRODUCTS):
        begin = time.perf_counter()
        total.assign_add(more)
        seconds.append(time.perf_counter() - begin)
    return 3 * 4 * VECTOR_SIZE / min(seconds)


def has_torch(python: str) -> bool:
    """Whether this interpreter's environment has PyTorch."""
    return subprocess.run([python, "-c", _FIND], check=False).returncode == 0


class Peer:
    """A running step_torch.py, which lists the commands.

    Args:
      python: of an environment with PyTorch.
      num_threads: for the peer to compute with.
      **settings: the other arguments of `step_torch.Training`.

    Attributes:
      version: of PyTorch.
    """

    def __init__(self, python: str, num_threads: int, **settings):
        self._process = subprocess.Popen(
            [python, SCRIPT],
            env=os.environ | {"OMP_NUM_THREADS": str(num_threads)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._begin, self._busy = time.perf_counter(), 0.0
        self.version = self._exchange({"num_threads": num_threads, **settings})

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_) -> None:
        self._process.communicate()

    def ask(self, command: str, *arguments):
        """Sends a command, waits, and returns its answer.

        Raises:
          InputError: the process has ended; what it said is on standard error.
        """
        return self._exchange([command, *arguments])

    @property
    def waiting_share(self) -> float:
        """How busy the waiting process has been so far, in processors."""
        return self._busy / (time.perf_counter() - self._begin)

    def _exchange(self, message):
        before = time.process_time()
        line = ""
        if self._process.poll() is None:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise InputError(f"PyTorch's process has ended with code {code}, see above")
        busy, answer = json.loads(line)
        self._busy += busy + time.process_time() - before
        return answer


def compare_networks(
    model: keras.Model, peer: Peer, frames: np.ndarray, folder: Path
) -> float:
    """Gives PyTorch our weights, and says how far its logits are from ours.

    Args:
      model: ours.
      peer: PyTorch's.
      frames: uint8 [N, S, S, 3].
      folder: for files that both can read.

    Returns:
      the largest difference, relative to the largest logit.

    Raises:
      RuntimeError: the networks have different numbers of parameters.
    """
    weights = [weight for layer in model.layers for weight in layer.weights]
    values = [weight.numpy() for weight in weights if weight.dtype.is_floating]
    np.savez(folder / "weights.npz", *values)
    count = peer.ask("load", str(folder / "weights.npz"))
    if count != blocks.count_parameters(model):
        raise RuntimeError(f"PyTorch's network has {count:,} parameters")
    np.save(folder / "frames.npy", frames)
    peer.ask("predict", str(folder / "frames.npy"))
    ours, theirs = model(frames).numpy(), np.load(folder / "frames.npy")
    return np.abs(ours - theirs.reshape(ours.shape)).max() / np.abs(ours).max()
