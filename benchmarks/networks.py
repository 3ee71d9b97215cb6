"""What each network costs: parameters, memory and time of training, of predicting.

    python benchmarks/networks.py [--batch_size=32 --width=0.25 --networks=allconv]

Each takes four training steps of random frames and predicts four times, in a process
of its own; the fastest counts. Beside the peak of its memory stand the bytes of one
copy of its logits. The loss is cross-entropy of class numbers: no one-hot labels, which
would be as large as the logits.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from motionflow.drawing.tables import markdown_table

NETWORKS = {
    "allconv": {},
    "alexnet": {},
    "convnext": {},
    "efficientnet": {},
    "dense 100": {"dense_size": 100},
    "dense 200": {"dense_size": 200},
    "sequence": {"sequence_length": 5},
    "dense_sequence 100": {"dense_size": 100, "sequence_length": 5},
}
NUM_CLUSTERS = 40


def step(name: str, batch_size: int, width: float) -> dict:
    """Trains and predicts: bytes at the peak, seconds of a step and of a prediction."""
    from motionflow.compat import keras
    from motionflow.labels.codebook import Codebook
    from motionflow.models import blocks
    from motionflow.models.building import build_model
    from motionflow.models.losses import LossOptions
    from motionflow.training.preparation import compile_model

    random, targets = np.random.default_rng(0), NETWORKS[name]
    model = build_model(
        name.split()[0],
        mean_frame=np.full((200, 200, 3), 127, np.float32),
        num_clusters=NUM_CLUSTERS,
        grid_size=20,
        width=width,
        dropout=0.3,
        **targets,
    )
    centers = random.normal(0, 3, (NUM_CLUSTERS, 2)).astype(np.float32)
    codebook = Codebook(centers, np.ones(NUM_CLUSTERS, np.int64))
    compile_model(model, keras.optimizers.Adam(), codebook, LossOptions())
    frames = random.integers(0, 256, (batch_size, 200, 200, 3), np.uint8)
    cells = model.output_shape[1:4]
    flow = random.normal(0, 3, (batch_size, *cells, 2))
    codes = random.integers(0, NUM_CLUSTERS, (batch_size, *cells, 1))
    packed = np.concatenate([codes, flow], axis=-1).astype(np.float32)
    training = _fastest(lambda: model.train_on_batch(frames, packed))
    return {
        "peak": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "training": training,
        "predicting": _fastest(lambda: model.predict_on_batch(frames)),
        "cells": int(np.prod(cells)),
        "parameters": blocks.count_parameters(model),
    }


def _fastest(function: Callable[[], object]) -> float:
    """Seconds of the fastest of three calls, after one that traces."""
    function()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Measures each network and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--network", choices=NETWORKS, help="Only this one, as JSON.")
    args = parser.parse_args()
    if args.network:
        print(json.dumps(step(args.network, args.batch_size, args.width)))
        return
    rows = []
    for name in args.networks.split(","):
        command = [sys.executable, __file__, f"--network={name}"]
        command += [f"--batch_size={args.batch_size}", f"--width={args.width}"]
        output = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(output.stdout.splitlines()[-1])
        logits = 4 * args.batch_size * found["cells"] * NUM_CLUSTERS
        rows.append(
            [
                name,
                f"{found['parameters']:,}",
                f"{found['cells']:,}",
                f"{logits / 1e6:,.0f}",
                f"{found['peak'] / 1e6:,.0f}",
                f"{args.batch_size / found['training']:.1f}",
                f"{args.batch_size / found['predicting']:.1f}",
            ]
        )
    print(f"Batches of {args.batch_size} frames, width {args.width:g}\n")
    head = ["network", "parameters", "cells", "logits, MB", "peak, MB"]
    head += ["images/s, training", "images/s, predicting"]
    print("\n".join(markdown_table(head, rows)))


if __name__ == "__main__":
    main()
