"""Stops trainings and goes on with them: which networks reach the same weights?

    python -m tests.exact_resume [--networks=allconv,dense] [--times=50] [--busy=2]

Each network is trained once without a pause; then, `times` times, it is stopped after a
random step and goes on. Before each of the two parts some layers are built that have
nothing to do with it, as other work in the process would. `busy` processes keep the
processors from being idle meanwhile. Prints a line for each network, and for each run
that differs what differs first; exit code 1 if any does.
"""

import argparse
import contextlib
import io
import multiprocessing
import os
import random
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from motionflow.compat import keras
from motionflow.models import network_names
from motionflow.models.run_dir import RunDir
from motionflow.training.trainer import Trainer
from tests import tiny_run

# What makes each epoch's stream and loss depend on the place in the training.
OPTIONS = {"ema_decay": 0.9, "class_weights": "smoothed", "min_crop": 0.8}
OPTIONS |= {"brightness": 0.2, "learning_rate_schedule": "cosine"}
TIMED = ("seconds", "images_per_second", "input_share")
EPOCHS, STEPS = 2, 3
STEP_NETWORKS = ("dense", "sequence", "dense_sequence")


class Stopped(BaseException):
    """As a kill, it asks nobody."""


def train(settings, stop_after=None):
    """Trains; stopped after so many steps, if given."""
    trainer = Trainer(settings)
    save = trainer._save

    def save_and_stop():
        save()
        done = trainer.progress.epoch * STEPS + trainer.progress.step
        if done == stop_after:
            raise Stopped

    trainer._save = save_and_stop
    silent = io.StringIO()
    with (
        contextlib.redirect_stdout(silent),
        contextlib.redirect_stderr(silent),
        contextlib.suppress(Stopped),
    ):
        trainer.run()


def differences(one, other):
    """Names of the weights and numbers, but for times, that differ in two runs."""
    found = []
    for run in map(RunDir, (one, other)):
        weights = run.load_model().weights
        left = {f"{i}: {w.name}": w.numpy().tobytes() for i, w in enumerate(weights)}
        for row in run.read_history():
            numbers = {k: v for k, v in row.items() if k not in TIMED}
            left |= {f"{name}, epoch {row['epoch']}": v for name, v in numbers.items()}
        found.append(left)
    first, second = found
    return [n for n in first | second if first.get(n) != second.get(n)]


def build_something(draw):
    """Moves Keras' count of each kind of layer on."""
    kinds = keras.layers
    for kind in (kinds.ReLU, kinds.BatchNormalization, kinds.Flatten):
        for _ in range(draw.randrange(120)):
            kind()
    for kind in (kinds.Conv2D, kinds.Conv2DTranspose):
        for _ in range(draw.randrange(120)):
            kind(1, 1)


def count_differences(network, times, folder):
    """Runs of a network that differ from the one without a pause."""
    steps = network in STEP_NETWORKS
    size = {"frame_size": 40, "grid_size": 4} if network == "convnext" else {}
    data = tiny_run.write_data(folder / "data", steps=steps, **size)

    def settings(name):
        own = {"model": network, "checkpoint_steps": 1, "epochs": EPOCHS}
        return tiny_run.settings(data, folder / name, **OPTIONS, **own)

    train(settings("straight"))
    num_different = 0
    for i in range(times):
        draw = random.Random(i)
        for stop_after in (draw.randrange(1, EPOCHS * STEPS), None):
            build_something(draw)
            train(settings(str(i)), stop_after)
        if different := differences(folder / "straight", folder / str(i)):
            num_different += 1
            print(f"{network}, run {i}: {len(different)} differ: {different[:5]}")
    return num_different


def be_busy():
    while True:
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", default=",".join(network_names()))
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--busy", type=int, default=2)
    options = parser.parse_args()
    tf.get_logger().setLevel("ERROR")  # it warns of functions that are traced again
    spawn, total = multiprocessing.get_context("spawn"), 0
    busy = [spawn.Process(target=be_busy, daemon=True) for _ in range(options.busy)]
    for process in busy:
        process.start()
    for network in options.networks.split(","):
        with tempfile.TemporaryDirectory() as folder:
            found = count_differences(network, options.times, Path(folder))
        print(f"{network}: {found} of {options.times} runs differ", flush=True)
        total += found
    for process in busy:
        process.kill()
    sys.exit(total > 0)


if __name__ == "__main__":
    main()
