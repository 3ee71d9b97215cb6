"""Future flow of models, and its distance from the labels.

    frames -> the model -> flow of step 0, 1, ..., T - 1 -> EPE and Dir where it moves
           -> n drawn futures [n, B, T, g, g, 2]         -> EPE of the best

A step is one label: step k's belongs to the frame that is k steps later, cell by cell
of that frame. Cells that move (nz) are those whose label's nearest centre is not the
zero centre, at each step by that step's label. EPE is in pixels of the frame a step.

    full_size   the finest flow of the first step at the size of the stored dense flow,
                beside the coarse flow and the true coarse flow brought to that size:
                what the grid alone costs
    step        the steps ahead: composed and recursive predict the first step, move the
                frame by all of it as `rollout` does in this mode and predict again;
                sequence is one prediction of all steps; repeat is the first step's flow
    best        of n drawn futures, by the first step and as a whole: a model that is
                unsure should draw what happens among other things (Walker et al. 2016)
"""

import dataclasses
from collections.abc import Iterator, Mapping
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
from motionflow.scoring.films import counted
from motionflow.scoring.scores import ZERO

Found = Iterator[tuple[str, str, np.ndarray]]  # score, row, [B, places, 2]
_ROLLED = ("composed", "recursive")


def moving(flow: np.ndarray, codebook: Codebook) -> np.ndarray:
    """Where a label moves: [..., 2] -> bool [...]."""
    return codebook.encode(flow) != codebook.zero_index


@dataclasses.dataclass(frozen=True)
class Forecast:
    """What a model predicts of frames; probabilities of fine grids are not kept.

    Attributes:
      flow: float32 [B, g, g, 2] of the first step, pixels of the frame.
      probabilities: float32 [B, g, g, K] of the first step.
      finest: float32 [B, T, s, s, 2], expected flow of all steps on the finest grid.
    """

    flow: np.ndarray
    probabilities: np.ndarray
    finest: np.ndarray

    @classmethod
    def of_model(cls, model: Predictor, frames: np.ndarray) -> "Forecast":
        """Predicts frames, uint8 [B, S, S, 3].

        Raises:
          InputError: what is predicted is not finite.
        """
        output = model(frames)
        steps = output["step_probabilities"].numpy()
        forecast = cls(
            output["flow"].numpy(),
            output["probabilities"].numpy(),
            steps @ model.centers,
        )
        if not all(np.isfinite(values).all() for values in vars(forecast).values()):
            raise InputError(
                "the predictions hold NaN or infinity, expected finite numbers: the "
                "model has probably diverged"
            )
        return forecast


class ForecastRows:
    """Models, measured batch by batch.

    Args:
      models: by the names of their rows.
      codebook: of the data: says which cells move.
      num_futures: drawn from each model.
      seed: of what is drawn; the same noise for each model of as many classes.
    """

    def __init__(
        self,
        models: Mapping[str, Predictor],
        codebook: Codebook,
        num_futures: int = 10,
        seed: int = 0,
    ):
        self._models, self._codebook = models, codebook
        self._noise = {
            name: decoding.future_noise(
                num_futures, (model.grid_size,) * 2, len(model.centers), seed
            )
            for name, model in models.items()
        }

    def sums(
        self, frames: np.ndarray, true: np.ndarray, dense: np.ndarray | None = None
    ) -> Found:
        """Measures a batch.

        Args:
          frames: uint8 [B, S, S, 3].
          true: float32 [B, T, g, g, 2], the labels of the next T steps.
          dense: float32 [B, 1, D, D, 2], the first label at full size, if it is kept.

        Yields:
          score, row, and [B, places, 2], see `films.counted`.

        Raises:
          InputError: a model predicts what is not finite.
        """
        forecasts = {
            name: Forecast.of_model(model, frames)
            for name, model in self._models.items()
        }
        if dense is not None:
            yield from self._full_size(forecasts, true, dense)
        mask = moving(true, self._codebook)
        if true.shape[1] > 1:
            yield from self._steps(frames, forecasts, true, mask)
        yield from self._best(frames, forecasts, true, mask)

    def _full_size(
        self, forecasts: Mapping[str, Forecast], true: np.ndarray, dense: np.ndarray
    ) -> Found:
        rows = {}  # flow of the first step on whatever grid, [B, 1, h, h, 2]
        for name, model in self._models.items():
            rows[name], side = forecasts[name].finest[:, :1], model.grid_size
            if model.fine_size > side:
                coarse = forecasts[name].flow[:, np.newaxis]
                rows[f"{name}, its {side}x{side} upsampled"] = coarse
        side = true.shape[-2]
        rows[f"true flow of {side}x{side}, upsampled"] = true[:, :1]
        rows[ZERO] = np.zeros_like(true[:, :1])
        side, masks = dense.shape[-2], {"nz": moving(dense, self._codebook)}
        masks["all"] = np.ones_like(masks["nz"])
        for row, flow in rows.items():
            flow = resize(flow, side, side).numpy()
            for name in ("all", "nz"):
                epe, _ = step_sums(flow, dense, masks[name])
                yield f"full_size_epe_{name}", row, epe

    def _steps(
        self,
        frames: np.ndarray,
        forecasts: Mapping[str, Forecast],
        true: np.ndarray,
        mask: np.ndarray,
    ) -> Found:
        rows: dict[str, np.ndarray] = {}
        for name, model in self._models.items():
            ahead = steps_ahead(model, frames, forecasts[name], true.shape[1])
            rows |= {f"{name}, {mode}": flow for mode, flow in ahead.items()}
        for row, flow in (rows | {ZERO: np.zeros_like(true)}).items():
            epe, cosine = step_sums(flow, true, mask)
            yield "step_epe_nz", row, epe
            yield "step_dir_nz", row, cosine

    def _best(
        self,
        frames: np.ndarray,
        forecasts: Mapping[str, Forecast],
        true: np.ndarray,
        mask: np.ndarray,
    ) -> Found:
        steps, drawn = true.shape[1], {}
        for name, model in self._models.items():
            arguments = frames, forecasts[name], self._noise[name], steps
            drawn[name] = sampled_steps(model, *arguments)
        drawn[ZERO] = np.zeros_like(true)[np.newaxis]
        for row, futures in drawn.items():
            first = futures[:, :, :1], true[:, :1], mask[:, :1]
            yield "first_best_epe_nz", row, best_of_n(*first)
            if steps > 1:
                yield "whole_best_epe_nz", row, best_of_n(futures, true, mask)


