"""How fast training batches come, beside the bare limit, and what changing them costs.

    python benchmarks/input.py

The limit is reading the same records and decoding their frames on all cores, and
nothing else: no order, no labels, no batches. Read is `pipeline.training_batches`, as
`fit` gets it: shuffled, with targets, in batches; whatever is done to the images is
done in the training step. The other columns do that, too, but train nothing: plain,
mirrored (what the recipes do), and everything (mirror, crop and rescale, colours).
Frames are blurred noise of the size of real ones. One row an encoding; all alternate,
and the fastest round of each counts.

The second table is the training step of networks on a batch in memory, plain and with
everything, beside these changes alone.
"""

import argparse
import functools
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from common import machine, print_table, seconds
from noise_data import write_noise_data

from motionflow.compat import graph
from motionflow.data import finishing, pipeline, records
from motionflow.data.augmentation import Augmentation
from motionflow.data.data_dir import DataDir
from motionflow.models.network import target_view
from motionflow.training.preparation import make_model, make_schedule
from motionflow.training.settings import Settings

CHANGES = {
    "plain": Augmentation(),
    "mirrored": Augmentation(mirror=True),
    "everything": Augmentation(True, 0.8, 0.2, 0.2, 0.2),
}
# As their recipes have them, as far as it matters for speed.
NETWORKS = {
    "allconv": {"l2": 1e-5, "dropout": 0.3},
    "alexnet": {"dropout": 0.5},
    "guided": {"freeze_trunk": True, "optimizer": "adamw"},
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


def drain(make: Callable[[], Iterable], use: Callable = lambda batch: None) -> None:
    """Goes through a dataset once."""
    for batch in make():
        use(batch)


def finisher(data: DataDir, changes: Augmentation) -> Callable:
    """What a training step begins with, as a graph."""
    return graph(functools.partial(finishing.finish, data, changes))


def measure(data: DataDir, batch_size: int, num_rounds: int) -> list[str]:
    """Images a second of the limit and of the pipeline, and its shares of the limit."""

    def batches() -> tf.data.Dataset:
        return pipeline.training_batches(data, batch_size, 0)

    num_samples = data.num_samples("train")
    num_used = num_samples // batch_size * batch_size
    turns = {
        "limit": (num_samples, functools.partial(drain, lambda: bare(data))),
        "read": (num_used, functools.partial(drain, batches)),
    }
    for name, changes in CHANGES.items():
        use = finisher(data, changes)
        turns[name] = num_used, functools.partial(drain, batches, use)
    fastest = dict.fromkeys(turns, float("inf"))
    for _ in range(num_rounds):
        for name, (_, turn) in turns.items():
            fastest[name] = min(fastest[name], seconds(turn))
    rates = {name: count / fastest[name] for name, (count, _) in turns.items()}
    limit = rates.pop("limit")
    return [f"{limit:,.0f}", *(f"{x:,.0f} ({x / limit:.2f})" for x in rates.values())]


def measure_step(name: str, data: DataDir, batch_size: int, num_rounds: int) -> list:
    """Milliseconds an image: the changes alone, a step without and with them."""
    settings = Settings(
        data_dir=str(data.path),
        run_dir="",
        model=name,
        batch_size=batch_size,
        epochs=1,
        **NETWORKS[name],
    )
    data = target_view(name, data)
    model = make_model(settings, data, make_schedule(settings, 1))
    tells = model.takes_known
    batch = next(iter(pipeline.training_batches(data, batch_size, 0, tells=tells)))
    turns = {"changes": finisher(data, CHANGES["everything"])}
    for kind in ("plain", "everything"):
        turns[kind] = step(
            model, functools.partial(finishing.finish, data, CHANGES[kind])
        )
    fastest = dict.fromkeys(turns, float("inf"))
    for turn in turns.values():
        turn(batch)  # traces
    for _ in range(num_rounds):
        for kind, turn in turns.items():
            fastest[kind] = min(fastest[kind], seconds(turn, batch))
    changes, plain, everything = (1e3 * x / batch_size for x in fastest.values())
    times = [f"{x:.2f}" for x in (changes, plain, everything)]
    return [*times, f"{changes / plain:.1%}", f"{everything / plain - 1:.1%}"]


def step(model: tf.Module, finish: Callable) -> Callable:
    """A training step that begins with `finish`."""

    def train(batch: dict) -> dict:
        model.finish = finish
        return model.train_step(batch)

    return graph(train)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = "png,jpeg,jpeg 90,raw"
    parser.add_argument("--encodings", default=kinds, help="of frames, and quality")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="their steps")
    parser.add_argument("--num_samples", type=int, default=4000)
    parser.add_argument("--batch_size", type=int, default=125)
    parser.add_argument("--num_rounds", type=int, default=5, help="turns of each")
    parser.add_argument("--step_batch", type=int, default=32, help="images a step")
    args = parser.parse_args()
    print(machine(TensorFlow=tf.__version__))
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for kind in filter(None, args.encodings.split(",")):
            encoding, *quality = kind.split()
            folder = Path(name, kind)
            data = write_noise_data(
                folder, args.num_samples, encoding, 0, *map(int, quality)
            )
            size = sum(
                shard["bytes"] for shard in data.manifest["splits"]["train"]["shards"]
            )
            cells = measure(data, args.batch_size, args.num_rounds)
            rows.append([kind, f"{size / args.num_samples / 1e3:.0f}", *cells])
        head = ["images/s (of limit)", "kB", "limit", "read", *CHANGES]
        print_table(head, rows)
        data = write_noise_data(Path(name, "step"), args.step_batch, "raw")
        rows = [
            [network, *measure_step(network, data, args.step_batch, args.num_rounds)]
            for network in filter(None, args.networks.split(","))
        ]
    head = ["ms an image", "changes", "plain step", "with all", "share", "slower by"]
    print_table(head, rows)


if __name__ == "__main__":
    main()
