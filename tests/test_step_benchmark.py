"""The benchmark of a training step: it counts, compares and divides right.

What needs PyTorch is skipped without it; TORCH_PYTHON names the Python of another
environment that has it.
"""

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import step_sides
from benchmarks.noise_data import write_noise_data
from benchmarks.step_results import (
    BARE,
    COMPILED,
    EAGER,
    TRAINING,
    Results,
    forward_flops,
    training_flops,
)
from benchmarks.step_sides import BareStep, Peer, compare_networks, has_torch
from motionflow.compat import keras
from motionflow.models.network import build_model
from motionflow.models.run_dir import RunDir
from motionflow.training.settings import Settings
from tests.test_benchmarks import cells

pytestmark = pytest.mark.benchmark

ROOT = Path(__file__).parent.parent
TORCH_PYTHON = os.environ.get("TORCH_PYTHON", sys.executable)
# Output side, side of the window, channels in and out; fully connected: 1, 1, in, out.
ALLCONV = [
    (50, 7, 3, 96),
    (25, 3, 96, 128),
    (22, 4, 128, 256),
    (22, 3, 256, 256),
    (20, 3, 256, 512),
    (20, 3, 512, 512),
    (20, 3, 512, 512),
    (20, 1, 512, 40),
]
ALEXNET = [
    (49, 11, 3, 96),
    (24, 5, 96, 256),
    (11, 3, 256, 384),
    (11, 3, 384, 384),
    (11, 3, 384, 256),
    (1, 1, 6400, 4096),
    (1, 1, 4096, 4096),
    (1, 1, 4096, 16000),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_noise_data(tmp_path_factory.mktemp("noise") / "data", 4)


def settings(data, **changes):
    values = {"width": 0.05, "batch_size": 2, "epochs": 3}
    return Settings(data_dir=str(data.path), **values | changes)


def test_operations_by_hand():
    frames = keras.Input((4, 4, 2))
    x = keras.layers.Conv2D(5, 3)(frames)  # 2x2 outputs of 5, windows of 3x3x2
    x = keras.layers.Dense(7)(keras.layers.Flatten()(x))
    model = keras.Model(frames, x)
    assert forward_flops(model) == [2 * 4 * 5 * 18, 2 * 20 * 7]
    # Output, kernel's and input's gradient of the second; no input's of the first.
    assert training_flops(model) == 2 * 720 + 3 * 280


@pytest.mark.parametrize(
    "name,rows,gigaflops", [("allconv", ALLCONV, 18.00), ("alexnet", ALEXNET, 5.36)]
)
def test_operations_of_the_tables(name, rows, gigaflops):
    # In a graph the weights are declared but not filled.
    with tf.Graph().as_default():
        model = build_model(
            name,
            mean_frame=np.zeros((200, 200, 3), np.float32),
            num_clusters=40,
            grid_size=20,
        )
        assert forward_flops(model) == [
            2 * side**2 * window**2 * depth * filters
            for side, window, depth, filters in rows
        ]
        assert training_flops(model) / 1e9 == pytest.approx(gigaflops, abs=0.005)


def test_results_by_hand():
    results = Results(
        batch_size=10,
        num_steps=2,
        flops=4e9,
        turns={BARE: [1.2, 1.0], EAGER: [2.0, 2.4], COMPILED: [1.5, 1.6]},
        epochs=[1.1, 1.04],
        breaks=[2.0, 1.0],
        stops=[0.2, 0.3],
        checkpoint_steps=100,
        products={"TensorFlow": [90e9, 100e9], "PyTorch": [80e9, 70e9]},
        num_weights=50_000_000,
        memory_rate=28e9,
    )
    # 0.5 s a bare step; 0.52 s and a hundredth of a second in training.
    assert results.overhead == pytest.approx(0.06)
    lines = "\n".join(results.lines())
    # 0.4 s of products, and 1.4 GB in 0.05 s.
    assert "Floor 0.450 s a step, with 1.40 GB at 28.0 GB/s" in lines
    assert "Peak 100.0 GFLOP/s (TensorFlow 100.0, PyTorch 80.0)" in lines
    assert cells(lines, BARE) == [
        "0.500",
        "20.00",
        "80.0%",
        "90.0%",
        "1.50",
    ]
    assert cells(lines, TRAINING)[0] == "0.530"
    assert cells(lines, EAGER)[-1] == "0.75"
    assert cells(lines, COMPILED)[-1] == "1.00"
    assert "costs 6.0% on top of the bare step, checkpoints 2.0% of" in lines
    assert "1.00 s in all, 0.20 s without" in lines


class SleepingTrainer:
    """Stands for a trainer: 2 epochs of 3 steps of 0.1 s and 0.2 s between them.

    It waits 0.2 s for the first batch of an epoch, 0.05 s for each of the others. A
    checkpoint is written 0.3 s after it was taken.
    """

    def __init__(self, chosen):
        self.run_dir, self.model, self.waited = RunDir(chosen.run_dir), self, 0.0
        self.input_clock = self.progress = self.checkpoints = self
        self.step = 0

    def make_train_function(self):
        return self.take_step

    def take_step(self, iterator):
        wait = 0.05 if self.step else 0.2
        self.waited += wait
        time.sleep(0.1 + wait)

    def finish(self):
        time.sleep(0.3)

    def read(self):
        waited, self.waited = self.waited, 0.0
        return waited

    def run(self):
        rows = []
        for epoch in range(2):
            begin = time.monotonic()
            for self.step in range(3):
                self.train_function(None)
            seconds = time.monotonic() - begin
            row = {"epoch": epoch + 1, "seconds": seconds}
            rows.append({**row, "input_share": self.read() / seconds})
            self.step = 0
            time.sleep(0.2)
        self.run_dir.write_history(rows)


def test_neither_others_turns_nor_the_first_batch_are_steps(monkeypatch, tmp_path):
    monkeypatch.setattr(step_sides, "Trainer", SleepingTrainer)
    training = step_sides.WholeTraining(Settings(run_dir=str(tmp_path)))
    training.run(lambda: time.sleep(0.5))
    # Three steps of 0.1 s, and two waits of 0.05 s.
    assert training.epochs == pytest.approx([0.4, 0.4], abs=0.1)
    assert training.breaks[1] == pytest.approx(0.2 + 0.3 + 0.2, abs=0.1)
    assert training.stops[1] == pytest.approx(0.2 + 0.2, abs=0.1)
    assert training.input_share == pytest.approx(0.1 / 0.4, rel=0.3)


def test_without_pytorch():
    flags = ["--model=allconv", "--width=0.05", "--batch_size=2", "--num_steps=2"]
    flags += ["--num_rounds=1", "--num_threads=1", "--torch_python=false"]
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "step.py", *flags],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "PyTorch left out: false has none" in done.stdout
    assert "0.06 GFLOP an image and step" in done.stdout
    seconds, images, *fractions, ratio = cells(done.stdout, BARE)
    assert float(images) == pytest.approx(2 / float(seconds), rel=0.1)
    peak, floor = (float(fraction.rstrip("%")) for fraction in fractions)
    assert ratio == "-" and 0 < peak < floor < 100
    assert cells(done.stdout, TRAINING)


