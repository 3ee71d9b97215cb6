"""Rolled-out frames, and their distance from those of the video.

    clip, places --followings--> the start frame and what really followed, fitted
    start frame  --rolled_out--> what a model makes of it, at the same pace
    both         --compare-----> PSNR and SSIM where the start frame moves

The frames are decoded, fitted and searched for shot cuts and duplicates as for the
labels. A sample counts at the frames before the first break (or the video's end), for
only these show the same motion at one pace.

Both scores look at a mask, the pixels of the start frame's moving cells: what is still
would drown them. PSNR is 10 log10(255^2 / MSE) in dB, MSE over the mask's pixels and
colours, at most 100 dB for frames that are all but equal. SSIM (Wang et al. 2004) is
TensorFlow's map, its mean over the mask; frames are mirrored at their border, so that
each pixel has its window of 11x11.
"""

import dataclasses
import itertools
import math
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.generate import picture_flow, rollout
from motionflow.media.continuity import Step, marked_steps
from motionflow.media.video import fit_frame, open_video
from motionflow.models.predictor import Predictor

_LOWEST_MSE = 255**2 / 1e10  # 100 dB
_MARGIN = 5  # pixels, half of SSIM's window


@dataclasses.dataclass
class Following:
    """A start frame and what followed it.

    Attributes:
      start: uint8 [S, S, 3].
      frames: number of frames after the start -> uint8 [S, S, 3]; those asked for.
      num_frames: how many follow without a break, at most as many as were asked for.
      ended_by: "cut", "duplicate", "" (the video's end, or as many as asked for).
    """

    start: np.ndarray
    frames: dict[int, np.ndarray] = dataclasses.field(default_factory=dict)
    num_frames: int = 0
    ended_by: str = ""


def followings(
    path: str | Path,
    starts: Collection[int],
    offsets: Collection[int],
    frame_size: int,
    skip_duplicates: bool = False,
) -> dict[int, Following]:
    """Reads what follows some frames of a video, holding only what is asked for.

    Args:
      path: the video file.
      starts: numbers of the start frames.
      offsets: which frames after each start to keep, from 1 on.
      frame_size: S.
      skip_duplicates: goes on to the next frame that differs, as labels made with
        `duplicates` "remove" do.

    Returns:
      start -> what followed.

    Raises:
      InputError: no such video, or it has no such frame.
    """
    starts, last = set(starts), max(offsets)
    found: dict[int, Following] = {}
    running: list[Following] = []
    for step in _steps(path, frame_size, skip_duplicates):
        for film in running:
            _go_on(film, step, offsets)
        running = [f for f in running if not f.ended_by and f.num_frames < last]
        if step.index in starts:
            found[step.index] = Following(step.frame)
            running.append(found[step.index])
        if not running and len(found) == len(starts):
            break
    if missing := starts - set(found):
        raise InputError(
            f"{path} has no frame {min(missing)} to start from: are these the videos "
            "that the data were made from?"
        )
    return found


def _go_on(film: Following, step: Step, offsets: Collection[int]) -> None:
    if step.mark:
        film.ended_by = step.mark
        return
    film.num_frames += 1
    if film.num_frames in offsets:
        film.frames[film.num_frames] = step.frame


def _steps(path: str | Path, frame_size: int, skip_duplicates: bool) -> Iterator[Step]:
    video = open_video(path)
    fitted = (fit_frame(frame, frame_size) for frame in video.read())
    return marked_steps(fitted, skip_duplicates, video.timing.gaps)


def ways(model: Predictor) -> list[str]:
    """The modes of `rollout` that a model's films are compared in."""
    return ["composed", *["sequence"] * (model.num_steps > 1)]


def rolled_out(
    model: Predictor,
    frames: np.ndarray,
    mode: str,
    step_frames: int,
    offsets: Collection[int],
) -> dict[int, np.ndarray]:
    """Rolls frames out at the pace of the labels.

    Args:
      model: predicts these frames.
      frames: uint8 [B, S, S, 3].
      mode: of `rollout`.
      step_frames: frames of video that one label takes.
      offsets: which frames to keep, from 1 on.

    Returns:
      offset -> uint8 [B, S, S, 3].
    """
    make = picture_flow.flow_function
    if mode == "sequence":
        make = picture_flow.sequence_function
    last = max(offsets)
    num_predictions = math.ceil(last / step_frames)
    film = rollout.iterate(make(model), frames, num_predictions, step_frames, mode)
    return {
        number: rollout.to_uint8(frame)
        for number, frame in enumerate(itertools.islice(film, last), start=1)
        if number in offsets
    }


def pixel_mask(cells: np.ndarray, frame_size: int) -> np.ndarray:
    """Cells bool [B, g, g] -> their pixels, bool [B, S, S]; S is a multiple of g."""
    block = frame_size // cells.shape[-1]
    return cells.repeat(block, axis=1).repeat(block, axis=2)


def masked_psnr(frames: np.ndarray, real: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """PSNR over the pixels of a mask.

    Args:
      frames: uint8 [B, S, S, 3].
      real: uint8 [B, S, S, 3].
      mask: bool [B, S, S].

    Returns:
      float64 [B], dB; NaN where the mask is empty.
    """
    errors = (frames.astype(np.float64) - real) ** 2
    return 10 * np.log10(255**2 / np.maximum(_mean(errors.mean(-1), mask), _LOWEST_MSE))


def masked_ssim(frames: np.ndarray, real: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean of the SSIM map over a mask, see `masked_psnr`: float64 [B]."""
    return _mean(_ssim_map(tf.constant(frames), tf.constant(real)).numpy(), mask)


@tf.function(reduce_retracing=True, autograph=False)
def _ssim_map(frames: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """SSIM at each pixel: uint8 [B, S, S, 3] twice -> float32 [B, S, S]."""
    margins = [[0, 0], [_MARGIN, _MARGIN], [_MARGIN, _MARGIN], [0, 0]]
    padded = [tf.pad(side, margins, "SYMMETRIC") for side in (frames, real)]
    return tf.image.ssim(*padded, max_val=255, return_index_map=True)


def _mean(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # an empty mask
        total = np.where(mask, np.float64(values), 0).sum(axis=(1, 2))
        return total / mask.sum(axis=(1, 2))
