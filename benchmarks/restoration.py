"""Restored frames beside the true ones, and what dropping such frames saves.

    python benchmarks/restoration.py --model=RUN --data_dir=DATA --video_dir=VIDEOS

The clips are those of `clip_frames`; one counts with its first --num_frames frames.

Gaps of 1, 2 and 4 frames, --num_gaps of each in a clip, evenly spaced, none across a
shot cut, are filled by each method, by a mixture of the frames around them (blend)
and by the frame before (repeat); a model that can be told is told how the frames on
each side moved, where that is known. PSNR is that of the mean squared error of a clip's
restored frames, SSIM the mean over them (11x11 windows). Both are also taken over
moving cells: those of the 20x20 grid where the true frame moves by more than 0.5 px to
the next one (mean flow of the cell, DIS between the true frames). Scores are means over
clips with 95 % bootstrap intervals over clips; differences are taken clip by clip on
the same draws.

A plan (motionflow/films/thinning.py, runs of 4 frames at most) drops what a method
restores within 30, 35 and 40 dB; bytes are those of H.264, full and thinned, encoded
alike, summed over the clips.
"""

import argparse
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from clip_frames import (
    gap_places,
    means,
    moving_pixels,
    psnr_and_ssim,
    read_clip,
    split_clips,
    sums_of,
)
from common import machine, print_table

from motionflow.films import METHODS, thinning
from motionflow.films.filling import Filler
from motionflow.films.restoring import Restoring
from motionflow.scoring.bootstrap import NUM_DRAWS, draw_weights, interval, verdict

GAPS = (1, 2, 4)
BOUNDS = (30, 35, 40)
MAX_RUN = max(GAPS)
SCORES = ("PSNR", "SSIM", "PSNR moving", "SSIM moving")
RIVALS = ("blend", "repeat")
ROWS = (*METHODS, *RIVALS)


@dataclasses.dataclass(frozen=True)
class Rival(Filler):
    """Mixes the two frames around a gap, or repeats the one before it."""

    repeats: bool = False

    def fill(self, before, after, num_frames):
        """The frames of a gap, see `Filler.fill`."""
        for share in np.arange(1, num_frames + 1) / (num_frames + 1):
            last = before[-1] if self.repeats or not after else after[0]
            yield np.rint((1 - share) * before[-1] + share * last).astype(np.uint8), ""


def clip_scores(
    frames: list[np.ndarray], places: list[int], size: int, filler: Filler
) -> np.ndarray:
    """[4], as SCORES; NaN where nothing moves."""
    sums = np.zeros((2, 2, 2))
    for t in places:
        before, after = frames[: t + 1], frames[t + size + 1 :]
        seen = filler.num_seen
        filled = filler.fill(before[-seen:], after[:seen], size)
        for i, (frame, _) in enumerate(filled, start=t + 1):
            sums += sums_of(frame, frames[i], moving_pixels(frames[i], frames[i + 1]))
    return psnr_and_ssim(sums).ravel()


def text_of(values: np.ndarray, bounds: np.ndarray, signed: bool) -> list[str]:
    """A cell for each of SCORES."""
    cells = []
    for i, name in enumerate(SCORES):
        form = ("{:+" if signed else "{:") + (".2f}" if "PSNR" in name else ".3f}")
        low, high = (form.format(bound) for bound in bounds[:, i])
        word = f" {verdict(bounds[:, i], True)}" if signed else ""
        cells.append(f"{form.format(values[i])} [{low}, {high}]{word}")
    return cells


def print_gap(size: int, scores: np.ndarray, weights: np.ndarray) -> None:
    """Scores [clips, methods, 4] of one length of gaps, and their differences."""
    rows = [
        [method, *text_of(*means(scores[:, i], weights), signed=False)]
        for i, method in enumerate(ROWS)
    ]
    num_moving = int((~np.isnan(scores[:, 0, 2])).sum())
    title = f"Gaps of {size}: {len(scores)} clips, {num_moving} with moving cells"
    print_table(["", *SCORES], rows, title)
    for rival in ("repeat", "blend"):
        other = scores[:, ROWS.index(rival)]
        rows = [
            [m, *text_of(*means(scores[:, i] - other, weights), signed=True)]
            for i, m in enumerate(ROWS)
            if m != rival
        ]
        print_table(["", *SCORES], rows, f"Gaps of {size}, difference to {rival}")


