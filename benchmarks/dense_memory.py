"""Peak memory of training the dense networks, and what their logits take of it.

    python benchmarks/dense_memory.py [--batch_size=32 --width=0.25]

Each network takes two training steps of random frames in a process of its own. The loss
is cross-entropy of class numbers: no one-hot labels, which would be as large as the
logits. Beside each peak stand the bytes of one copy of its logits.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

from motionflow.tables import markdown_table

NETWORKS = {
    "allconv": {},
    "dense 100": {"dense_size": 100},
    "dense 200": {"dense_size": 200},
    "sequence": {"sequence_length": 5},
    "dense_sequence 100": {"dense_size": 100, "sequence_length": 5},
}
NUM_CLUSTERS = 40


def step(name: str, batch_size: int, width: float) -> dict:
    """Trains two steps; peak memory in bytes, seconds of the second step."""
    from motionflow.compat import keras
    from motionflow.data.codebook import Codebook
    from motionflow.models import build_model
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
    cells = model.output_shape[1]
    flow = random.normal(0, 3, (batch_size, cells, 2))
    codes = random.integers(0, NUM_CLUSTERS, (batch_size, cells, 1))
    packed = np.concatenate([codes, flow], axis=-1).astype(np.float32)
    for _ in range(2):
        start = time.perf_counter()
        model.train_on_batch(frames, packed)
        seconds = time.perf_counter() - start
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"peak": peak, "seconds": seconds, "cells": cells}


def main() -> None:
    """Measures each network and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--network", choices=NETWORKS, help="Only this one, as JSON.")
    args = parser.parse_args()
    if args.network:
        print(json.dumps(step(args.network, args.batch_size, args.width)))
        return
    rows = []
    for name in NETWORKS:
        command = [sys.executable, __file__, f"--network={name}"]
        command += [f"--batch_size={args.batch_size}", f"--width={args.width}"]
        output = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(output.stdout.splitlines()[-1])
        logits = 4 * args.batch_size * found["cells"] * NUM_CLUSTERS
        rows.append(
            [
                name,
                f"{found['cells']:,}",
                f"{logits / 1e6:,.0f}",
                f"{found['peak'] / 1e6:,.0f}",
                f"{args.batch_size / found['seconds']:.1f}",
            ]
        )
    print(f"Training steps of {args.batch_size} frames, width {args.width:g}\n")
    head = ["network", "cells", "logits, MB", "peak, MB", "images a second"]
    print("\n".join(markdown_table(head, rows)))


if __name__ == "__main__":
    main()
