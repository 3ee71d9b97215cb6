"""What somebody who gets an exported model must know about it.

    run directory --make--> card --write--> <version>/assets.extra/model_card.{json,md}

After Mitchell et al. 2019, "Model Cards for Model Reporting": what it is, what it was
trained on and under which licence, how good it was found to be, and what it cannot do.
Nothing is made up: what a run does not record is "not known", and what was not
evaluated has no scores.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

import motionflow
from motionflow.baselines.known import NAIVE
from motionflow.compat import keras
from motionflow.drawing.tables import number
from motionflow.files import drafts
from motionflow.models import blocks
from motionflow.models.run_dir import RunDir
from motionflow.scoring import verdict
from motionflow.scoring.scores import COMPARED, SCORES, Column
from motionflow.scoring.summary import Summary, baseline_names

LICENCES = {
    "hmdb51": "HMDB-51 is published under CC BY 4.0; its clips may carry other rights.",
    "ucf101": "UCF-101 is published for research, without the text of a licence.",
}
LIMITS = (
    "It answers with likely motion, not with what will happen: one frame does not say.",
    "It knows motions like those of its training data, over one step of them. "
    "Playing it further repeats a guess.",
    "Confidence is the probability that the network gives its first choice. It is not "
    "calibrated on pictures unlike its training data.",
    "Most of a picture stands still, so scores over all cells cannot show skill: look "
    "at those over moving cells (nz), and at the baselines.",
    "Made videos are not evidence of anything: do not use them to say what a person "
    "did or will do.",
)
KNOWN_SCORES = ("skill_all", "gain_nz", "gain_all")
_TEMPLATE = "model_card.md.jinja"


def make(
    run_dir: RunDir, model: keras.Model, licence: str | None = None
) -> dict[str, Any]:
    """Gathers what a run knows about its model, as plain values for JSON.

    `licence` is that of the training data, None: what is known of public data sets.
    """
    config, origin = run_dir.config, run_dir.origin
    return {
        "name": "motionflow",
        "version": motionflow.__version__,
        "model": {
            **config["model"],
            "num_parameters": blocks.count_parameters(model),
            "frame_size": model.input_shape[1],
            "codebook_fingerprint": run_dir.codebook.fingerprint,
            "checkpoint": Path(run_dir.checkpoint_paths()[0]).name,
        },
        "data": origin,
        "data_licence": licence or _licence(origin),
        "training": config["training"] | {"result": run_dir.result},
        "evaluations": _evaluations(run_dir),
        "limits": list(LIMITS),
    }


def _licence(origin: Mapping[str, Any] | None) -> str:
    """What is known of the licences of public data sets."""
    dataset = origin["flags"].get("dataset") if origin else None
    names = dict.fromkeys(dataset if isinstance(dataset, list) else [dataset])
    found = [LICENCES.get(name or "", "not known") for name in names]
    if len(found) == 1:
        return found[0]
    return "; ".join(f"{n}: {text}" for n, text in zip(names, found, strict=True))


def _evaluations(run_dir: RunDir) -> dict[str, Any]:
    """By the names of their folders: the verdicts, and scores of all rows."""
    found = {}
    for path in sorted((run_dir.path / "evaluation").glob("*/metrics.json")):
        summary = json.loads(path.read_text(encoding="utf-8"))
        if summary["codebook_fingerprint"] == run_dir.codebook.fingerprint:
            found[path.parent.name] = _evaluation(summary)
    return found


def _evaluation(summary: Summary) -> dict[str, Any]:
    verdicts = verdict.judge(summary, baseline_names(summary))
    keys = ("split", "num_samples", "num_clips", "num_sources", "intervals")
    values: Mapping[str, Any] = summary
    return {key: values[key] for key in keys} | {
        "evaluated": summary["model"],
        "headline": verdict.headline(verdicts),
        "scores": [
            _score(summary, v, column)
            for column, v in zip(COMPARED, verdicts, strict=True)
        ],
        "known": _known(summary),
    }


def _known(summary: Summary) -> dict[str, Any]:
    """By what it was told: its scores, and what gains most without a network."""
    unit, found = summary["intervals"]["unit"], {}
    blocks = summary["known"]["all"] if "known" in summary else {}
    for kind, block in blocks.items():
        results, gaps = block["results"], block["differences"]
        gains = {r: results[r]["gain_all"]["value"] for r in NAIVE if r in results}
        gains = {row: gain for row, gain in gains.items() if gain is not None}
        best = max(gains, key=lambda row: gains[row], default="")
        found[kind] = {
            "scores": {
                score: _with_bounds(results["model"][score], "value", unit)
                for score in KNOWN_SCORES
            },
            "best_naive": best,
            "difference": best
            and _with_bounds(gaps[best]["gain_all"], "difference", unit),
        }
    return found


def _with_bounds(score: Mapping, key: str, unit: str) -> list[float | None]:
    return [score[key], *score["intervals"][unit]]


def _score(summary: Summary, found: verdict.Verdict, column: Column) -> dict[str, Any]:
    key, mask, row = column.score.key, column.mask, summary["results"]["model"]
    return {
        "score": found.label,
        "key": key,
        "meaning": found.meaning,
        "value": row["masks"][mask][key],
        "interval": row["intervals"]["masks"][mask][key],
        "best_baseline": found.best,
        "verdict": found.outcome,
    }


def _bounded(values: Sequence[float | None]) -> str:
    """Fractions as percent, with their interval."""
    value, low, high = (number(v and 100 * v, "{:.1f}") for v in values)
    return f"{value} [{low}, {high}]"


def write(folder: Path, card: Mapping[str, Any]) -> None:
    """Writes model_card.json and model_card.md into a folder, made if missing."""
    folder.mkdir(exist_ok=True)
    text = json.dumps(card, indent=2, allow_nan=False) + "\n"
    drafts.write(folder / "model_card.json", text)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("motionflow", "serving"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(_TEMPLATE).render(
        card=card, all_scores=SCORES, bounded=_bounded
    )
    drafts.write(folder / "model_card.md", page)