def steps_ahead(
    model: Predictor, frames: np.ndarray, forecast: Forecast, num_steps: int
) -> dict[str, np.ndarray]:
    """Coarse flow of the next steps, in each mode that a model has.

    Returns:
      mode -> float32 [B, T, g, g, 2]; `sequence` only for a model of several steps, NaN
      in those that it lacks.
    """
    found = {mode: _rolled(model, frames, num_steps, mode) for mode in _ROLLED}
    first = forecast.flow[:, np.newaxis]
    if model.num_steps > 1:
        flow = _on_grid(forecast.finest[:, :num_steps], model)
        missing = np.full_like(first, np.nan)
        missing = missing.repeat(max(num_steps - flow.shape[1], 0), axis=1)
        found["sequence"] = np.concatenate([flow, missing], axis=1)
    return found | {"repeat": first.repeat(num_steps, axis=1)}


def _on_grid(flow: np.ndarray | tf.Tensor, model: Predictor) -> np.ndarray:
    """Flow [..., s, s, 2] on a model's grid."""
    return resize(flow, model.grid_size, model.grid_size).numpy()


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
) -> tuple[np.ndarray, np.ndarray]:
    """EPE and Dir of each step over the cells of a mask, bool [B, T, h, w].

    Of [B, T, h, w, 2] twice: a step of the flow with NaN is not there. Each is [B, T,
    2], the sum and how many cells it is of.
    """
    scores = flow_scores(np.asarray(flow, np.float64), np.asarray(true, np.float64))
    count = mask.sum(axis=(2, 3)) * ~np.isnan(scores[..., 0]).any(axis=(2, 3))
    sums = np.where(mask[..., np.newaxis], scores, 0).sum(axis=(2, 3))
    return counted(sums[..., 0], count), counted(sums[..., 1], count)


def sampled_steps(
    model: Predictor,
    frames: np.ndarray,
    forecast: Forecast,
    noise: np.ndarray,
    num_steps: int,
) -> np.ndarray:
    """Draws whole futures, float32 [n, B, T, g, g, 2].

    A future keeps its noise, [n, g, g, K] of `decoding.future_noise`, through all of
    its steps; a model of fewer steps repeats its last.
    """
    if model.num_steps > 1:
        steps = model.sample_steps(frames, noise)
        flow = _on_grid(steps, model)[:, :, :num_steps]
    else:
        flow = decoding.sample_flows(forecast.probabilities, model.centers, noise)
        flow = flow[:, :, np.newaxis]
    last = flow[:, :, -1:].repeat(num_steps - flow.shape[2], axis=2)
    return np.concatenate([flow, last], axis=2)


def best_of_n(futures: np.ndarray, true: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """EPE of each sample's best future, chosen as a whole.

    A future's EPE is the mean over steps of each step's mean over the cells of the
    mask; steps without such cells are left out. Futures [n, B, T, h, w, 2], true [B, T,
    h, w, 2] and mask bool [B, T, h, w] -> [B, 1, 2]: the EPE, and whether there is one.
    """
    epe = np.linalg.norm(futures - true, axis=-1)
    count = mask.sum(axis=(2, 3))
    means = np.where(mask, epe, 0).sum(axis=(3, 4)) / np.maximum(count, 1)
    used = (count > 0).sum(axis=1)
    best = (means.sum(axis=2) / np.maximum(used, 1)).min(axis=0)
    return counted(best[:, np.newaxis], (used > 0)[:, np.newaxis])
