"""An evaluation -> what metrics.json holds.

Evaluation -> scores of each predictor with 95 % intervals, differences between the
model and each other predictor, scores by action, motion potential; with known motion
the same for each kind of it, for all clips and for each data set
"""

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np

from motionflow import baselines
from motionflow.scoring import UNITS, bootstrap
from motionflow.scoring.bootstrap import Estimate, plain
from motionflow.scoring.cells import MASKS
from motionflow.scoring.evaluation import KNOWN_MASKS, Evaluation, KnownSums
from motionflow.scoring.scores import (
    BY_ACTION,
    COMPARED,
    EVALUATED,
    MODEL,
    WITH_KNOWN,
    ZERO,
    compute,
    estimates,
)
from motionflow.scoring.sums import Sums, add_up


class Summary(TypedDict, total=False):
    """What metrics.json holds; None stands where nothing is known.

    results: row -> masks {mask: {score: value}}, scores without masks, both again as
    [low, high] under intervals; motion_potential, confusion, top1_by_cell.
    differences: row -> {"epe_nz": difference, interval, verdict}, the model minus it.
    actions: action -> num_clips, num_samples, scores {row: {"epe_nz": value}}.
    intervals: level, unit, num_draws, seed. chance: dir, ori, recall of a guess.
    known: factors and widths of the naive rows, not_told, level, num_draws, seed; all,
    and data_sets {name: ...}: kind -> what `_known_block` gives.
    """

    model: str
    num_parameters: dict[str, int | None]
    split: str
    classes_agree: bool
    decodings: list[str]
    num_samples: int
    num_clips: int
    num_sources: int
    codebook_fingerprint: str
    intervals: dict[str, Any]
    results: dict[str, dict[str, Any]]
    differences: dict[str, dict[str, dict[str, Any]]]
    actions: dict[str, dict[str, Any]]
    known: dict[str, Any]
    chance: dict[str, float]


def rival_names(summary: Summary) -> list[str]:
    """The other models of an evaluation."""
    return [name for name in summary["num_parameters"] if name != MODEL]


def baseline_names(summary: Summary) -> list[str]:
    """What is neither the model, nor a decoding of it, nor another model."""
    others = {MODEL, *summary["decodings"], *rival_names(summary)}
    return [name for name in summary["results"] if name not in others]


def summarize(
    evaluation: Evaluation,
    unit: str = "clip",
    num_draws: int = bootstrap.NUM_DRAWS,
    seed: int = 0,
) -> Summary:
    """Boils an evaluation down to plain values for JSON.

    Args:
      evaluation: with the predictors "zero flow" and "class prior per cell".
      unit: what the bootstrap draws, "clip" or "source"; with known motion both are.
      num_draws: of the bootstrap.
      seed: of the bootstrap.

    Returns:
      a summary, without what stands above num_samples.
    """
    weights = bootstrap.draw_weights(evaluation.groups(unit), num_draws, seed)
    found = estimates(evaluation.rows, weights, EVALUATED)
    potential = _motion_potential(evaluation, weights)
    summary: Summary = {
        "num_samples": len(evaluation.sample_clips),
        "num_clips": len(evaluation.clips),
        "num_sources": len(set(evaluation.sources)),
        "codebook_fingerprint": evaluation.codebook_fingerprint,
        "intervals": bootstrap.about(unit, seed, num_draws),
        "results": {
            row: _result(one, potential[row], sums, len(evaluation.sample_clips))
            for (row, one), sums in zip(
                found.items(), evaluation.rows.values(), strict=True
            )
        },
        "differences": {
            row: _differences(found[MODEL], one)
            for row, one in found.items()
            if row != MODEL
        },
        "actions": _by_action(evaluation),
    }
    if evaluation.known is not None:
        summary["known"] = _known(evaluation, evaluation.known, num_draws, seed)
    num_classes = summary["results"][ZERO]["masks"]["all"]["num_classes_true"]
    summary["chance"] = {
        "dir": baselines.CHANCE_DIR,
        "ori": baselines.CHANCE_ORI,
        "recall": baselines.chance_recall(num_classes),
    }
    return summary


def _result(
    found: Mapping[str, Estimate], potential: dict, sums: Sums, num_samples: int
) -> dict[str, Any]:
    values = {key: one.plain() for key, one in found.items()}
    intervals = {key: one.interval() for key, one in found.items()}
    return _tree(values) | {
        "intervals": _tree(intervals),
        "motion_potential": potential,
        "confusion": sums["confusions"].tolist(),
        "top1_by_cell": plain(sums["cell_hits"] / num_samples),
    }


def _tree(values: Mapping[str, Any]) -> dict[str, Any]:
    """{score: value of each mask, or one} -> {"masks": {mask: {score: value}}, ...}."""
    by_mask = [score.key for score in EVALUATED if score.by_mask]
    masks = {
        mask: {key: values[key][place] for key in by_mask}
        for place, mask in enumerate(MASKS)
    }
    return {"masks": masks} | {k: v for k, v in values.items() if k not in by_mask}


def _differences(
    ours: Mapping[str, Estimate], theirs: Mapping[str, Estimate]
) -> dict[str, dict[str, Any]]:
    """The model's scores minus another predictor's, on the same draws."""
    found = {}
    for column in COMPARED:
        key, place = column.score.key, MASKS.index(column.mask)
        gap = ours[key][place] - theirs[key][place]
        found[column.name] = {
            "difference": gap.plain(),
            "interval": gap.interval(),
            "verdict": gap.verdict(column.score.larger_is_better),
        }
    return found