@pytest.mark.skipif(not has_torch(TORCH_PYTHON), reason="no PyTorch, see the module")
@pytest.mark.parametrize("name", ["allconv", "alexnet"])
def test_pytorchs_network_is_ours(name, data, tmp_path):
    # Without dropout training leaves nothing to chance; with much L2 it is seen.
    chosen = settings(data, model=name, dropout=0.0, l2=100.0, learning_rate=3e-3)
    bare = BareStep(chosen, data)
    random = np.random.default_rng(0)
    for weight in bare.model.weights:
        if weight.dtype.is_floating and "mean_frame" not in weight.name:
            weight.assign_add(random.uniform(0, 0.1, weight.shape))
    frames = random.integers(0, 256, (2, 200, 200, 3), np.uint8)
    codes = random.integers(0, 40, (2, 400)).astype(np.int32)
    np.savez(tmp_path / "batch.npz", frames=frames, codes=codes)
    options = {"l2": chosen.l2, "learning_rate": chosen.learning_rate}
    options |= {"dropout": 0.0, "precision": "float32", "num_clusters": 40}
    with Peer(TORCH_PYTHON, 1, name=name, width=chosen.width, **options) as peer:
        assert compare_networks(bare.model, peer, frames, tmp_path) < 1e-4
        peer.ask("batch", str(tmp_path / "batch.npz"))
        theirs = [peer.ask("eager", 1)[1] for _ in range(6)]
        assert peer.ask("multiply", 64) > 0
    ours = [float(bare(frames, codes)) for _ in range(6)]
    assert ours[-1] < 0.99 * ours[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)


def test_operations_of_a_head(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    frozen_trunk = importlib.import_module("frozen_trunk")
    frames = keras.Input((2, 2, 1))
    x = keras.layers.Conv2D(3, 1, name="trunk_stem")(frames)
    x = keras.layers.Conv2D(4, 1, name="look_in")(x)
    x = keras.layers.Conv2D(5, 3, padding="same", name="look1")(x)
    model = keras.Model(frames, x)
    model.grid_size = 2
    # Four cells: 3 * 4 products, twice; 9 * 4 * 5 products, three times; each is two.
    assert frozen_trunk.head_flops(model) == 2 * 4 * (2 * 12 + 3 * 180)
