"""Films of models beside the videos that the data were made from.

    start frames --rolled_out--> what a model makes of them, at the pace of the labels
    film, what followed --film_sums--> PSNR and SSIM where the start frame moves

video_psnr, video_ssim   1, 5 and 25 frames after the start
step_psnr                1, 2, ..., T steps after it, where the data has several steps

Both scores look at a mask, the pixels of the start frame's moving cells: what is still
would drown them. PSNR is 10 log10(255^2 / MSE) in dB, MSE over the mask's pixels and
colours, at most 100 dB for frames that are all but equal. SSIM (Wang et al. 2004) is
TensorFlow's map, its mean over the mask; frames are mirrored at their border, so that
each pixel has its window of 11x11.

A sample without a moving cell has no pixels to score and is left out; one whose video
ends or breaks off counts for the frames before.
"""

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from motionflow.compat import graph
from motionflow.generate import picture_flow, rollout
from motionflow.generate.likeness import masked_mean, psnr
from motionflow.models.predictor import Predictor
from motionflow.scoring.samples import RealFrames, Videos

FRAMES_AHEAD = (1, 5, 25)
REPEATED = "start frame repeated"
_MARGIN = 5  # pixels, half of SSIM's window


def film_sums(
    models: Mapping[str, Predictor],
    found: Sequence[RealFrames],
    mask: np.ndarray,
    videos: Videos,
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Rolls samples out and compares them with what really followed each.

    Args:
      models: by the names of their rows.
      found: what followed.
      mask: bool [B, S, S], see `pixel_mask`.
      videos: how they were labelled.

    Yields:
      score, row, and [B, places, 2], see `counted`.
    """
    offsets = all_offsets(videos)
    for row, film in _films(models, found, videos.step_frames, offsets):
        scores = _film_scores(film, found, mask, offsets)
        ahead = [offsets.index(offset) for offset in FRAMES_AHEAD]
        for kind, values in scores.items():
            yield f"video_{kind}", row, counted(values[:, ahead])
        if ends := [offsets.index(offset) for offset in videos.step_offsets]:
            yield "step_psnr", row, counted(scores["psnr"][:, ends])


def all_offsets(videos: Videos) -> list[int]:
    """Frames after the start that are compared, ascending."""
    return sorted({*FRAMES_AHEAD, *videos.step_offsets})


def counted(sums: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
    """Sums beside what they are sums of: [B, places] -> [B, places, 2].

    Args:
      sums: not looked at where the count is 0.
      counts: of the same shape; None counts each number that is not NaN once.
    """
    counts = ~np.isnan(sums) if counts is None else counts
    return np.stack([np.where(counts, sums, 0), counts], axis=-1).astype(np.float64)


def _films(
    models: Mapping[str, Predictor],
    found: Sequence[RealFrames],
    step_frames: int,
    offsets: Sequence[int],
) -> Iterator[tuple[str, dict[int, np.ndarray]]]:
    """Films of all rows: row, and offset -> uint8 [B, S, S, 3]."""
    starts = np.stack([film.start for film in found])
    longest = max(film.num_frames for film in found)
    wanted = [offset for offset in offsets if offset <= longest]
    for name, model in models.items():
        for mode in film_modes(model):
            arguments = model, starts, mode, step_frames, wanted
            # A row without frames keeps its place among the rows.
            yield f"{name}, {mode}", rolled_out(*arguments) if wanted else {}
    yield REPEATED, dict.fromkeys(wanted, starts)


def _film_scores(
    film: Mapping[int, np.ndarray],
    found: Sequence[RealFrames],
    mask: np.ndarray,
    offsets: Sequence[int],
) -> dict[str, np.ndarray]:
    """PSNR and SSIM, [B, offsets]; NaN where there is no frame to compare with."""
    shape = len(found), len(offsets)
    scores = {kind: np.full(shape, np.nan) for kind in ("psnr", "ssim")}
    for place, offset in enumerate(offsets):
        there = [i for i, one in enumerate(found) if offset in one.frames]
        if there:
            real = np.stack([found[i].frames[offset] for i in there])
            compared = film[offset][there], real, mask[there]
            scores["psnr"][there, place] = psnr(*compared)
            if offset in FRAMES_AHEAD:
                scores["ssim"][there, place] = masked_ssim(*compared)
    return scores


def film_modes(model: Predictor) -> list[str]:
    """The modes of `rollout` that a model's films are compared in."""
    return ["composed", *["sequence"] * (model.num_steps > 1)]


def rolled_out(
    model: Predictor,
    frames: np.ndarray,
    mode: str,
    step_frames: int,
    offsets: Collection[int],
) -> dict[int, np.ndarray]:
    """Rolls frames, uint8 [B, S, S, 3], out in a mode of `rollout`.

    A label takes `step_frames` frames of video. Those at `offsets`, from 1 on, are
    kept: offset -> uint8 [B, S, S, 3].
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


def masked_ssim(frames: np.ndarray, real: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean of the SSIM map over a mask, see `likeness.psnr`: float64 [B]."""
    return masked_mean(_ssim_map(tf.constant(frames), tf.constant(real)).numpy(), mask)


@graph(reduce_retracing=True)
def _ssim_map(frames: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """SSIM at each pixel: uint8 [B, S, S, 3] twice -> float32 [B, S, S]."""
    margins = [[0, 0], [_MARGIN, _MARGIN], [_MARGIN, _MARGIN], [0, 0]]
    padded = [tf.pad(side, margins, "SYMMETRIC") for side in (frames, real)]
    return tf.image.ssim(*padded, max_val=255, return_index_map=True)
