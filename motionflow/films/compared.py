"""A predicted film beside what really happened, with PSNR and SSIM of each frame.

    video --real_frames--> the start frame and what really followed
    predicted, real --compare--> scores, beside those of repeating the start frame
    model, video --compare_film--> ComparedFilm --save--> film, and a .csv beside it

Repeating the start frame is the film of a model that predicts no motion. PSNR is
infinite for equal frames. SSIM (Wang et al. 2004) is TensorFlow's, at most 1; it looks
at windows of 11x11 pixels.

Time: a predicted frame is compared with a real one, so both must go at one pace. One
prediction is a training label: by default (`flow_average` "anchored" over 3 frames) the
motion of 2 frames of the training videos, with "consecutive" or "velocity" that of 1.
So `FRAMES_PER_PREDICTION` frames to a prediction keep the default's pace, on videos of
the training videos' frame rate.
"""

import csv
import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from motionflow.drawing.tables import markdown_table
from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.films.film import check_output, draw_film, write_film
from motionflow.films.model import Model
from motionflow.generate.animation import Animation
from motionflow.generate.likeness import psnr
from motionflow.media.still import NUM_BEFORE, Moment
from motionflow.media.video import Video, open_video

FRAMES_PER_PREDICTION = 2
SMALLEST = 11  # pixels, SSIM's window


class FrameScores(NamedTuple):
    """One predicted frame against the real one, and the start frame in its place.

    PSNR in dB, SSIM at most 1; `frame` is the number in the video, the first is 0.
    """

    frame: int
    predicted_psnr: float
    predicted_ssim: float
    repeated_psnr: float
    repeated_ssim: float


@dataclasses.dataclass(frozen=True)
class ComparedFilm:
    """What `compare_film` found.

    Attributes:
      frames: uint8 [H, W', 3]: predicted, its flow if asked for, real.
      rows: the scores of each predicted frame.
      start: number of the frame in the video that was predicted from.
      num_missing: frames of the prediction that the video has no more.
      fps: frames a second.
    """

    frames: Sequence[np.ndarray]
    rows: Sequence[FrameScores]
    start: int
    num_missing: int
    fps: float

    def save(
        self,
        path: str | Path,
        progress: Callable[[int, int], None] = lambda done, total: None,
        mark: str = "",
    ) -> Path:
        """Writes the film, as `Film.save`, and its scores; returns where these are."""
        check_output(path)
        scores = Path(path).with_suffix(".csv")
        with drafts.draft(scores) as draft:  # they appear together
            write_csv(draft, self.rows)
            write_film(path, self.frames, len(self.frames), self.fps, progress, mark)
        return scores

    def table(self) -> str:
        """A line a frame, and the means, as Markdown."""
        head = ["frame", "PSNR, dB", "SSIM", "repeated: PSNR, dB", "SSIM"]
        means = np.mean([row[1:] for row in self.rows], axis=0)
        lines = [*self.rows, ("mean", *means)]
        return "\n".join(
            markdown_table(
                head,
                [
                    [str(name), f"{p:.2f}", f"{s:.4f}", f"{rp:.2f}", f"{rs:.4f}"]
                    for name, p, s, rp, rs in lines
                ],
            )
        )


def compare_film(
    model: Model,
    path: str | Path,
    animation: Animation,
    *,
    start_frame: int | None = None,
    max_size: int = 0,
    crop: bool = False,
    show_flow: bool = False,
    show_arrows: bool = False,
    fps: float = 10.0,
) -> ComparedFilm:
    """Predicts from inside of a video, and takes what really followed.

    Args:
      model: what predicts.
      path: the video.
      animation: how it is played on; its frames per prediction decide the pace.
      start_frame: the frame to predict from, the first is 0. None: the last that is
        followed by as many frames as are predicted.
      max_size: see `Model.animate`, as the others.
      crop: takes the centre square.
      show_flow: puts the flow beside each frame.
      show_arrows: draws the flow over the frames.
      fps: frames a second.

    Raises:
      InputError: no video, or nothing follows the start frame.
    """
    opened = open_video(path)
    start, real, before = real_frames(
        opened, animation.num_moments - 1, start_frame, NUM_BEFORE
    )
    moment = Moment(real[0], before, opened.timing.rate)
    real = [model.fit(frame, max_size, crop) for frame in real]
    told = model.told(animation.control, moment, real[0])
    animation = dataclasses.replace(animation, control=told)
    moments = animation.play(model.predictor, real[0])
    played = list(itertools.islice(moments, len(real)))
    rows = compare([shot.frame for (shot,) in played], real, start)
    frames = list(draw_film(played, show_flow, show_arrows, real))
    return ComparedFilm(frames, rows, start, animation.num_moments - len(real), fps)


def real_frames(
    video: Video, num_following: int, start: int | None = None, num_before: int = 0
) -> tuple[int, list[np.ndarray], list[np.ndarray]]:
    """Takes a start frame and up to `num_following` frames after it from a video.

    No gap in time lies between them. Where no start is given it is the last frame that
    has as many after it, or that has the most.

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
    """Scores predicted frames, uint8 [H, W, 3], and the start frame in their place.

    The first of both is the start frame, whose number is `start`; it is not scored.

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


def write_csv(path: str | Path, rows: Sequence[FrameScores]) -> None:
    """Writes a line a frame under the names of `FrameScores`' attributes."""
    with drafts.draft(path) as draft, draft.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(FrameScores._fields)
        writer.writerows([row.frame, *(f"{x:.6g}" for x in row[1:])] for row in rows)


def _scores(frame: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    ssim = tf.image.ssim(tf.constant(frame), tf.constant(truth), max_val=255)
    return float(psnr(frame, truth, most=np.inf)), float(ssim)
