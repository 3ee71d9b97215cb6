"""Sums of told predictors -> what metrics.json holds under "known".

    ToldSums -> scores with 95 % intervals, the model's differences to each row,
                for all clips and for each data set

Gain is over zero flow: 1 - EPE / mean length of the truth. Skill is over the class
prior per cell. Intervals are drawn over clips and over sources: both are kept.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from motionflow.scoring import UNITS, bootstrap
from motionflow.scoring.clip_sums import CELL_COLUMNS
from motionflow.scoring.futures.totals import plain
from motionflow.scoring.known.told_sums import USED_MASKS, ToldSums
from motionflow.scoring.summary import MODEL, PRIOR, ZERO

_RELATIVE = {"gain": ("epe", ZERO), "skill": ("nll", PRIOR)}
# More is better in all of them.
SCORES = ("gain_nz", "gain_all", "dir_nz", "ori_nz", "top5_nz", "skill_all")


def summarize_told(
    found: ToldSums, num_draws: int = bootstrap.NUM_DRAWS, seed: int = 0
) -> dict[str, Any]:
    """Boils sums down to plain values for JSON; None where nothing is known.

    Args:
      found: with the rows "model", "zero flow" and "class prior per cell".
      num_draws: of the bootstrap.
      seed: of the bootstrap.

    Returns:
      factors and widths of the naive rows; not_told; level, num_draws, seed; all and
      data_sets {name: ...}, each {kind: num_clips, num_sources, num_samples, num_cells
      {mask: ...}, results {row: {score: value, intervals {unit: ...}}}, differences
      {row: {score: difference, intervals, verdicts {unit: ...}}}, the model minus it}.
    """
    names = found.data_sets.tolist() if len(found.data_sets) > 1 else ()
    members = {name: np.char.startswith(found.clips, f"{name}/") for name in names}
    return {
        "factors": plain(found.factors),
        "widths": plain(found.widths),
        "not_told": found.not_told.tolist(),
        "level": bootstrap.LEVEL,
        "num_draws": num_draws,
        "seed": seed,
        "all": _blocks(found, np.ones(len(found.clips), bool), num_draws, seed),
        "data_sets": {
            name: _blocks(found, here, num_draws, seed)
            for name, here in members.items()
            if here.any()
        },
    }


def _blocks(
    found: ToldSums, members: np.ndarray, num_draws: int, seed: int
) -> dict[str, dict]:
    """Kind -> its block, of some clips."""
    groups = {"clip": found.clips[members], "source": found.sources[members]}
    weights = {u: bootstrap.draw_weights(groups[u], num_draws, seed) for u in UNITS}
    counts = {
        "num_clips": int(members.sum()),
        "num_sources": len(np.unique(groups["source"])),
        "num_samples": int(found.num_samples[members].sum()),
    }
    return {
        kind: counts | _block({row: one[members] for row, one in sums.items()}, weights)
        for kind, sums in found.sums.items()
    }


def _block(
    sums: Mapping[str, np.ndarray], weights: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    whole = told_scores({row: one.sum(axis=0) for row, one in sums.items()})
    draws = {
        unit: told_scores({r: np.tensordot(each, one, 1) for r, one in sums.items()})
        for unit, each in weights.items()
    }
    counts = sums[ZERO][..., CELL_COLUMNS.index("count")].sum(axis=0)
    results, differences = {}, {}
    for row in sums:
        own = {unit: one[row] for unit, one in draws.items()}
        results[row] = _entries("value", whole[row], own)
        if row != MODEL:
            gaps = {unit: one[MODEL] - one[row] for unit, one in draws.items()}
            gap = whole[MODEL] - whole[row]
            differences[row] = _entries("difference", gap, gaps, verdicts=True)
    cells = dict(zip(USED_MASKS, map(int, counts), strict=True))
    return {"num_cells": cells, "results": results, "differences": differences}


def _entries(
    key: str, whole: np.ndarray, draws: Mapping[str, np.ndarray], verdicts: bool = False
) -> dict[str, dict]:
    """Scores [SCORES] and their draws [draws, SCORES] by unit -> {score: ...}."""
    bounds = {unit: bootstrap.interval(one) for unit, one in draws.items()}
    found = {}
    for place, score in enumerate(SCORES):
        here = {unit: one[:, place] for unit, one in bounds.items()}
        intervals = {unit: plain(one) for unit, one in here.items()}
        found[score] = {key: plain(whole[place]), "intervals": intervals}
        if verdicts:
            found[score]["verdicts"] = {u: _verdict(one) for u, one in here.items()}
    return found


def _verdict(bounds: np.ndarray) -> str | None:
    return None if np.isnan(bounds).any() else bootstrap.verdict(bounds, True)


def told_scores(sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Scores of all rows of a kind.

    Args:
      sums: row -> [..., masks, columns] added up over clips, any leading axes.

    Returns:
      row -> [..., SCORES], fractions of 1; NaN where there is nothing to average.
    """

    def column(row: str, mask: str, name: str) -> np.ndarray:
        return sums[row][..., USED_MASKS.index(mask), CELL_COLUMNS.index(name)]

    def score(row: str, name: str, mask: str) -> np.ndarray:
        if name in _RELATIVE:
            name, other = _RELATIVE[name]
            return 1 - column(row, mask, name) / column(other, mask, name)
        return column(row, mask, name) / column(row, mask, "count")

    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            row: np.stack([score(row, *one.split("_")) for one in SCORES], axis=-1)
            for row in sums
        }
