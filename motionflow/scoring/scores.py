"""Sums of clips -> scores.

    sums {name: [..., ...]}, any leading axes -> scores {name: [...] or [..., masks]}

The leading axes may be one split, the actions, or a thousand bootstrap draws: a score
is computed from sums added up over clips, never averaged over clips. NaN stands
wherever there is nothing to average.
"""

from collections.abc import Mapping

import numpy as np

from motionflow.scoring.clip_sums import BIN_COLUMNS, CELL_COLUMNS, CLASS_KINDS

Sums = Mapping[str, np.ndarray]


def add_up(sums: Sums, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Adds clips up.

    Args:
      sums: {name: [clips, ...]}.
      weights: [draws, clips], how often each clip counts; None counts each once.

    Returns:
      {name: [draws, ...]}, or {name: [...]} without weights.
    """
    if weights is None:
        return {name: values.sum(axis=0) for name, values in sums.items()}
    return {name: np.tensordot(weights, values, 1) for name, values in sums.items()}


def scores(sums: Sums, prior: Sums | None = None) -> dict[str, np.ndarray]:
    """All scores of one predictor.

    Args:
      sums: added up over clips, see `ClipSums.arrays`; any leading axes.
      prior: sums of the class prior a cell over the same clips, for the skill.

    Returns:
      by mask, [..., 3]: count (cells), epe, dir, ori, top1, top5, top10, nll (nats a
      cell), skill, recall, precision, num_classes_true, num_classes_predicted,
      best_of_n (EPE of each frame's best future, mean over frames); without masks: ece
      [...], reliability_confidence, reliability_accuracy and reliability_share [...,
      bins], bucket_epe and bucket_share [..., buckets]. Fractions are of 1.
    """
    cells = {c: sums["cells"][..., i] for i, c in enumerate(CELL_COLUMNS)}
    count = cells.pop("count")
    with np.errstate(invalid="ignore", divide="ignore"):
        result = {"count": count} | {n: v / count for n, v in cells.items()}
        if prior is not None:
            nll = CELL_COLUMNS.index("nll")
            result["skill"] = 1 - sums["cells"][..., nll] / prior["cells"][..., nll]
        result |= _recall_and_precision(sums["classes"])
        result["best_of_n"] = sums["best"][..., 1] / sums["best"][..., 0]
        result |= _calibration(sums["bins"])
        bucket_count = sums["buckets"][..., 0]
        result["bucket_epe"] = sums["buckets"][..., 1] / bucket_count
        result["bucket_share"] = bucket_count / bucket_count.sum(-1, keepdims=True)
    return result


def _recall_and_precision(classes: np.ndarray) -> dict[str, np.ndarray]:
    """Mean recall and precision over the classes that occur in the truth (Table 3).

    Both averages run over the same classes whatever the predictor, so rows of a table
    compare. A class that is never predicted has precision 0: without that rule, always
    answering "still" would score the share of still cells, 75 %, where the report's
    best model has 16 %. Classes absent from the truth have no recall and are left out.
    """
    kinds = {kind: classes[..., i, :] for i, kind in enumerate(CLASS_KINDS)}
    true, predicted, hits = (kinds[kind] for kind in ("true", "predicted", "hits"))
    present = true > 0
    num_true = present.sum(axis=-1)
    # A count of 0 has 0 hits, so dividing by 1 instead gives the 0 of the rule above.
    recall = (hits / np.maximum(true, 1)).sum(axis=-1)
    precision = np.where(present, hits / np.maximum(predicted, 1), 0).sum(axis=-1)
    unknown = np.isnan(predicted).any(axis=-1)
    return {
        "recall": np.where(unknown, np.nan, recall / num_true),
        "precision": np.where(unknown, np.nan, precision / num_true),
        "num_classes_true": num_true,
        "num_classes_predicted": (predicted > 0).sum(axis=-1),
    }


def _calibration(bins: np.ndarray) -> dict[str, np.ndarray]:
    """Expected calibration error and the reliability diagram (Guo et al. 2017).

    ECE = sum over bins of share * |accuracy - mean confidence|, over all cells.
    """
    columns = {name: bins[..., i] for i, name in enumerate(BIN_COLUMNS)}
    count, total = columns["count"], columns["count"].sum(axis=-1, keepdims=True)
    gap = np.abs(columns["hits"] - columns["confidence"])
    return {
        "ece": gap.sum(axis=-1) / total[..., 0],
        "reliability_confidence": columns["confidence"] / count,
        "reliability_accuracy": columns["hits"] / count,
        "reliability_share": count / total,
    }
