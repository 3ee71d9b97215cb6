"""Drawn futures of a model, and how near the best of them comes.

    what a model says, noise -> n whole futures [n, B, T, g, g, 2] -> EPE of the best

A model that is unsure should draw what happens among other things: of n futures the
best counts (Walker et al. 2016 judge trajectories so).
"""

import numpy as np

from motionflow.models import decoding
from motionflow.models.predictor import Predictor
from motionflow.scoring.futures.flow import Told, resized


def sampled_steps(
    model: Predictor,
    frames: np.ndarray,
    told: Told,
    noise: np.ndarray,
    num_steps: int,
) -> np.ndarray:
    """Draws whole futures; a future keeps its noise through all of its steps.

    Args:
      model: predicts these frames.
      frames: uint8 [B, S, S, 3].
      told: what it says of them.
      noise: [n, g, g, K], see `decoding.future_noise`.
      num_steps: T; a model of fewer steps repeats its last.

    Returns:
      float32 [n, B, T, g, g, 2].
    """
    if model.num_steps > 1:
        steps = model.sample_steps(frames, noise)
        flow = resized(steps, model.grid_size)[:, :, :num_steps]
    else:
        flow = decoding.sample_flows(told.probabilities, model.centers, noise)
        flow = flow[:, :, np.newaxis]
    last = flow[:, :, -1:].repeat(num_steps - flow.shape[2], axis=2)
    return np.concatenate([flow, last], axis=2)


def best_of_n(
    futures: np.ndarray, true: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """EPE of each sample's best future, chosen as a whole.

    A future's EPE is the mean over steps of each step's mean over the cells of the
    mask; steps without such cells are left out.

    Args:
      futures: [n, B, T, h, w, 2].
      true: [B, T, h, w, 2].
      mask: bool [B, T, h, w].

    Returns:
      float64 [B, 1], and whether the sample has a cell in the mask, bool [B, 1].
    """
    epe = np.linalg.norm(futures - true, axis=-1)
    count = mask.sum(axis=(2, 3))
    means = np.where(mask, epe, 0).sum(axis=(3, 4)) / np.maximum(count, 1)
    used = (count > 0).sum(axis=1)
    wholes = means.sum(axis=2) / np.maximum(used, 1)
    best = wholes.min(axis=0).astype(np.float64)
    return best[:, np.newaxis], (used > 0)[:, np.newaxis]