def plan_counts(frames: list[np.ndarray], filler: Filler, bound: float) -> np.ndarray:
    """[4]: dropped and all frames; bytes of the thinned and of the full video."""
    plan = thinning.make_plan(frames, filler, bound)
    plan = thinning.measure_bytes(plan, lambda: iter(frames), 30)
    thinned, full = plan.bytes_thinned, plan.bytes_full
    return np.array([len(plan.dropped), plan.num_frames, thinned, full], np.float64)


def print_plans(clips: list[list], fillers: dict[str, Filler], seed: int) -> None:
    """Share of frames dropped and bytes saved, for each method and bound."""
    weights = draw_weights(np.arange(len(clips)), NUM_DRAWS, seed)

    def rows() -> Iterator[list[str]]:
        for method in ROWS:
            row = [method]
            for bound in BOUNDS:
                filler = fillers[method]
                sums = np.stack([plan_counts(c, filler, bound) for c in clips])
                dropped = text_share(sums[:, :2], weights)
                saved = text_share(sums[:, 2:], weights, saved=True)
                row.append(f"{dropped} / {saved}")
            yield row

    num_frames = sum(map(len, clips))
    title = f"Frames dropped / bytes saved, %: {len(clips)} clips, {num_frames} frames"
    print_table(["", *(f"{bound} dB" for bound in BOUNDS)], rows(), title)


def text_share(sums: np.ndarray, weights: np.ndarray, saved: bool = False) -> str:
    """Share [clips, 2] of part and whole in per cent, with its interval."""
    totals = np.stack([sums.sum(axis=0), *(weights @ sums)])
    shares = 100 * totals[:, 0] / totals[:, 1]
    shares = 100 - shares if saved else shares
    low, high = interval(shares[1:])
    return f"{shares[0]:.1f} [{low:.1f}, {high:.1f}]"


def make_fillers(run: str, frames_per_prediction: int) -> dict[str, Filler]:
    """The filler of each method."""
    options = Restoring(
        model=run, frames_per_prediction=frames_per_prediction, max_gap=MAX_RUN
    )
    fillers = {m: dataclasses.replace(options, method=m).filler() for m in METHODS}
    rivals = {m: Rival(max_gap=MAX_RUN, repeats=m == "repeat") for m in RIVALS}
    return fillers | rivals


def read_clips(args: argparse.Namespace) -> list[tuple[list, list]]:
    """Frames and cuts of the clips that are long enough; says what was left out."""
    names = split_clips(args.data_dir, args.split)[: args.num_clips or None]
    clips, num_dropped = [], 0
    for name in names:
        frames, cuts, dropped = read_clip(args.video_dir / name, args.num_frames)
        num_dropped += dropped
        if len(frames) >= max(GAPS) + 2:
            clips.append((frames, cuts))
    num_frames = sum(len(frames) for frames, _ in clips)
    print(
        f"{args.split}: {len(clips)} clips, {num_frames} frames; {num_dropped} "
        f"duplicated frames dropped, {len(names) - len(clips)} clips too short",
        flush=True,
    )
    return clips


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "data_dir", "video_dir"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    parser.add_argument("--split", default="validation")
    for name, default in (
        ("num_clips", 0),
        ("num_frames", 80),
        ("num_gaps", 5),
        ("num_plan_clips", 20),
        ("num_plan_frames", 40),
        ("frames_per_prediction", 2),
        ("seed", 0),
    ):
        parser.add_argument(f"--{name}", default=default, type=int)
    args = parser.parse_args()
    start = time.perf_counter()
    print(machine(TensorFlow=tf.__version__, OpenCV=cv2.__version__))
    fillers = make_fillers(str(args.model), args.frames_per_prediction)
    clips = read_clips(args)
    for size in GAPS:
        scores = []
        for frames, cuts in clips:
            if places := gap_places(cuts, size, args.num_gaps):
                one = [clip_scores(frames, places, size, fillers[m]) for m in ROWS]
                scores.append(one)
        weights = draw_weights(np.arange(len(scores)), NUM_DRAWS, args.seed)
        print_gap(size, np.array(scores), weights)
    if args.num_plan_clips:
        # Spread over the split, whose clips are sorted by action.
        step = max(1, len(clips) // args.num_plan_clips)
        chosen = [f[: args.num_plan_frames] for f, _ in clips[::step]]
        print_plans(chosen[: args.num_plan_clips], fillers, args.seed)
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
