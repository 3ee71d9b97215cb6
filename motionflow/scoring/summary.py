"""An evaluation -> what metrics.json holds.

Evaluation -> scores of each predictor with 95 % intervals, differences between the
model and each other predictor, scores by action, motion potential
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from motionflow.scoring import bootstrap
from motionflow.scoring.cells import MASKS
from motionflow.scoring.evaluation import Evaluation
from motionflow.scoring.scores import add_up, scores

MODEL, ZERO, PRIOR = "model", "zero flow", "class prior per cell"
# What a model is compared on: score, mask, whether more is better.
COMPARED = (
    ("nll", "all", False),
    ("epe", "nz", False),
    ("dir", "nz", True),
    ("ori", "nz", True),
    ("top5", "nz", True),
)
_ACTION_SCORES = (
    ("epe", "nz"),
    ("dir", "nz"),
    ("ori", "nz"),
    ("top5", "nz"),
    ("skill", "all"),
)


def summarize(
    evaluation: Evaluation,
    unit: str = "clip",
    num_draws: int = bootstrap.NUM_DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """Boils an evaluation down to plain values for JSON; None where nothing is known.

    Args:
      evaluation: with the predictors "zero flow" and "class prior per cell".
      unit: what the bootstrap draws, "clip" or "source".
      num_draws: of the bootstrap.
      seed: of the bootstrap.

    Returns:
      num_samples, num_clips, num_sources, intervals (level, unit, num_draws, seed),
      results {predictor: by mask and without, see `scores.scores`; each with its
      interval [low, high] under "intervals"}, differences {other: {score: difference,
      interval, verdict}}, actions {action: ...}.
    """
    groups = evaluation.clips if unit == "clip" else evaluation.sources
    weights = bootstrap.draw_weights(groups, num_draws, seed)
    prior = evaluation.sums[PRIOR]
    whole = {
        name: scores(add_up(sums), add_up(prior))
        for name, sums in evaluation.sums.items()
    }
    prior_draws = add_up(prior, weights)
    draws = {
        name: scores(add_up(sums, weights), prior_draws)
        for name, sums in evaluation.sums.items()
    }
    results = {}
    potential = _motion_potential(evaluation, weights)
    for name in evaluation.sums:
        bounds = {k: bootstrap.interval(v) for k, v in draws[name].items()}
        results[name] = _tree(whole[name]) | {
            "intervals": _tree({k: np.moveaxis(v, 0, -1) for k, v in bounds.items()}),
            "motion_potential": potential[name],
            "confusion": evaluation.confusions[name].tolist(),
            "top1_by_cell": _plain(
                evaluation.cell_hits[name] / len(evaluation.sample_clips)
            ),
        }
    return {
        "num_samples": len(evaluation.sample_clips),
        "num_clips": len(evaluation.clips),
        "num_sources": len(set(evaluation.sources)),
        "codebook_fingerprint": evaluation.codebook_fingerprint,
        "intervals": {
            "level": bootstrap.LEVEL,
            "unit": unit,
            "num_draws": num_draws,
            "seed": seed,
        },
        "results": results,
        "differences": {
            name: _difference(whole, draws, name)
            for name in evaluation.sums
            if name != MODEL
        },
        "actions": _by_action(evaluation),
    }


def _tree(values: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """{score: [masks, ...] or not} -> {"masks": {mask: {score: ...}}, score: ...}."""
    by_mask = {
        mask: {k: _plain(v[i]) for k, v in values.items() if _has_masks(k)}
        for i, mask in enumerate(MASKS)
    }
    rest = {k: _plain(v) for k, v in values.items() if not _has_masks(k)}
    return {"masks": by_mask, **rest}


def _has_masks(key: str) -> bool:
    return not key.startswith(("ece", "reliability", "bucket"))


def _plain(values: np.ndarray) -> Any:
    """Numbers for JSON, which knows no NaN."""
    if np.ndim(values):
        return [_plain(value) for value in values]
    value = float(values)
    return None if np.isnan(value) else value


def _difference(
    whole: Mapping[str, Mapping[str, np.ndarray]],
    draws: Mapping[str, Mapping[str, np.ndarray]],
    name: str,
) -> dict[str, Any]:
    """The model's scores minus another predictor's, on the same draws."""
    result = {}
    for key, mask, larger_is_better in COMPARED:
        place = MASKS.index(mask)
        ours, theirs = (draws[n][key][:, place] for n in (MODEL, name))
        bounds = bootstrap.interval(ours - theirs)
        gap = whole[MODEL][key][place] - whole[name][key][place]
        known = not np.isnan(bounds).any()
        result[f"{key}_{mask}"] = {
            "difference": _plain(gap),
            "interval": _plain(bounds),
            "verdict": bootstrap.verdict(bounds, larger_is_better) if known else None,
        }
    return result


def _motion_potential(evaluation: Evaluation, weights: np.ndarray) -> dict[str, dict]:
    """Mean magnitude in a frame, predicted and true, and their rank correlation.

    Im2Flow's motion potential is the mean predicted magnitude over the foreground; here
    over the moving cells (`nz`), and over `all`, which asks whether a predictor knows
    which pictures move at all. The true magnitude is the zero flow's EPE.

    Returns:
      predictor -> mask -> predicted, true, rank_correlation, interval.
    """
    result: dict[str, dict] = {name: {} for name in evaluation.frames}
    for mask in ("all", "nz"):
        place = MASKS.index(mask)
        count, _, true = evaluation.frames[ZERO][:, place].T
        used = count > 0
        each = weights[:, evaluation.sample_clips[used]]
        for name, frames in evaluation.frames.items():
            # Means of equal numbers differ in the last bits, which ranks would see.
            predicted = frames[used, place, 1].round(9)
            result[name][mask] = _potential(predicted, true[used], each)
    return result


def _potential(predicted: np.ndarray, true: np.ndarray, weights: np.ndarray) -> dict:
    result = {
        "predicted": _mean(predicted),
        "true": _mean(true),
        "rank_correlation": None,
        "interval": [None, None],
    }
    if len(true):
        rho = bootstrap.rank_correlation(predicted, true)
        draws = bootstrap.rank_correlation(predicted, true, weights)
        result["rank_correlation"] = _plain(rho)
        result["interval"] = _plain(bootstrap.interval(draws))
    return result


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _by_action(evaluation: Evaluation) -> dict[str, dict]:
    names, index = np.unique(evaluation.actions, return_inverse=True)
    members = np.eye(len(names))[:, index.ravel()]
    frames = np.bincount(index.ravel()[evaluation.sample_clips], minlength=len(names))
    prior = add_up(evaluation.sums[PRIOR], members)
    found = {
        name: scores(add_up(sums, members), prior)
        for name, sums in evaluation.sums.items()
    }
    return {
        str(action): {
            "num_clips": int(members[row].sum()),
            "num_samples": int(frames[row]),
            "scores": {
                name: {
                    f"{key}_{mask}": _plain(values[key][row, MASKS.index(mask)])
                    for key, mask in _ACTION_SCORES
                }
                for name, values in found.items()
            },
        }
        for row, action in enumerate(names)
    }
