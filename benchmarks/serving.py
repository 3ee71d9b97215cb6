"""What serving costs: signatures of an export beside the bare network.

    python benchmarks/serving.py --width=1

One run, in this process: the Keras model's own concrete function ("bare"), each
signature of its SavedModel, whose batch normalisation is folded into the convolutions,
and the network so folded without a signature around it. Times are medians; two or three
ways are measured by turns, so that whatever else the machine does meets all of them.
Peak memory is that of a process of its own, which loads the export and answers one
request. Weights are random unless --run_dir names a training: speed does not depend on
them.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf
from common import machine, print_table
from common import seconds as timed

from motionflow.compat import keras
from motionflow.labels.codebook import Codebook
from motionflow.models import blocks
from motionflow.models.network import build_model
from motionflow.models.run_dir import RunDir
from motionflow.serving import saved_model

BATCHES = (1, 8, 32)
SIDES = (200, 480)
_MEMORY = """
import re, sys
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
if int(sys.argv[2]):
    shape = [int(sys.argv[2]), 200, 200, 3]
    model.signatures["serving_default"](image=tf.zeros(shape, tf.uint8))
# The most that this process has held, on Linux; `ru_maxrss` knows the parent, too.
status = open("/proc/self/status").read()
print(int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 1024)
"""


def medians(ways: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Milliseconds a call; the ways take turns."""
    for call in ways.values():
        call(), call()
    times: dict[str, list[float]] = {name: [] for name in ways}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < 5:
        for name, call in ways.items():
            times[name].append(timed(call))
    return {name: 1000 * float(np.median(values)) for name, values in times.items()}


def make_models(
    args: argparse.Namespace,
) -> tuple[keras.Model, keras.Model, Codebook]:
    """Two networks of the same weights, and a codebook."""
    if args.run_dir:
        run_dir = RunDir.open(args.run_dir)
        return run_dir.load_model(), run_dir.load_model(), run_dir.codebook
    config = {"name": args.model, "num_clusters": 40, "grid_size": 20}
    mean_frame = np.full((200, 200, 3), 110, np.float32)
    models = [
        build_model(**config, width=args.width, mean_frame=mean_frame) for _ in range(2)
    ]
    models[1].set_weights(models[0].get_weights())
    return *models, Codebook(np.random.default_rng(0).normal(0, 3, (40, 2)))


def bare_function(model: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """The model's concrete function, frames to logits."""
    spec = tf.TensorSpec([None, *model.input_shape[1:]], tf.float32)
    return tf.function(
        lambda frames: model(frames, training=False)
    ).get_concrete_function(spec)


def requests(batch: int, side: int) -> dict[str, dict[str, tf.Tensor]]:
    """Inputs of the signatures."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (batch, 20, 20, 3), np.uint8)
    image = tf.cast(tf.image.resize(coarse, [side, side]), tf.uint8)
    numbers = dict.fromkeys(
        ("num_predictions", "frames_per_prediction"), tf.fill([batch], 5)
    )
    jpeg = tf.stack([tf.io.encode_jpeg(one) for one in image])
    return {
        "serving_default": {"image": image},
        "probabilities": {"image": image},
        "predict_bytes": {"image_bytes": jpeg},
        "rollout": {"image": image, **numbers},
    }


def print_costs(model: keras.Model, signatures: dict, seconds: float) -> None:
    """One request of one image: each signature beside the bare network."""
    bare = bare_function(model)
    frame = tf.cast(requests(1, 200)["serving_default"]["image"], tf.float32)
    rows, base = [], {"bare network": partial(bare, frame)}
    for side in SIDES:
        for name, inputs in requests(1, side).items():
            ways = base | {name: partial(signatures[name], **inputs)}
            found = medians(ways, seconds)
            ratio = found[name] / found["bare network"]
            values = [f"{value:.2f}" for value in found.values()]
            rows.append([f"{name}, {side}x{side}", *values, f"{ratio:.3f}"])
    head = ["one image", "bare network, ms", "signature, ms", "ratio"]
    print_table(head, rows)


def print_throughput(
    model: keras.Model, folded: keras.Model, signatures: dict, seconds: float
) -> None:
    """Images a second by batch, with batch normalisation folded or not."""
    rows = []
    bare, without = bare_function(model), bare_function(folded)
    for batch in BATCHES:
        image = requests(batch, 200)["serving_default"]["image"]
        frames = tf.cast(image, tf.float32)
        found = medians(
            {
                "signature": partial(signatures["serving_default"], image=image),
                "bare": partial(bare, frames),
                "folded": partial(without, frames),
            },
            seconds,
        )
        rows.append(
            [str(batch)] + [f"{1000 * batch / value:.1f}" for value in found.values()]
        )
    head = ["batch", "serving_default, images/s", "bare network", "norm. folded"]
    print_table(head, rows)


def print_memory(version: Path) -> None:
    """Peak memory of processes that answer one request."""
    rows = []
    for batch in (0, *BATCHES):
        command = [sys.executable, "-c", _MEMORY, str(version), str(batch)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        name = f"batch {batch}" if batch else "loaded only"
        rows.append([name, f"{float(done.stdout.splitlines()[-1]):,.0f}"])
    print_table(["peak memory", "MB"], rows)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run_dir", help="random weights if unset")
    parser.add_argument("--model", default="allconv")
    parser.add_argument("--width", default=1.0, type=float)
    parser.add_argument("--seconds", default=10.0, type=float, help="a comparison")
    args = parser.parse_args()
    model, folded, codebook = make_models(args)
    saved_model.fold(folded)
    name = args.run_dir or f"{args.model} of width {args.width}"
    print(
        f"{machine(TensorFlow=tf.__version__)}, {name}, "
        f"{blocks.count_parameters(model):,} weights",
        flush=True,
    )
    frames = tf.cast(requests(2, 200)["serving_default"]["image"], tf.float32)
    worst = tf.reduce_max(tf.abs(folded(frames) - model(frames)))
    with tempfile.TemporaryDirectory() as folder:
        version = Path(folder, "1")
        version.mkdir()
        saved_model.write(version, folded, model, codebook)
        exported = tf.saved_model.load(str(version))
        print_costs(model, exported.signatures, args.seconds)
        print_throughput(model, folded, exported.signatures, args.seconds)
        print(f"\nfolding changes the logits by {worst:.1e} at most")
        print_memory(version)


if __name__ == "__main__":
    main()
