"""Restored frames beside the true ones, and what dropping such frames saves.

    python benchmarks/restoration.py --model=RUN --data_dir=DATA --video_dir=VIDEOS

DATA/clips.jsonl names the clips of --split; they lie in VIDEOS. Their frames are fitted
to 200x200, as for training, and duplicated frames are dropped first: in film that plays
at another rate than its own nothing would move at every fifth frame, and repeating a
frame would restore it exactly. A clip counts with its first --num_frames frames.

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
import functools
import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from motionflow.films import METHODS, thinning
from motionflow.films.filling import Filler
from motionflow.films.restoring import Restoring, make_filler
from motionflow.labels.flow import make_flow_function, to_grid
from motionflow.media.continuity import mark_breaks
from motionflow.media.video import fit_frame, iter_frames
from motionflow.scoring.bootstrap import NUM_DRAWS, draw_weights, interval, verdict

SIZE, GRID = 200, 20
GAPS = (1, 2, 4)
MOVING = 0.5  # pixels a frame
BOUNDS = (30, 35, 40)
MAX_RUN = max(GAPS)
SCORES = ("PSNR", "SSIM", "PSNR moving", "SSIM moving")
WINDOW = 11  # of SSIM, whose map has no border of half a window
RIVALS = ("blend", "repeat")
ROWS = (*METHODS, *RIVALS)


@dataclasses.dataclass(frozen=True)
class Rival(Filler):
    """Mixes the two frames around a gap, or repeats the one before it."""

    method: str = "flow"
    repeats: bool = False

    def fill(self, before, after, num_frames):
        """The frames of a gap, see `Filler.fill`."""
        for share in np.arange(1, num_frames + 1) / (num_frames + 1):
            last = before[-1] if self.repeats or not after else after[0]
            yield np.rint((1 - share) * before[-1] + share * last).astype(np.uint8), ""


def split_clips(data_dir: Path, split: str) -> list[str]:
    """Names of a split's clips, relative to the videos' folder."""
    lines = (data_dir / "clips.jsonl").read_text().splitlines()
    return [row["clip"] for row in map(json.loads, lines) if row.get("split") == split]


def read_clip(path: Path, num_frames: int) -> tuple[list[np.ndarray], list[bool], int]:
    """Fitted frames, whether each follows a cut, how many duplicates were dropped."""
    marked = mark_breaks(fit_frame(frame, SIZE) for frame in iter_frames(path))
    kept, cuts, dropped = [], [], 0
    for frame, mark in marked:
        if mark == "duplicate":
            dropped += 1
            continue
        kept.append(frame)
        cuts.append(mark == "cut")
        if len(kept) == num_frames:
            break
    return kept, cuts, dropped


def gap_places(cuts: list[bool], size: int, count: int) -> list[int]:
    """Frames before a gap: the middles of equal parts of those with no cut behind."""
    places = [
        t for t in range(len(cuts) - size - 1) if not any(cuts[t + 1 : t + size + 2])
    ]
    count = min(count, len(places))
    return [places[(2 * i + 1) * len(places) // (2 * count)] for i in range(count)]


def moving_pixels(frame: np.ndarray, following: np.ndarray) -> np.ndarray:
    """Bool [S, S]: pixels of cells that move."""
    grays = (cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in (frame, following))
    cells = np.linalg.norm(to_grid(_flow()(*grays), GRID), axis=-1) > MOVING
    return cells.repeat(SIZE // GRID, axis=0).repeat(SIZE // GRID, axis=1)


@functools.cache
def _flow():
    return make_flow_function("dis")


def sums_of(restored: np.ndarray, truth: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """[2, 2, 2]: all or moving, squared error or SSIM, its sum and its count."""
    error = ((restored.astype(np.float32) - truth) ** 2).mean(axis=-1)
    pair = (tf.constant(f[np.newaxis], tf.float32) for f in (restored, truth))
    ssim = tf.image.ssim(*pair, 255, filter_size=WINDOW, return_index_map=True)
    ssim, border = ssim.numpy().reshape(SIZE - WINDOW + 1, -1), WINDOW // 2
    inside = moving[border:-border, border:-border]
    return np.array(
        [
            [[error.sum(), error.size], [ssim.sum(), ssim.size]],
            [
                [error[moving].sum(), moving.sum()],
                [ssim[inside].sum(), inside.sum()],
            ],
        ]
    )


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
    with np.errstate(invalid="ignore", divide="ignore"):
        error, ssim = (sums[..., 0] / sums[..., 1]).T
        psnr = np.minimum(10 * np.log10(255**2 / error), thinning.IDENTICAL)
    return np.array([psnr[0], ssim[0], psnr[1], ssim[1]])


def means(scores: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [...] and interval [2, ...] of [clips, ...], of the clips with a value."""
    known = ~np.isnan(scores)
    values = np.where(known, scores, 0)
    with np.errstate(invalid="ignore"):
        draws = np.tensordot(weights, values, 1) / np.tensordot(weights, known, 1)
        return values.sum(axis=0) / known.sum(axis=0), interval(draws)


def print_table(title: str, head: tuple, rows: Iterator[list[str]]) -> None:
    """A Markdown table."""
    print(f"\n{title}\n\n| " + " | ".join(head) + " |")
    print("|---|" + "---:|" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


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

    def rows() -> Iterator[list[str]]:
        for i, method in enumerate(ROWS):
            yield [method, *text_of(*means(scores[:, i], weights), signed=False)]

    num_moving = int((~np.isnan(scores[:, 0, 2])).sum())
    title = f"Gaps of {size}: {len(scores)} clips, {num_moving} with moving cells"
    print_table(title, ("", *SCORES), rows())
    for rival in ("repeat", "blend"):
        other = scores[:, ROWS.index(rival)]
        print_table(
            f"Gaps of {size}, difference to {rival}",
            ("", *SCORES),
            (
                [m, *text_of(*means(scores[:, i] - other, weights), signed=True)]
                for i, m in enumerate(ROWS)
                if m != rival
            ),
        )


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
    print_table(title, ("", *(f"{bound} dB" for bound in BOUNDS)), rows())


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
    fillers = {m: make_filler(dataclasses.replace(options, method=m)) for m in METHODS}
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
    print(f"Python {platform.python_version()}, TensorFlow {tf.__version__}, ", end="")
    print(f"OpenCV {cv2.__version__}, {os.cpu_count()} CPUs")
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
    print(f"\n{time.perf_counter() - start:.0f} s, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
