"""Clips of a split, frame by frame, and how near to them other frames come.

DATA/clips.jsonl names the clips of a split; they lie in VIDEOS. Their frames are fitted
to 200x200, as for training, and duplicated frames are dropped: in film that plays at
another rate than its own nothing would move at every fifth frame, and repeating a frame
would restore it exactly.
"""

import functools
import json
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from motionflow.generate.likeness import IDENTICAL
from motionflow.labels.flow import make_flow_function, to_grid
from motionflow.media.continuity import mark_breaks
from motionflow.media.video import fit_frame, iter_frames
from motionflow.scoring.bootstrap import interval

SIZE, GRID = 200, 20
MOVING = 0.5  # pixels a frame
WINDOW = 11  # of SSIM, whose map has no border of half a window


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


def label_flow(frames: list[np.ndarray]) -> np.ndarray:
    """The mean flow to the next three frames on the grid, float32 [1, g, g, 2]."""
    first, *others = (cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames[:4])
    compute = _flow()
    flow = np.mean([compute(first, other) for other in others], axis=0)
    return to_grid(flow, GRID)[np.newaxis]


def psnr_and_ssim(sums: np.ndarray) -> np.ndarray:
    """What sums [..., 2 (error, SSIM), 2 (sum, count)] come to; NaN of nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        error, ssim = np.moveaxis(sums[..., 0] / sums[..., 1], -1, 0)
        psnr = np.minimum(10 * np.log10(255**2 / error), IDENTICAL)
    return np.stack([psnr, ssim], axis=-1)


def means(scores: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [...] and interval [2, ...] of [clips, ...], of the clips with a value."""
    known = ~np.isnan(scores)
    values = np.where(known, scores, 0)
    with np.errstate(invalid="ignore"):
        draws = np.tensordot(weights, values, 1) / np.tensordot(weights, known, 1)
        return values.sum(axis=0) / known.sum(axis=0), interval(draws)
