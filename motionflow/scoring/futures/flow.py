"""Future flow of a model, and its distance from the labels.

    frames -> the model -> flow of step 0, 1, ..., T - 1 -> EPE and Dir where it moves

A step is one label: step k's belongs to the frame that is k steps later, cell by cell
of that frame. A model can say what comes next in several ways:

    composed, recursive  predict the first step, move the frame by all of it as
                         `rollout` does in this mode, predict again
    sequence             one prediction of all steps, by a network that has them
    repeat               the first step's flow in the same cells, again and again

Cells that move (nz) are those whose label's nearest centre is not the zero centre, at
each step by that step's label. EPE is in pixels of the frame a step; Dir is the cosine,
as in `cells`.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from motionflow.data.codebook import Codebook
from motionflow.generate import picture_flow, rollout, warp
from motionflow.models import decoding
from motionflow.models.predictor import Predictor
from motionflow.scoring.cells import flow_scores

WAYS = ("composed", "recursive")


def moving(flow: np.ndarray, codebook: Codebook) -> np.ndarray:
    """Where a label moves: [..., 2] -> bool [...]."""
    return codebook.encode(flow) != codebook.zero_index


def resized(flow: np.ndarray, side: int) -> np.ndarray:
    """Brings flow to another grid; vectors keep their values.

    Args:
      flow: [..., h, h, 2] in pixels of the frame.
      side: cells of the result; more are interpolated bilinearly, fewer are means over
        the area.

    Returns:
      float32 [..., side, side, 2].
    """
    flow = np.asarray(flow, np.float32)
    leading, found = flow.shape[:-3], flow.shape[-2]
    if found == side:
        return flow
    flow = flow.reshape(-1, found, found, 2)
    if found < side:
        flow = warp.resize_flow(flow, side, side).numpy()
    else:
        flow = tf.image.resize(flow, [side, side], method="area").numpy()
    return flow.reshape(*leading, side, side, 2)


def finest_flow(model: Predictor, output: Mapping[str, tf.Tensor]) -> np.ndarray:
    """Expected flow of all steps on the model's finest grid.

    Args:
      model: of `fine_size` s.
      output: its predictions, with step_probabilities [B, T, s * s, K].

    Returns:
      float32 [B, T, s, s, 2], pixels of the frame.
    """
    probabilities = np.asarray(output["step_probabilities"])
    flow = decoding.expected_flow(probabilities, model.centers)
    return flow.reshape(*flow.shape[:2], model.fine_size, model.fine_size, 2)


def steps_ahead(
    model: Predictor,
    frames: np.ndarray,
    output: Mapping[str, tf.Tensor],
    num_steps: int,
) -> dict[str, np.ndarray]:
    """Coarse flow of the next steps, in each way that a model has.

    Args:
      model: predicts these frames.
      frames: uint8 [B, S, S, 3].
      output: what it says of them.
      num_steps: T.

    Returns:
      way -> float32 [B, T, g, g, 2]; `sequence` only for a model of several steps, NaN
      in those that it lacks.
    """
    found = {way: _rolled(model, frames, num_steps, way) for way in WAYS}
    first = np.asarray(output["flow"], np.float32)[:, np.newaxis]
    if model.num_steps > 1:
        flow = resized(finest_flow(model, output)[:, :num_steps], model.grid_size)
        missing = np.full_like(first, np.nan)
        missing = missing.repeat(max(num_steps - flow.shape[1], 0), axis=1)
        found["sequence"] = np.concatenate([flow, missing], axis=1)
    return found | {"repeat": first.repeat(num_steps, axis=1)}


class _Recorder:
    """A predictor that remembers the coarse flow of each call."""

    def __init__(self, model: Predictor):
        self._model, self.flow = model, []

    def __getattr__(self, name: str):
        return getattr(self._model, name)

    def __call__(self, frames: tf.Tensor) -> dict[str, tf.Tensor]:
        output = self._model(frames)
        self.flow.append(np.asarray(output["flow"], np.float32))
        return output


def _rolled(
    model: Predictor, frames: np.ndarray, num_steps: int, mode: str
) -> np.ndarray:
    """What a model says of each frame that it has moved itself: [B, T, g, g, 2]."""
    recorder = _Recorder(model)
    function = picture_flow.flow_function(recorder)
    for _ in rollout.iterate(function, frames, num_steps, 1, mode):
        pass
    return np.stack(recorder.flow, axis=1)


def step_sums(
    flow: np.ndarray, true: np.ndarray, mask: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """EPE and Dir of each step over the cells of a mask.

    Args:
      flow: [B, T, h, w, 2]; a step with NaN is not there.
      true: the same shape.
      mask: bool [B, T, h, w].

    Returns:
      "epe", "dir" -> sums [B, T] and how many cells they are of [B, T].
    """
    scores = flow_scores(np.float64(flow), np.float64(true))
    count = mask.sum(axis=(2, 3)) * ~np.isnan(scores[..., 0]).any(axis=(2, 3))
    sums = np.where(mask[..., np.newaxis], scores, 0).sum(axis=(2, 3))
    return {"epe": (sums[..., 0], count), "dir": (sums[..., 1], count)}


def sampled_steps(
    model: Predictor,
    frames: np.ndarray,
    output: Mapping[str, tf.Tensor],
    noise: np.ndarray,
    num_steps: int,
) -> np.ndarray:
    """Draws whole futures; a future keeps its noise through all of its steps.

    Args:
      model: predicts these frames.
      frames: uint8 [B, S, S, 3].
      output: what it says of them.
      noise: [n, g * g, K], see `decoding.future_noise`.
      num_steps: T; a model of fewer steps repeats its last.

    Returns:
      float32 [n, B, T, g, g, 2].
    """
    side = model.grid_size
    if model.num_steps > 1:
        flow = resized(model.sample_steps(frames, noise), side)[:, :, :num_steps]
    else:
        probabilities = np.asarray(output["probabilities"])
        flow = decoding.sample_flows(probabilities, model.centers, noise)
        flow = flow.reshape(*flow.shape[:2], 1, side, side, 2)
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
    return np.float64(wholes.min(axis=0))[:, np.newaxis], (used > 0)[:, np.newaxis]
