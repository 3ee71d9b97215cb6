"""How fast training batches come, beside the bare limit.

    python benchmarks/input.py

The limit is reading the same records and decoding their frames on all cores, and
nothing else: no order, no labels, no batches. The whole pipeline is `training_batches`,
as `fit` gets it: shuffled, with targets, in batches; plain, mirrored (what the recipes
do), and with everything (mirror, crop and rescale, brightness). Frames are blurred
noise of the size of real ones. One row an encoding; the limit and the pipelines
alternate, and the fastest round of each counts.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from common import machine, print_table, seconds
from noise_data import write_noise_data

from motionflow.data import pipeline, records
from motionflow.data.augmentation import Augmentation
from motionflow.data.data_dir import DataDir

PIPELINES = {
    "plain": Augmentation(),
    "mirrored": Augmentation(mirror=True),
    "everything": Augmentation(mirror=True, min_crop=0.8, brightness=0.2),
}


def bare(data: DataDir) -> tf.data.Dataset:
    """Reads and decodes, on all cores."""
    spec = {"frame": tf.io.FixedLenFeature([], tf.string)}

    def decode(record: tf.Tensor) -> tf.Tensor:
        encoded = tf.io.parse_single_example(record, spec)["frame"]
        return records.decode_frame(
            encoded, data.labels.frame_encoding, data.frame_size
        )

    names = tf.data.TFRecordDataset(
        data.shards("train"), num_parallel_reads=tf.data.AUTOTUNE
    )
    return names.map(decode, num_parallel_calls=tf.data.AUTOTUNE).prefetch(
        tf.data.AUTOTUNE
    )


def drain(make: Callable[[], tf.data.Dataset]) -> None:
    """Goes through a dataset once."""
    for _ in make():
        pass


def measure(data: DataDir, batch_size: int, num_rounds: int) -> list[str]:
    """Images a second of the limit and of each pipeline, and their shares of it."""

    def batches(augmentation: Augmentation) -> tf.data.Dataset:
        return pipeline.training_batches(data, batch_size, 0, 0, augmentation)

    num_samples = data.num_samples("train")
    makers = {"limit": (num_samples, lambda: bare(data))}
    for name, augmentation in PIPELINES.items():
        num_used = num_samples // batch_size * batch_size
        makers[name] = num_used, lambda augmentation=augmentation: batches(augmentation)
    fastest = dict.fromkeys(makers, float("inf"))
    for _ in range(num_rounds):
        for name, (_, make) in makers.items():
            fastest[name] = min(fastest[name], seconds(drain, make))
    rates = {name: count / fastest[name] for name, (count, _) in makers.items()}
    cells = [f"{rates['limit']:,.0f}"]
    for name in PIPELINES:
        cells.append(f"{rates[name]:,.0f} ({rates[name] / rates['limit']:.2f})")
    return cells


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encodings", default="png,jpeg,raw", help="of frames")
    parser.add_argument("--num_samples", type=int, default=4000)
    parser.add_argument("--batch_size", type=int, default=125)
    parser.add_argument("--num_rounds", type=int, default=5, help="turns of each")
    args = parser.parse_args()
    rows = []
    for encoding in args.encodings.split(","):
        with tempfile.TemporaryDirectory() as folder:
            data = write_noise_data(Path(folder) / "data", args.num_samples, encoding)
            cells = measure(data, args.batch_size, args.num_rounds)
            rows.append([encoding, *cells])
    print(machine(TensorFlow=tf.__version__))
    print_table(["images/s (of limit)", "limit", *PIPELINES], rows)


if __name__ == "__main__":
    main()
