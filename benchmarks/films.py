"""Films of pictures, told how they move or not, beside what really happened.

    python benchmarks/films.py --model=default --data_dir=DATA --video_dir=VIDEOS

The clips are those of `clip_frames`. From --num_starts frames of each clip, evenly
spaced, with three frames before and ten behind them, no shot cut among these and the
camera at rest, ten frames are predicted at the video's own rate (two a prediction: a
label is the motion of two frames).

What is told: nothing; the past, measured; arrows at the peaks of the true motion, which
point where their place would be after ten frames of it. Told nothing the network also
plays on recursively and as a field that stands still (euler), with annealed flow, with
the most probable one, and the opposite way: looking colours up between pixels smooths
them, which alone gains on a copy. Beside the network:

    repeat              the start frame
    the past goes on    the past times --factor, a field that stands still (euler)
    arrows spread       a Gaussian of --width cells around each arrow (euler)
    true flow           the label of the start frame (euler)

PSNR in dB and SSIM over the cells that move at the start, and over the whole frame, at
frames 1, 5 and 10: those of a clip's starts together, then the mean over clips,
with 95 % bootstrap intervals over sources; differences are taken clip by clip.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np
from clip_frames import (
    GRID,
    SIZE,
    gap_places,
    label_flow,
    means,
    moving_pixels,
    psnr_and_ssim,
    read_clip,
    split_clips,
    sums_of,
)
from common import print_table
from tqdm import tqdm

from motionflow.baselines.arrows import draw_arrows
from motionflow.data.known import pack_known
from motionflow.generate import picture_flow, rollout
from motionflow.generate.control import Control, measure_past
from motionflow.generate.steering import Steering
from motionflow.labels.stabilize import estimate_camera
from motionflow.models import naive, predictor
from motionflow.scoring.bootstrap import NUM_DRAWS, draw_weights, verdict

STEPS = (1, 5, 10)
NUM_BEFORE = 3
CELL = SIZE // GRID
NUM_PREDICTIONS = max(STEPS) // 2
PARTS = ("moving", "all")
# What a row is compared with, and over which pixels the naive rival counts.
RIVALS = {
    "past": ("the past goes on",),
    "1 arrow": ("1 arrow, spread",),
    "3 arrows": ("3 arrows, spread",),
}


class Start(NamedTuple):
    """A start frame, what came before and what follows."""

    before: list[np.ndarray]
    frames: list[np.ndarray]
    clip: bytes
    number: int


def films(model: predictor.Predictor, start: Start, args) -> dict[str, Iterator]:
    """Row -> the frames that follow, float32 [1, S, S, 3] each."""
    truth = label_flow(start.frames)
    measured = measure_past(model, [*start.before, start.frames[0]], 2)
    past = measured and measured.scene
    shape = 1, GRID, GRID

    def told(**said) -> Iterator:
        size = start.frames[0].shape[:2]
        steering = Steering(model, Control(**said), size, NUM_PREDICTIONS)
        return play(lambda frames: steering(frames)[:, 0])

    def play(flow: Callable, mode: str = "composed") -> Iterator:
        frame = start.frames[0][np.newaxis]
        return rollout.iterate(flow, frame, NUM_PREDICTIONS, 2, mode)

    def stands(flow: np.ndarray) -> Iterator:
        return play(lambda _: flow, "euler")

    untold = picture_flow.flow_function(model, 1.0)
    goes_on = np.zeros_like(truth) if past is None else args.factor * past[None]
    rows = {
        "nothing": told(),
        "nothing, recursive": play(untold, "recursive"),
        "nothing, euler": play(untold, "euler"),
        "nothing, annealed": play(picture_flow.flow_function(model, 0.38)),
        "nothing, mode": play(picture_flow.flow_function(model, 0.0)),
        "nothing, opposite": play(lambda frames: -untold(frames)),
        "past": told(past=past),
        "the past goes on": stands(goes_on),
        "true flow": stands(truth),
    }
    cells = draw_arrows(truth[0], 3, args.seed, start.clip, start.number)
    for count in (1, 3):
        arrows, known = [], np.full((*shape, 2), np.nan)
        for row, column in zip(*np.divmod(cells[:count], shape[1]), strict=True):
            place = (np.array([column, row]) + 0.5) * CELL - 0.5
            known[0, row, column] = truth[0, row, column]
            end = place + NUM_PREDICTIONS * truth[0, row, column]
            arrows.append((tuple(place), tuple(end)))
        name = f"{count} arrow{'s' * (count > 1)}"
        spread, _ = naive.spread_arrows(pack_known(shape, arrows=known), args.width)
        rows |= {name: told(arrows=arrows), f"{name}, spread": stands(spread)}
    return rows


def starts_of(args, name: str) -> Iterator[Start]:
    """The usable start frames of a clip."""
    frames, cuts, _ = read_clip(args.video_dir / name, 100)
    places = gap_places(cuts, max(STEPS) + NUM_BEFORE - 1, args.num_starts)
    for place in places:
        first = place + NUM_BEFORE
        ahead = frames[first : first + max(STEPS) + 1]
        grays = [cv2.cvtColor(ahead[i], cv2.COLOR_RGB2GRAY) for i in (0, 2)]
        if estimate_camera(*grays).motion == 0:
            yield Start(frames[place:first], ahead, name.encode(), first)


def clip_sums(model: predictor.Predictor, args, name: str) -> dict[str, np.ndarray]:
    """Row -> [steps, 2 (all, moving), 2 (error, SSIM), 2 (sum, count)] of a clip."""
    sums: dict[str, np.ndarray] = {}
    for start in starts_of(args, name):
        moving = moving_pixels(*start.frames[:2])
        repeated = [start.frames[0][np.newaxis]] * max(STEPS)
        for row, film in {"repeat": repeated, **films(model, start, args)}.items():
            found = [
                sums_of(rollout.to_uint8(frame[0]), truth, moving)
                for number, (frame, truth) in enumerate(
                    zip(film, start.frames[1:], strict=True), start=1
                )
                if number in STEPS
            ]
            sums[row] = sums.get(row, 0) + np.stack(found)
    return sums


def print_tables(scores: dict[str, np.ndarray], weights: np.ndarray) -> None:
    """The scores of each row, then its differences."""
    head = ("", *(f"{part}, frame {step}" for part in PARTS for step in STEPS))

    def cells(values: np.ndarray, form: str, signed: bool) -> list[str]:
        mean, bounds = means(values, weights)
        found = []
        for i in (1, 0):
            for step in range(len(STEPS)):
                low, high = bounds[:, step, i]
                text = form.format(mean[step, i])
                text += f" [{form.format(low)}, {form.format(high)}]" if signed else ""
                word = f" {verdict(bounds[:, step, i], True)}" if signed else ""
                found.append(text + word)
        return found

    for kind, (score, form) in enumerate((("PSNR, dB", ".2f"), ("SSIM", ".4f"))):
        plain, signed = f"{{:{form}}}", f"{{:+{form}}}"
        rows = ([n, *cells(v[..., kind], plain, False)] for n, v in scores.items())
        print_table(head, rows, score)
        pairs = [(row, "repeat") for row in scores if row != "repeat"]
        pairs += [(row, rival) for row, others in RIVALS.items() for rival in others]
        rows = (
            [
                f"{row} - {rival}",
                *cells((scores[row] - scores[rival])[..., kind], signed, True),
            ]
            for row, rival in pairs
        )
        print_table(head, rows, f"{score}, differences")


def main() -> None:
    """Runs the benchmark; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("data_dir", "video_dir"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--model", default="default")
    parser.add_argument("--split", default="test")
    parser.add_argument("--prefix", default="", help="of the clips' names")
    for name, default in (("num_starts", 2), ("num_clips", 0), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in (("factor", naive.FACTOR), ("width", naive.WIDTH)):
        parser.add_argument(f"--{name}", type=float, default=default)
    args = parser.parse_args()
    begin, model = time.perf_counter(), predictor.load(args.model)
    lines = (args.data_dir / "clips.jsonl").read_text().splitlines()
    sources = {line["clip"]: line["source"] for line in map(json.loads, lines)}
    names = split_clips(args.data_dir, args.split)
    names = [name for name in names if name.startswith(args.prefix)]
    step = max(1, len(names) // (args.num_clips or len(names)))
    found = {}
    for name in tqdm(names[::step], unit="clip", disable=None):
        if sums := clip_sums(model, args, name):
            found[name] = sums
    groups = np.array([sources[name] for name in found])
    rows = next(iter(found.values()))
    scores = {
        row: psnr_and_ssim(np.stack([sums[row] for sums in found.values()]))
        for row in rows
    }
    counts = f"{len(found)} clips of {len(set(groups))} sources have a usable start"
    print(f"{len(names[::step])} clips of {args.split}: {counts}", end="; ")
    print(f"{time.perf_counter() - begin:.0f} s")
    print_tables(scores, draw_weights(groups, NUM_DRAWS, args.seed))


if __name__ == "__main__":
    main()
