"""Images a second on one and on two replicas, with the same global batch.

    python benchmarks/scaling.py

Trains a few steps on noise, in processes of their own: on one device; on two logical
CPU devices (`mirrored`); and as two worker processes on this machine (`multi_worker`,
over loopback). Each replica gets `--threads` threads: with half of the cores, the
second replica is a second device; with all of them, one device is split. The fastest
epoch but the first counts.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from absl import app, flags
from noise_data import write_noise_data

from motionflow.drawing.tables import markdown_table
from motionflow.models.run_dir import RunDir
from motionflow.training.settings import Settings
from motionflow.training.trainer import train

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "allconv", "Network.")
flags.DEFINE_float("width", 0.25, "Of the network.")
flags.DEFINE_integer("batch_size", 32, "Images a step, all replicas together.")
flags.DEFINE_integer("num_steps", 8, "Steps of an epoch; three epochs are timed.")
flags.DEFINE_integer("threads", 1, "Threads of each replica.")
flags.DEFINE_string("strategy", None, "Internal: train one process, under this.")
flags.DEFINE_string("folder", None, "Internal: where its data and run lie.")


def train_here(strategy: str, folder: Path) -> None:
    """One process of a training."""
    num_devices = 2 if strategy == "mirrored" else 1
    tf.config.threading.set_intra_op_parallelism_threads(FLAGS.threads * num_devices)
    tf.config.threading.set_inter_op_parallelism_threads(FLAGS.threads * num_devices)
    if num_devices > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        devices = [tf.config.LogicalDeviceConfiguration()] * num_devices
        tf.config.set_logical_device_configuration(cpu, devices)
    train(
        Settings(
            data_dir=str(folder / "data"),
            run_dir=str(folder / strategy),
            strategy=strategy,
            model=FLAGS.model,
            width=FLAGS.width,
            batch_size=FLAGS.batch_size,
            epochs=3,
        )
    )


def rate(strategy: str, num_processes: int, folder: Path) -> float:
    """Images a second of a training in so many processes."""
    ports = [free_port() for _ in range(num_processes)]
    cluster = {"worker": [f"localhost:{port}" for port in ports]}
    processes = []
    for index in range(num_processes):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": cluster, "task": task})
        options = [f"--strategy={strategy}", f"--folder={folder}"]
        processes.append(
            subprocess.Popen(
                [sys.executable, *sys.argv, *options],
                env=os.environ | ({"TF_CONFIG": config} if num_processes > 1 else {}),
                stdout=subprocess.DEVNULL,
            )
        )
    for process in processes:
        if process.wait():
            raise SystemExit(f"{strategy} ended with exit code {process.returncode}")
    rows = RunDir(folder / strategy).read_history()
    return max(row["images_per_second"] for row in rows[1:])


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


def main(argv: Sequence[str]) -> None:
    """Runs the benchmark."""
    del argv
    if FLAGS.strategy:
        train_here(FLAGS.strategy, Path(FLAGS.folder))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_noise_data(folder / "data", FLAGS.batch_size * FLAGS.num_steps)
        runs = {"one_device": 1, "mirrored": 1, "multi_worker": 2}
        rates = {strategy: rate(strategy, n, folder) for strategy, n in runs.items()}
    rows = [
        [
            strategy,
            "1" if strategy == "one_device" else "2",
            f"{found:.1f}",
            f"{found / rates['one_device']:.2f}",
        ]
        for strategy, found in rates.items()
    ]
    head = ["strategy", "replicas", "images/s", "times one"]
    print(
        f"{FLAGS.model}, width {FLAGS.width:g}, global batch {FLAGS.batch_size}, "
        f"{FLAGS.threads} threads a replica\n"
    )
    print(*markdown_table(head, rows), sep="\n")


if __name__ == "__main__":
    app.run(main)
