"""A predicted film beside the real one: PSNR and SSIM of each frame.

    video --real_frames--> the start frame and what really followed
    predicted, real --compare--> scores, beside those of repeating the start frame

Repeating the start frame is the film of a model that predicts no motion.

Both measures are TensorFlow's, on RGB of 0..255. PSNR is 10 log10(255^2 / MSE) in dB,
infinite for equal frames. SSIM (Wang et al. 2004) is at most 1; it looks at windows of
11x11 pixels.

Time: a predicted frame is compared with a real one, so both must go at one pace. One
prediction is a training label: by default (`flow_average` "anchored" over 3 frames) the
motion of 2 frames of the training videos, with "consecutive" or "velocity" that of 1.
So `FRAMES_PER_PREDICTION` frames to a prediction keep the default's pace, on videos of
the training videos' frame rate.
"""

import csv
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.media.video import Video

FRAMES_PER_PREDICTION = 2
SMALLEST = 11  # pixels, SSIM's window


class FrameScores(NamedTuple):
    """One predicted frame against the real one.

    Attributes:
      frame: its number in the video, the first is 0.
      predicted_psnr: dB.
      predicted_ssim: at most 1.
      repeated_psnr: of the start frame in the predicted one's place.
      repeated_ssim: the same.
    """

    frame: int
    predicted_psnr: float
    predicted_ssim: float
    repeated_psnr: float
    repeated_ssim: float


def real_frames(
    video: Video, num_following: int, start: int | None = None, num_before: int = 0
) -> tuple[int, list[np.ndarray], list[np.ndarray]]:
    """Takes a start frame and up to `num_following` frames after it from a video.

    No gap in time lies between them.

    Args:
      video: what is read.
      num_following: how many frames are predicted.
      start: number of the start frame; None takes the last that has `num_following`
        frames after it, or that has the most.
      num_before: how many frames before the start frame to keep, too.

    Returns:
      number of the start frame; the frames from it on; up to `num_before` before it.

    Raises:
      InputError: no frame follows the start frame.
    """
    bounds = [0, *sorted(video.timing.gaps), video.num_frames]
    runs = [range(*pair) for pair in itertools.pairwise(bounds)]
    if start is None:
        run = max(reversed(runs), key=lambda run: min(len(run), num_following + 1))
        start = max(run[0], run[-1] - num_following)
    else:
        run = next((run for run in runs if start in run), range(0))
    if start + 1 not in run:
        raise InputError(f"the video has no frame after frame {start} to compare with")
    begin, end = max(run[0], start - num_before), min(run[-1], start + num_following)
    frames = list(itertools.islice(video.read(), begin, end + 1))
    return start, frames[start - begin :], frames[: start - begin]


def compare(
    predicted: Sequence[np.ndarray], real: Sequence[np.ndarray], start: int = 0
) -> list[FrameScores]:
    """Scores predicted frames, and the start frame in their place.

    Args:
      predicted: uint8 [H, W, 3] each; the first is the start frame, not scored.
      real: as many, of the same size.
      start: number of the start frame.

    Raises:
      InputError: a side is shorter than 11 pixels.
    """
    height, width = real[0].shape[:2]
    if min(height, width) < SMALLEST:
        raise InputError(
            f"frames are {width}x{height}; SSIM needs {SMALLEST} pixels a side"
        )
    pairs = itertools.islice(zip(predicted, real, strict=True), 1, None)
    return [
        FrameScores(number, *_scores(frame, truth), *_scores(real[0], truth))
        for number, (frame, truth) in enumerate(pairs, start=start + 1)
    ]


def mean_scores(rows: Sequence[FrameScores]) -> tuple[float, float, float, float]:
    """Means over the frames of the four scores."""
    return tuple(np.mean([row[1:] for row in rows], axis=0).tolist())


def write_csv(path: str | Path, rows: Sequence[FrameScores]) -> None:
    """Writes a line a frame under the names of `FrameScores`' attributes."""
    with drafts.draft(path) as draft, draft.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(FrameScores._fields)
        writer.writerows([row.frame, *(f"{x:.6g}" for x in row[1:])] for row in rows)


def _scores(frame: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    psnr = tf.image.psnr(frame, truth, max_val=255)
    ssim = tf.image.ssim(tf.constant(frame), tf.constant(truth), max_val=255)
    return float(psnr), float(ssim)
