"""What evaluating costs on top of the bare forward pass.

    python benchmarks/evaluation.py --data_dir=data/tfrecords

In turns, on the training split (the largest): the network alone on frames that are
decoded already and lie in memory, and the scoring of the same frames: reading,
decoding, edges, the network with its decodings, the constant baselines, ten sampled
futures of each distribution, all sums. The weights are random, which costs the same as
trained ones. Then, once, the summary with its bootstrap, which costs little more for
more frames. Nearest neighbours and the forest have a pass of their own over the
training frames and are no part of it; nor are the figures.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from common import machine, print_table, seconds

from motionflow import baselines
from motionflow.data.data_dir import DataDir, open_data_dir
from motionflow.data.pipeline import evaluation_batches
from motionflow.models import predictor
from motionflow.models.network import build_model
from motionflow.models.run_dir import RunDir
from motionflow.scoring.assessment import evaluate
from motionflow.scoring.evaluation import Evaluation
from motionflow.scoring.rows import ModelRows, all_rows
from motionflow.scoring.scores import MODEL
from motionflow.scoring.summary import summarize

SPLIT = "train"


def untrained(data: DataDir, width: float, folder: Path) -> predictor.Predictor:
    """A network for these data, loaded as a trained one would be."""
    config = {
        "name": "allconv",
        "num_clusters": data.codebook.num_clusters,
        "grid_size": data.grid_size,
        "width": width,
    }
    run_dir = RunDir(folder)
    run_dir.prepare({"model": config}, data.codebook, data.mean_frame)
    model = build_model(**config, mean_frame=data.mean_frame)
    checkpoint = tf.train.Checkpoint(model=model)
    tf.train.CheckpointManager(checkpoint, str(run_dir.checkpoints), 1).save()
    return predictor.load(folder)


def compare(data: DataDir, width: float, batch_size: int, num_rounds: int) -> list[str]:
    """One row: milliseconds a frame of the forward pass and of the scoring."""
    with tempfile.TemporaryDirectory() as folder:
        model = untrained(data, width, Path(folder))
    batches = evaluation_batches(data, SPLIT, batch_size)
    frames = [batch["frames"] for batch in batches.as_numpy_iterator()]
    rows = ModelRows(MODEL, model, data, decodings=True)
    predict = all_rows([rows], baselines.constant_baselines(data), data)

    def forward() -> None:
        for batch in frames:
            model(batch)["flow"].numpy()

    def scored() -> Evaluation:
        return evaluate(predict, data, SPLIT, batch_size)

    model(frames[0]), model(frames[-1])  # traced before the clock runs
    turns = np.array([[seconds(forward), seconds(scored)] for _ in range(num_rounds)])
    bare, whole = 1000 * turns.min(axis=0) / data.num_samples(SPLIT)
    evaluation = scored()
    summary = seconds(lambda: summarize(evaluation))
    cells = f"{width:g}", f"{bare:.1f}", f"{whole:.1f}", f"{whole / bare:.2f}"
    return [*cells, f"{whole - bare:.1f}", f"{summary:.1f}"]


def main() -> None:
    """Prints one row a width."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", default="data/tfrecords")
    parser.add_argument("--widths", default="1.0,0.25", help="of allconv")
    parser.add_argument("--num_rounds", type=int, default=3, help="turns of each")
    parser.add_argument("--batch_size", type=int, default=32)
    args = parser.parse_args()
    data = open_data_dir(args.data_dir)
    print(f"{machine(TensorFlow=tf.__version__)}, {data.num_samples(SPLIT):,} frames")
    head = ["Width", "Forward, ms", "Scoring, ms", "Ratio", "Difference, ms"]
    head.append("Summary, s")
    options = args.batch_size, args.num_rounds
    rows = [compare(data, float(width), *options) for width in args.widths.split(",")]
    print_table(head, rows)


if __name__ == "__main__":
    main()
