"""Models and naive rivals over a split, told the same -> sums of each clip.

    batch --kind by kind--> known [B, g, g, 7] --> models, naive rivals --> sums
          --told nothing--> zero flow, class prior, models that cannot be told

Told cells count in no mask.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from motionflow.baselines.arrows import draw_batch
from motionflow.baselines.known import Kind, NaiveMotion, fit_naive
from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir
from motionflow.labels.codebook import Codebook
from motionflow.scoring.cells import MASKS, Prediction, Truth
from motionflow.scoring.clip_sums import CELL_COLUMNS, cell_scores
from motionflow.scoring.evaluation import read_index
from motionflow.scoring.known.told_sums import USED_MASKS, ToldSums
from motionflow.scoring.model_rows import ModelRows

Predict = Callable[[np.ndarray], Mapping[str, Any]]
_PLACES = [MASKS.index(mask) for mask in USED_MASKS]


def measure(
    models: Mapping[str, ModelRows],
    constants: Mapping[str, Predict],
    data: DataDir,
    split: str,
    kinds: Sequence[Kind],
    batch_size: int,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ToldSums:
    """Runs all of them over a split, each sample once.

    Args:
      models: by the names of their rows, without decodings; told where they can be.
      constants: predictors that are told nothing, frames -> flow and probabilities.
      data: an opened data directory.
      split: which samples.
      kinds: what is told, one after the other.
      batch_size: frames at a time; does not change the result.
      seed: of the arrows.
      progress: called with (frames done, frames in all).

    Raises:
      InputError: a kind with the past, and data that keep none; or a model that can
        be told, but not of such data.
    """
    data = data.view(past=any(kind.past for kind in kinds))
    index = read_index(data, split)
    clips, first, rows = np.unique(
        index["clip"], return_index=True, return_inverse=True
    )
    naive, num_arrows = fit_naive(data, seed), max(kind.num_arrows for kind in kinds)
    panel = _Panel(models, constants, naive, data.codebook)
    shape = (len(clips), len(USED_MASKS), len(CELL_COLUMNS))
    found: dict[str, dict[str, np.ndarray]] = {kind.name: {} for kind in kinds}
    batches, seen = pipeline.evaluation_batches(data, split, batch_size), 0
    for batch in map(pipeline.first_step, batches.as_numpy_iterator()):
        cells = draw_batch(batch, num_arrows, seed)
        here = rows[seen : seen + len(cells)]
        for kind, row, sums in panel.sums(batch, kinds, cells):
            np.add.at(found[kind].setdefault(row, np.zeros(shape)), here, sums)
        seen += len(here)
        progress(seen, len(rows))
    return ToldSums(
        clips=clips,
        sources=index["source"][first],
        num_samples=np.bincount(rows, minlength=len(clips)),
        data_sets=np.array(data.data_sets, str),
        not_told=np.array([n for n, m in models.items() if not m.takes_known], str),
        factors=np.array([naive.factor] * data.past),
        widths=np.array([naive.width] * (num_arrows > 0)),
        sums=found,
    )


class _Panel:
    """All rows of a batch: models, constants, naive rivals."""

    def __init__(
        self,
        models: Mapping[str, ModelRows],
        constants: Mapping[str, Predict],
        naive: NaiveMotion,
        codebook: Codebook,
    ):
        self._models, self._constants = models, constants
        self._naive, self._codebook = naive, codebook

    def sums(
        self, batch: Mapping[str, np.ndarray], kinds: Sequence[Kind], cells: np.ndarray
    ) -> Iterator[tuple[str, str, np.ndarray]]:
        """Kind, row and float64 [B, masks, columns], sums over untold cells."""
        frames, codes = batch["frames"], batch["codes"]
        no_edges = np.zeros(codes.shape, bool)  # that mask is not used here
        truth = Truth.of_batch(batch["flow"], codes, no_edges, self._codebook)
        untold = self._columns(self._untold(frames, kinds), truth)
        for kind in kinds:
            masks = truth.masks[_PLACES]
            columns = {}
            if not kind.is_empty:
                known = kind.of_batch(batch["flow"], cells, batch.get("past_flow"))
                told = known[..., [0, 3]].any(axis=-1).reshape(codes.shape)
                masks = masks * ~told
                columns = self._columns(self._told(frames, kind, known), truth)
            # In the order of models, naive rivals, constants.
            names = {**self._models, **columns, **self._constants}
            for name in names:
                values = columns[name] if name in columns else untold[name]
                yield kind.name, name, np.einsum("mbc,bcf->bmf", masks, values)

    def _untold(self, frames: np.ndarray, kinds: Sequence[Kind]) -> dict[str, Mapping]:
        """What is said of the frames alone, where that is asked for."""
        always = any(kind.is_empty for kind in kinds)
        outputs = {
            name: model(frames)[name]
            for name, model in self._models.items()
            if always or not model.takes_known
        }
        return outputs | {name: one(frames) for name, one in self._constants.items()}

    def _told(
        self, frames: np.ndarray, kind: Kind, known: np.ndarray
    ) -> dict[str, Mapping]:
        """What is said by those that can be told."""
        outputs = {
            name: model(frames, known)[name]
            for name, model in self._models.items()
            if model.takes_known
        }
        rows = self._naive(known, kind)
        return outputs | {
            name: {"flow": flow, "probabilities": None} for name, flow in rows.items()
        }

    def _columns(
        self, outputs: Mapping[str, Mapping], truth: Truth
    ) -> dict[str, np.ndarray]:
        """Row -> float64 [B, cells, columns]."""
        found = {}
        for name, out in outputs.items():
            flow_only = name in self._models and not self._models[name].classes_agree
            prediction = Prediction.of_output(
                out["flow"], out["probabilities"], self._codebook, flow_only
            )
            cells = cell_scores(truth, prediction)
            found[name] = np.stack([cells[c] for c in CELL_COLUMNS], axis=-1)
        return found
