"""Rolled-out videos beside what really happened, and how sharp they stay.

    python benchmarks/rollout.py --model=RUN --data_dir=DATA --video_dir=VIDEOS

DATA/clips.jsonl names the clips of --split; they lie in VIDEOS. Their frames are fitted
to 200x200 and duplicated frames are dropped, as in benchmarks/restoration.py. From
--num_starts frames of each clip, evenly spaced, none with a shot cut behind it, 10
frames are predicted at the video's own rate (2 frames a prediction: a label is the mean
flow to the next three frames, the motion of two).

PSNR in dB against the true frames, over moving cells: those of the 20x20 grid where the
start frame moves by more than 0.5 px to the next one (mean flow of the cell, DIS). It
is that of the mean squared error over a clip's starts, then the mean over clips, with
95 % bootstrap intervals over clips; differences to copying the start frame are taken
clip by clip on the same draws. "true flow" rolls the label itself, computed by DIS from
the true frames on the 20x20 grid, as `euler`: what perfect predictions would give.
"opposite" moves by the expected flow with its sign changed: looking colours up between
pixels smooths them, which alone gains on a copy, whatever the direction.

Sharpness: mean gradient magnitude of the 25th frame of the report's 5 x 5 roll-out, as
a share of the start frame's, over the first 20 clips; milliseconds a frame of this
roll-out, model included.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np
import restoration
import tensorflow as tf
from tqdm import tqdm

from motionflow.generate import picture_flow, rollout
from motionflow.labels.flow import make_flow_function, to_grid
from motionflow.models import predictor
from motionflow.scoring.bootstrap import NUM_DRAWS, draw_weights, verdict

STEPS = (1, 5, 10)
TEMPERATURES = {"expected": 1.0, "annealed": 0.38, "mode": 0.0}


def videos(
    predict: Callable[[float], rollout.FlowModel], frames: list[np.ndarray]
) -> dict[str, np.ndarray]:
    """Frames 1 to 10 after `frames[0]` by each way, float32 [10, S, S, 3]."""
    start = frames[0][np.newaxis]
    truth = label_flow(frames)
    found = {"copy": np.repeat(start, max(STEPS), axis=0).astype(np.float32)}
    for mode in ("recursive", "composed", "euler"):
        found[mode] = rollout.generate(predict(1.0), start, 5, 2, mode)[0].numpy()
    for name in ("annealed", "mode"):
        model = predict(TEMPERATURES[name])
        found[f"composed, {name}"] = rollout.generate(model, start, 5, 2)[0].numpy()

    def opposite(seen: tf.Tensor) -> tf.Tensor:
        return -predict(1.0)(seen)

    found["composed, opposite"] = rollout.generate(opposite, start, 5, 2)[0].numpy()
    found["true flow"] = rollout.generate(lambda _: truth, start, 5, 2, "euler")[
        0
    ].numpy()
    return found


def label_flow(frames: list[np.ndarray]) -> np.ndarray:
    """The mean flow to the next three frames on the grid, float32 [1, g, g, 2]."""
    first, *others = (cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames[:4])
    compute = make_flow_function("dis")
    flow = np.mean([compute(first, other) for other in others], axis=0)
    return to_grid(flow, restoration.GRID)[np.newaxis]


def errors(predict: Callable, frames: list[np.ndarray], starts: list[int]) -> dict:
    """Method -> [3, 2]: squared error over moving cells, its sum and count by step."""
    sums: dict = {}
    for start in starts:
        ahead = frames[start : start + max(STEPS) + 1]
        moving = restoration.moving_pixels(ahead[0], ahead[1])
        for name, video in videos(predict, ahead).items():
            for i, step in enumerate(STEPS):
                error = ((video[step - 1] - ahead[step]) ** 2).mean(axis=-1)[moving]
                sums.setdefault(name, np.zeros((len(STEPS), 2)))
                sums[name][i] += error.sum(), error.size
    return sums


def sharpness(frames: np.ndarray) -> float:
    """Mean gradient magnitude of [1, S, S, 3]."""
    dy, dx = tf.image.image_gradients(tf.cast(frames, tf.float32))
    return float(tf.reduce_mean(tf.sqrt(dx**2 + dy**2)))


def print_sharpness(predict: Callable, starts: list[list[np.ndarray]]) -> None:
    """One row a mode: moved by expected flow, likeliest class, the true label."""
    print("\n| 25th frame | expected | mode | true flow | ms a frame |")
    print("|---|---:|---:|---:|---:|")
    for mode in ("recursive", "composed", "euler"):
        cells, seconds = [], []
        for name in ("expected", "mode", "true flow"):
            shares = []
            for frames in starts:
                truth, start = label_flow(frames), frames[0][np.newaxis]
                model = predict(TEMPERATURES[name]) if name != "true flow" else None
                begin = time.perf_counter()
                *_, last = rollout.iterate(
                    model or (lambda _, truth=truth: truth), start, mode=mode
                )
                if model:
                    seconds.append(time.perf_counter() - begin)
                shares.append(sharpness(last) / sharpness(start))
            cells.append(f"{np.mean(shares):.3f} (least {np.min(shares):.3f})")
        cells.append(f"{1000 * np.median(seconds) / 25:.0f}")
        print(f"| {mode} | {' | '.join(cells)} |", flush=True)


def print_psnr(by_clip: list[dict], seed: int) -> None:
    """Scores of each method and their differences to copying."""
    weights = draw_weights(np.arange(len(by_clip)), NUM_DRAWS, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = {
            name: np.stack(
                [10 * np.log10(255**2 * s[name][:, 1] / s[name][:, 0]) for s in by_clip]
            )
            for name in by_clip[0]
        }
    num_moving = int(np.isfinite(scores["copy"]).all(axis=1).sum())
    print(f"\n{len(by_clip)} clips, {num_moving} with moving cells. PSNR moving, dB:\n")
    steps = " | ".join(f"frame {step}" for step in STEPS)
    print(f"| | {steps} | {steps.replace('frame', 'minus copy,')} |")
    print("|---|" + "---:|" * (2 * len(STEPS)))
    for name, values in scores.items():
        cells = [f"{value:.2f}" for value in restoration.means(values, weights)[0]]
        means, bounds = restoration.means(values - scores["copy"], weights)
        for i, mean in enumerate(means if name != "copy" else ()):
            low, high = bounds[:, i]
            word = verdict(bounds[:, i], True)
            cells.append(f"{mean:+.2f} [{low:+.2f}, {high:+.2f}] {word}")
        cells += ["-"] * (2 * len(STEPS) - len(cells))
        print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    """Runs the benchmark; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Roll-outs beside the truth.")
    for name in ("model", "data_dir", "video_dir"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--split", default="validation")
    parser.add_argument("--num_starts", type=int, default=2)
    parser.add_argument("--num_clips", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    model = predictor.load(args.model)

    def predict(temperature: float) -> rollout.FlowModel:
        return picture_flow.flow_function(model, temperature)

    print(
        f"TensorFlow {tf.__version__}, {platform.processor()}, {os.cpu_count()} cores"
    )
    by_clip, first_frames = [], []
    names = restoration.split_clips(args.data_dir, args.split)[: args.num_clips]
    for name in tqdm(names, unit="clip", disable=None):
        frames, cuts, _ = restoration.read_clip(args.video_dir / name, 100)
        starts = restoration.gap_places(cuts, max(STEPS) - 1, args.num_starts)
        if starts:
            by_clip.append(errors(predict, frames, starts))
            first_frames.append(frames[starts[0] : starts[0] + 4])
    print(f"{len(names)} clips of {args.split}, {len(by_clip)} long enough")
    print_psnr(by_clip, args.seed)
    print_sharpness(predict, first_frames[:20])


if __name__ == "__main__":
    main()
