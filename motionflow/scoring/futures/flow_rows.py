"""Models on batches of samples -> rows of the flow scores.

    frames, labels -> each model once -> Totals

full_size_epe_all, full_size_epe_nz   the finest flow of the first step at the size of
                        the stored dense flow, beside the coarse flow and the true
                        coarse flow brought to that size: what the grid alone costs
step_epe_nz, step_dir_nz              the steps ahead, in each way a model has
first_best_epe_nz, whole_best_epe_nz  the best of n drawn futures, by its first step and
                        by all of its steps; a mean over samples that move
"""

from collections.abc import Callable, Mapping

import numpy as np

from motionflow.data.data_dir import DataDir
from motionflow.labels.codebook import Codebook
from motionflow.models import decoding
from motionflow.models.predictor import Predictor
from motionflow.scoring.futures import draws
from motionflow.scoring.futures import flow as flows
from motionflow.scoring.futures.sample_choice import Choice, Seen, look, read_batches
from motionflow.scoring.futures.totals import Totals

ZERO = "zero flow"


class FlowRows:
    """Adds batches to the flow scores.

    Args:
      models: by the names of their rows.
      codebook: of the data: says which cells move.
      totals: what to add to.
      num_futures: drawn from each model.
      seed: of what is drawn; the same noise for each model of as many classes.
    """

    def __init__(
        self,
        models: Mapping[str, Predictor],
        codebook: Codebook,
        totals: Totals,
        num_futures: int = 10,
        seed: int = 0,
    ):
        self._models, self._codebook, self._totals = models, codebook, totals
        self._noise = {
            name: decoding.future_noise(
                num_futures, (model.grid_size,) * 2, len(model.centers), seed
            )
            for name, model in models.items()
        }

    def update(
        self,
        clips: np.ndarray,
        frames: np.ndarray,
        true: np.ndarray,
        dense: np.ndarray | None = None,
    ) -> None:
        """Adds one batch.

        Args:
          clips: int [B], the row of each sample's clip.
          frames: uint8 [B, S, S, 3].
          true: float32 [B, T, g, g, 2], the labels of the next T steps.
          dense: float32 [B, 1, D, D, 2], the first label at full size, if it is kept.

        Raises:
          InputError: a model predicts what is not finite.
        """
        told = {name: flows.ask(model, frames) for name, model in self._models.items()}
        if dense is not None:
            self._add_full_size(clips, told, true, dense)
        mask = flows.moving(true, self._codebook)
        if true.shape[1] > 1:
            self._add_steps(clips, frames, told, true, mask)
        self._add_best(clips, frames, told, true, mask)

    def add_all(
        self,
        data: DataDir,
        split: str,
        choice: Choice,
        batch_size: int,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Seen:
        """Adds the chosen samples of a data directory.

        Args:
          data: with steps and dense flow, or without.
          split: which samples.
          choice: of this split.
          batch_size: samples at a time.
          progress: called with (samples done, samples in all).

        Returns:
          what the records say of the samples.
        """
        seen = []
        views = [data.view(dense=False, sequence=data.labels.sequence_length > 1)]
        if data.labels.store_dense_flow:
            views.append(data.view(dense=True, sequence=False))
        batches = (read_batches(view, split, choice, batch_size) for view in views)
        start = 0
        for batch, *dense in zip(*batches, strict=True):
            frames, true = batch["frames"], batch["flow"]
            clips = choice.rows[start : start + len(frames)]
            self.update(clips, frames, true, *(one["flow"] for one in dense))
            motion = np.linalg.norm(true[:, 0], axis=-1).mean(axis=(1, 2))
            moving = flows.moving(true[:, 0], self._codebook)
            seen.append((moving, motion, look(frames)))
            start += len(frames)
            progress(start, len(choice.indices))
        return Seen(*map(np.concatenate, zip(*seen, strict=True)))

    def _add_full_size(
        self,
        clips: np.ndarray,
        told: Mapping[str, flows.Told],
        true: np.ndarray,
        dense: np.ndarray,
    ) -> None:
        size, masks = dense.shape[-2], {"nz": flows.moving(dense, self._codebook)}
        masks["all"] = np.ones_like(masks["nz"])
        for row, flow in self._full_size_rows(told, true).items():
            for name in ("all", "nz"):
                sums = flows.step_sums(flows.resized(flow, size), dense, masks[name])
                self._totals.add(f"full_size_epe_{name}", row, clips, *sums["epe"])

    def _full_size_rows(
        self, told: Mapping[str, flows.Told], true: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Flow of the first step on whatever grid, [B, 1, h, h, 2]."""
        rows = {}
        for name, model in self._models.items():
            rows[name], side = told[name].finest[:, :1], model.grid_size
            if model.fine_size > side:
                coarse = told[name].flow[:, np.newaxis]
                rows[f"{name}, its {side}x{side} upsampled"] = coarse
        side = true.shape[-2]
        rows[f"true flow of {side}x{side}, upsampled"] = true[:, :1]
        return rows | {ZERO: np.zeros_like(true[:, :1])}

    def _add_steps(
        self,
        clips: np.ndarray,
        frames: np.ndarray,
        told: Mapping[str, flows.Told],
        true: np.ndarray,
        mask: np.ndarray,
    ) -> None:
        rows = {ZERO: np.zeros_like(true)}
        for name, model in self._models.items():
            ahead = flows.steps_ahead(model, frames, told[name], true.shape[1])
            rows |= {f"{name}, {way}": flow for way, flow in ahead.items()}
        rows[ZERO] = rows.pop(ZERO)  # to the end
        for row, flow in rows.items():
            for score, sums in flows.step_sums(flow, true, mask).items():
                self._totals.add(f"step_{score}_nz", row, clips, *sums)

    def _add_best(
        self,
        clips: np.ndarray,
        frames: np.ndarray,
        told: Mapping[str, flows.Told],
        true: np.ndarray,
        mask: np.ndarray,
    ) -> None:
        steps = true.shape[1]
        for name, model in self._models.items():
            drawn = draws.sampled_steps(
                model, frames, told[name], self._noise[name], steps
            )
            self._add_futures(name, clips, drawn, true, mask)
        self._add_futures(ZERO, clips, np.zeros_like(true)[np.newaxis], true, mask)

    def _add_futures(
        self,
        row: str,
        clips: np.ndarray,
        futures: np.ndarray,
        true: np.ndarray,
        mask: np.ndarray,
    ) -> None:
        first = futures[:, :, :1], true[:, :1], mask[:, :1]
        best = draws.best_of_n(*first)
        self._totals.add("first_best_epe_nz", row, clips, *best)
        if true.shape[1] > 1:
            best = draws.best_of_n(futures, true, mask)
            self._totals.add("whole_best_epe_nz", row, clips, *best)