def _motion_potential(evaluation: Evaluation, weights: np.ndarray) -> dict[str, dict]:
    """Mean magnitude in a frame, predicted and true, and their rank correlation.

    Im2Flow's motion potential is the mean predicted magnitude over the foreground; here
    over the moving cells (`nz`), and over `all`, which asks whether a predictor knows
    which pictures move at all. The true magnitude is the zero flow's EPE.

    Returns:
      predictor -> mask -> predicted, true, rank_correlation, interval.
    """
    result: dict[str, dict] = {name: {} for name in evaluation.rows}
    for mask in ("all", "nz"):
        place = MASKS.index(mask)
        count, _, true = evaluation.rows[ZERO]["frames"][:, place].T
        used = count > 0
        clips = evaluation.sample_clips[used]
        # Means of equal numbers differ in the last bits, which ranks would see.
        predicted = [
            sums["frames"][used, place, 1].round(9) for sums in evaluation.rows.values()
        ]
        draws = bootstrap.rank_correlations(predicted, true[used], weights, clips)
        for name, own, rho in zip(result, predicted, draws, strict=True):
            result[name][mask] = _potential(own, true[used], rho)
    return result


def _potential(predicted: np.ndarray, true: np.ndarray, draws: np.ndarray) -> dict:
    if not len(true):
        return {
            "predicted": None,
            "true": None,
            "rank_correlation": None,
            "interval": [None, None],
        }
    correlation = Estimate(bootstrap.rank_correlation(predicted, true), draws)
    return {
        "predicted": float(predicted.mean()),
        "true": float(true.mean()),
        "rank_correlation": correlation.plain(),
        "interval": correlation.interval(),
    }


def _by_action(evaluation: Evaluation) -> dict[str, dict]:
    names, index = np.unique(evaluation.actions, return_inverse=True)
    members = np.eye(len(names))[:, index.ravel()]
    frames = np.bincount(index.ravel()[evaluation.sample_clips], minlength=len(names))
    rows = {row: add_up(sums, members) for row, sums in evaluation.rows.items()}
    found = compute(rows, [column.score for column in BY_ACTION])
    return {
        str(action): {
            "num_clips": int(members[place].sum()),
            "num_samples": int(frames[place]),
            "scores": {
                row: {
                    c.name: plain(values[c.score.key][place, MASKS.index(c.mask)])
                    for c in BY_ACTION
                }
                for row, values in found.items()
            },
        }
        for place, action in enumerate(names)
    }


def _known(
    evaluation: Evaluation, known: KnownSums, num_draws: int, seed: int
) -> dict[str, Any]:
    """Scores with known motion; intervals over clips and over sources.

    Gain is over zero flow: 1 - EPE / mean length of the truth. Skill is over the class
    prior per cell.
    """
    names = known.data_sets.tolist() if len(known.data_sets) > 1 else ()
    members = {n: np.char.startswith(evaluation.clips, f"{n}/") for n in names}
    everything = np.ones(len(evaluation.clips), bool)

    def blocks(here: np.ndarray) -> dict[str, dict[str, Any]]:
        weights = {
            unit: bootstrap.draw_weights(evaluation.groups(unit)[here], num_draws, seed)
            for unit in UNITS
        }
        counts = {
            "num_clips": int(here.sum()),
            "num_sources": len(np.unique(evaluation.sources[here])),
            "num_samples": int(here[evaluation.sample_clips].sum()),
        }
        return {
            kind: counts
            | _known_block(
                {row: {"cells": one["cells"][here]} for row, one in rows.items()},
                weights,
            )
            for kind, rows in known.rows.items()
        }

    return {
        "factors": plain(known.factors),
        "widths": plain(known.widths),
        "not_told": known.not_told.tolist(),
        "level": bootstrap.LEVEL,
        "num_draws": num_draws,
        "seed": seed,
        "all": blocks(everything),
        "data_sets": {n: blocks(here) for n, here in members.items() if here.any()},
    }


def _known_block(
    rows: Mapping[str, Sums], weights: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Of a kind: num_cells, results and differences.

    results: row -> {"gain_nz": value, intervals {unit: [low, high]}}; differences: row
    -> {"gain_nz": difference, intervals, verdicts {unit: verdict}}, the model minus it.
    """
    scores = list({column.score.key: column.score for column in WITH_KNOWN}.values())
    found = {unit: estimates(rows, each, scores) for unit, each in weights.items()}
    results: dict[str, dict] = {row: {} for row in rows}
    differences: dict[str, dict] = {row: {} for row in rows if row != MODEL}
    for column in WITH_KNOWN:
        key, place = column.score.key, KNOWN_MASKS.index(column.mask)
        for row in rows:
            own = {unit: one[row][key][place] for unit, one in found.items()}
            results[row][column.name] = {
                "value": own[UNITS[0]].plain(),
                "intervals": {unit: one.interval() for unit, one in own.items()},
            }
            if row != MODEL:
                gaps = {u: found[u][MODEL][key][place] - own[u] for u in own}
                better = column.score.larger_is_better
                differences[row][column.name] = {
                    "difference": gaps[UNITS[0]].plain(),
                    "intervals": {unit: one.interval() for unit, one in gaps.items()},
                    "verdicts": {u: one.verdict(better) for u, one in gaps.items()},
                }
    counts = rows[ZERO]["cells"][..., 0].sum(axis=0)
    num_cells = dict(zip(KNOWN_MASKS, map(int, counts), strict=True))
    return {"num_cells": num_cells, "results": results, "differences": differences}
