"""What evaluating costs beside the bare forward pass.

    python benchmarks/evaluation.py [--num_frames=160,1280] [--models=1.0,0.25,default]
    python benchmarks/evaluation.py --data_dir=data/tfrecords

On noise as large to read and decode as real frames, 20 frames a clip and four clips a
source, or on the training split of a data directory (the largest). In turns: the
network alone, on decoded frames that lie in memory; and everything that `motionflow
evaluate --baselines=constant` does but for its figures: the baselines are fitted, the
frames are read, predicted and scored (network, three decodings, six baselines, ten
sampled futures), the sums boiled down with their intervals. A number as a model is a
width of allconv; its weights are random, which costs the same as trained ones.

With --all_baselines also what fitting and asking each baseline costs that looks at the
frame, the features being those of the last model.
"""

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from common import machine, print_table, seconds
from noise_data import write_noise_data

from motionflow import baselines
from motionflow.baselines.constant import ConstantPredictor
from motionflow.data.data_dir import DataDir, open_data_dir
from motionflow.data.pipeline import evaluation_batches
from motionflow.models import predictor
from motionflow.models.model_path import DEFAULT
from motionflow.models.network import build_model
from motionflow.scoring.assessment import evaluate
from motionflow.scoring.rows import ModelRows, all_rows
from motionflow.scoring.scores import MODEL
from motionflow.scoring.summary import summarize

SPLIT = "train"
CLIP_LENGTH = 20  # frames
NUM_DECODED = 8  # batches that the bare network sees again and again
HEAD = (
    "Model",
    "Frames",
    "Forward, ms a frame",
    "Evaluation, ms",
    "Ratio",
    "Reading alone, ms",
    "Fitted, ms",
    "Read and scored, ms",
    "Intervals, ms",
)


def load(name: str, data: DataDir) -> predictor.Predictor:
    """The model in the box, or an untrained allconv of a width."""
    if name == DEFAULT:
        return predictor.load(DEFAULT)
    model = build_model(
        "allconv",
        num_clusters=data.codebook.num_clusters,
        grid_size=data.grid_size,
        width=float(name),
        mean_frame=data.mean_frame,
    )
    return predictor.of_model(model, data.codebook.centers)


def read(data: DataDir, batch_size: int) -> Iterator[np.ndarray]:
    """The frames of the split, batch by batch."""
    for batch in evaluation_batches(data, SPLIT, batch_size).as_numpy_iterator():
        yield batch["frames"]


def evaluated(
    model: predictor.Predictor, data: DataDir, batch_size: int
) -> tuple[float, float, float]:
    """Seconds of fitting, of reading and scoring, and of the intervals."""
    start = time.perf_counter()
    fitted = baselines.constant_baselines(data)
    middle = time.perf_counter()
    rows = [ModelRows(MODEL, model, data, decodings=True)]
    evaluation = evaluate(all_rows(rows, fitted, data), data, SPLIT, batch_size)
    end = time.perf_counter()
    return middle - start, end - middle, seconds(summarize, evaluation)


def compare(
    name: str, model: predictor.Predictor, data: DataDir, args: argparse.Namespace
) -> list[str]:
    """A row of the table: milliseconds a frame, of the faster turn."""
    size, num_frames = args.batch_size, data.num_samples(SPLIT)
    decoded = list(itertools.islice(read(data, size), NUM_DECODED))
    model(decoded[0])  # traced before the clock runs

    def forward() -> None:
        batches, left = itertools.cycle(decoded), num_frames
        while left > 0:
            frames = next(batches)[:left]
            model(frames)["flow"].numpy()
            left -= len(frames)

    turns = [
        (
            seconds(forward),
            *evaluated(model, data, size),
            seconds(lambda: [None for _ in read(data, size)]),
        )
        for _ in range(args.num_rounds)
    ]
    best = min(turns, key=lambda turn: sum(turn[1:4]))
    bare = min(turn[0] for turn in turns)
    whole = sum(best[1:4])
    times = [bare, whole, best[4], best[1], best[2] - bare, best[3]]
    texts = [f"{1000 * each / num_frames:.2f}" for each in times]
    ratio = f"{whole / bare:.2f}"
    return [name, f"{num_frames:,}", *texts[:2], ratio, *texts[2:]]


def ask_all(
    model: predictor.Predictor, data: DataDir, batch_size: int
) -> list[list[str]]:
    """Rows of the baselines that look at a frame: milliseconds a frame."""
    start = time.perf_counter()
    fitted = baselines.make_baselines(data, model.features)
    num_frames = data.num_samples(SPLIT)
    rows = [
        ["all are fitted", f"{1000 * (time.perf_counter() - start) / num_frames:.2f}"]
    ]
    frames = list(itertools.islice(read(data, batch_size), NUM_DECODED))
    for name, baseline in fitted.items():
        if isinstance(baseline, ConstantPredictor):
            continue
        spent = seconds(lambda ask=baseline: [ask(batch) for batch in frames])
        milliseconds = 1000 * spent / sum(map(len, frames))
        rows.append([name, f"{milliseconds:.2f}"])
    return rows


def main() -> None:
    """Prints one row a model and size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", help="its training split in place of noise")
    parser.add_argument("--num_frames", default="160,1280", help="of noise")
    parser.add_argument("--models", default="1.0,0.25,default", help="widths, default")
    parser.add_argument("--num_rounds", type=int, default=2, help="turns of each")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--all_baselines", action="store_true")
    args = parser.parse_args()
    print(machine(TensorFlow=tf.__version__))
    with tempfile.TemporaryDirectory() as folder:
        if args.data_dir:
            sets = [open_data_dir(args.data_dir)]
        else:
            sets = [
                write_noise_data(Path(folder, size), int(size), clip_length=CLIP_LENGTH)
                for size in args.num_frames.split(",")
            ]
        models = {name: load(name, sets[0]) for name in args.models.split(",")}
        print_table(
            HEAD,
            [compare(n, m, data, args) for n, m in models.items() for data in sets],
        )
        if args.all_baselines:
            for data in sets:
                title = f"{data.num_samples(SPLIT):,} training frames"
                rows = ask_all(
                    model=list(models.values())[-1], data=data, batch_size=32
                )
                print_table(["Baseline", "ms a frame"], rows, title)


if __name__ == "__main__":
    main()
