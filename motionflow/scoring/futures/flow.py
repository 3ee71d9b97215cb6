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

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.generate import picture_flow, rollout
from motionflow.generate.fitting import resize
from motionflow.labels.codebook import Codebook
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
    return resize(flow, side, side).numpy()


@dataclasses.dataclass(frozen=True)
class Told:
    """What a model says of frames; the probabilities of fine grids are not kept.

    Attributes:
      flow: float32 [B, g, g, 2] of the first step, pixels of the frame.
      probabilities: float32 [B, g, g, K] of the first step.
      finest: float32 [B, T, s, s, 2], expected flow of all steps on the finest grid.
    """

    flow: np.ndarray
    probabilities: np.ndarray
    finest: np.ndarray


def ask(model: Predictor, frames: np.ndarray) -> Told:
    """Asks a model about frames, uint8 [B, S, S, 3].

    Raises:
      InputError: it predicts what is not finite.
    """
    output = model(frames)
    told = Told(
        output["flow"].numpy(),
        output["probabilities"].numpy(),
        decoding.expected_flow(output["step_probabilities"].numpy(), model.centers),
    )
    if not all(np.isfinite(values).all() for values in vars(told).values()):
        raise InputError(
            "the predictions hold NaN or infinity, expected finite numbers: the model "
            "has probably diverged"
        )
    return told


def steps_ahead(
    model: Predictor,
    frames: np.ndarray,
    told: Told,
    num_steps: int,
) -> dict[str, np.ndarray]:
    """Coarse flow of the next steps, in each way that a model has.

    Args:
      model: predicts these frames.
      frames: uint8 [B, S, S, 3].
      told: what it says of them.
      num_steps: T.

    Returns:
      way -> float32 [B, T, g, g, 2]; `sequence` only for a model of several steps, NaN
      in those that it lacks.
    """
    found = {way: _rolled(model, frames, num_steps, way) for way in WAYS}
    first = told.flow[:, np.newaxis]
    if model.num_steps > 1:
        flow = resized(told.finest[:, :num_steps], model.grid_size)
        missing = np.full_like(first, np.nan)
        missing = missing.repeat(max(num_steps - flow.shape[1], 0), axis=1)
        found["sequence"] = np.concatenate([flow, missing], axis=1)
    return found | {"repeat": first.repeat(num_steps, axis=1)}


class _Recorder:
    """A predictor that remembers the coarse flow of each call."""

    def __init__(self, model: Predictor):
        self._model = model
        self.flow: list[np.ndarray] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, frames: tf.Tensor) -> dict[str, tf.Tensor]:
        output = self._model(frames)
        self.flow.append(output["flow"].numpy())
        return output


def _rolled(
    model: Predictor, frames: np.ndarray, num_steps: int, mode: str
) -> np.ndarray:
    """What a model says of each frame that it has moved itself: [B, T, g, g, 2]."""
    recorder: Any = _Recorder(model)  # in the place of a Predictor
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
    scores = flow_scores(np.asarray(flow, np.float64), np.asarray(true, np.float64))
    count = mask.sum(axis=(2, 3)) * ~np.isnan(scores[..., 0]).any(axis=(2, 3))
    sums = np.where(mask[..., np.newaxis], scores, 0).sum(axis=(2, 3))
    return {"epe": (sums[..., 0], count), "dir": (sums[..., 1], count)}
