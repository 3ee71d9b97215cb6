"""A model on a split of a data directory -> a folder of results.

    model, rivals, baselines -> Evaluation -> summary -> tables and figures

All of them see the same batches once and are scored by the same code, so the rows of a
table compare. Written: metrics.json (everything), scores.npz (clip by clip, to pool),
tables.md, and the figures as PNG; where something is told, known.npz.
"""

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motionflow import baselines
from motionflow.baselines.known import parse_kinds
from motionflow.data.data_dir import open_data_dir
from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.files.outputs import make_folder, shown
from motionflow.media.picture import write_png
from motionflow.models import predictor
from motionflow.models.model_path import DEFAULT, PACKED, is_export, versions
from motionflow.scoring import examples
from motionflow.scoring.cells import MASKS
from motionflow.scoring.evaluation import Evaluation, pool, score
from motionflow.scoring.known import measuring, told_sums
from motionflow.scoring.known.pictures import draw_told
from motionflow.scoring.known.summary import summarize_told
from motionflow.scoring.known.tables import known_tables
from motionflow.scoring.model_rows import ModelRows
from motionflow.scoring.score_tables import introduction, score_tables
from motionflow.scoring.summary import MODEL, PRIOR, ZERO, summarize

_METRICS = "metrics.json"


@dataclasses.dataclass(frozen=True)
class Options:
    """How to assess.

    Attributes:
      rivals: run directories or exports to score beside the model.
      baselines: "all", or "constant" for those that never look at the frame.
      interval_unit: what the bootstrap draws, "clip" or "source".
      batch_size: frames at a time; does not change the result.
      seed: of baselines, sampled futures and bootstrap.
      progress: called with (frames done, frames in all).
      known: what is told besides, kind by kind: see `known.kinds`.
    """

    rivals: Sequence[str] = ()
    baselines: str = "all"
    interval_unit: str = "clip"
    batch_size: int = 32
    seed: int = 0
    progress: Callable[[int, int], None] = lambda done, total: None
    known: Sequence[str] = ()


def folder_of(model_dir: str | os.PathLike, split: str) -> Path:
    """Where the evaluation of a run lies unless somebody says otherwise.

    Raises:
      InputError: the model is an export.
    """
    folder = Path(model_dir)
    is_packed = model_dir == DEFAULT or (folder / PACKED).is_file()
    if is_packed or is_export(folder) or versions(folder):
        raise InputError(
            f"{model_dir} is an export, which is read only: name an output_dir"
        )
    return Path(model_dir, "evaluation", split)


def assess(
    model_dir: str | Path,
    data_dir: str | Path,
    split: str,
    output_dir: str | Path,
    options: Options = Options(),
) -> dict[str, Any]:
    """Scores a model, its rivals and the baselines, and writes tables and figures.

    Args:
      model_dir: run directory or exported version folder.
      data_dir: data directory; where its codebook, frame size or grid is not the
        model's, the model is scored in flow space only.
      split: "validation" or "test".
      output_dir: made if missing; files in it are overwritten.
      options: how.

    Returns:
      what metrics.json holds.

    Raises:
      InputError: no such directory, an empty split, a diverged model, unknown kinds
        of knowledge, or data that keep no past where it is to be told.
    """
    kinds = parse_kinds(options.known)
    data, output_dir = open_data_dir(data_dir), make_folder(output_dir)
    data.view(past=any(kind.past for kind in kinds))  # refuses before the work
    models = _load_models(model_dir, options.rivals)
    rows = [ModelRows(n, m, data, decodings=n == MODEL) for n, m in models.items()]
    if options.baselines == "constant":
        rivals = baselines.constant_baselines(data)
    else:
        same_size = models[MODEL].frame_size == data.frame_size
        features = models[MODEL].features if same_size else None
        rivals = baselines.make_baselines(data, features, options.seed)

    def predict(frames: np.ndarray) -> dict[str, Mapping]:
        outputs = {name: out for row in rows for name, out in row(frames).items()}
        return outputs | {name: rival(frames) for name, rival in rivals.items()}

    evaluation = score(
        predict,
        data,
        split,
        options.batch_size,
        flow_only=set().union(*(row.flow_only for row in rows)),
        undrawn=rows[0].decoding_names,
        seed=options.seed,
        progress=options.progress,
    )
    summary = {
        "model": row_name(model_dir),
        "num_parameters": {n: model.num_parameters for n, model in models.items()},
        "split": split,
        "classes_agree": rows[0].classes_agree,
        "decodings": rows[0].decoding_names,
        **summarize(evaluation, options.interval_unit, seed=options.seed),
    }
    told = kinds and measuring.measure(
        {n: ModelRows(n, model, data) for n, model in models.items()},
        {name: rivals[name] for name in (ZERO, PRIOR)},
        data,
        split,
        kinds,
        options.batch_size,
        seed=options.seed,
        progress=options.progress,
    )
    with drafts.drafts(output_dir, last=_METRICS) as new:
        evaluation.save(new / "scores.npz")
        if told:
            told.save(new / "known.npz")
            summary["known"] = summarize_told(told, seed=options.seed)
            moving = evaluation.frames[ZERO][:, MASKS.index("nz"), 0]
            view = data.view(past=any(kind.past for kind in kinds))
            drawing = rows[0], MODEL, view, split, kinds, moving, options.seed
            write_png(new / "known.png", draw_told(*drawing))
        write_summary(new, summary)
        drawn = examples.read_examples(evaluation, data, split, rows[0])
        examples.write_figures(new, summary, data, drawn)
    return summary


def assess_pooled(
    folders: Sequence[str | Path],
    output_dir: str | Path,
    name: str = MODEL,
    interval_unit: str = "clip",
    seed: int = 0,
) -> dict[str, Any]:
    """Pools what `assess` wrote for other clips each, as for the folds of one data set.

    Args:
      folders: of the evaluations.
      output_dir: made if missing; gets metrics.json, scores.npz and tables.md, and
        known.npz where every folder has one.
      name: of the model's row.
      interval_unit: what the bootstrap draws, "clip" or "source".
      seed: of the bootstrap.

    Returns:
      what metrics.json holds.

    Raises:
      InputError: no evaluation in a folder, or a clip that is in two of them.
    """
    if not folders:
        raise InputError("no evaluation to pool: name folders of `motionflow evaluate`")
    parts = [Evaluation.load(Path(folder, "scores.npz")) for folder in folders]
    metrics = [Path(folder, "metrics.json") for folder in folders]
    stored = [json.loads(path.read_text(encoding="utf-8")) for path in metrics]
    evaluation, output_dir = pool(parts), make_folder(output_dir)
    splits = sorted({one["split"] for one in stored})
    summary = {
        "model": name,
        "num_parameters": stored[0]["num_parameters"],
        "split": f"{len(folders)} pooled evaluations ({', '.join(splits)})",
        "classes_agree": all(one["classes_agree"] for one in stored),
        "decodings": [n for n in stored[0]["decodings"] if n in evaluation.sums],
        **summarize(evaluation, interval_unit, seed=seed),
    }
    with drafts.drafts(output_dir, last=_METRICS) as new:
        evaluation.save(new / "scores.npz")
        if all("known" in one for one in stored):
            told = told_sums.pool(
                [
                    told_sums.ToldSums.load(Path(folder, "known.npz"))
                    for folder in folders
                ]
            )
            told.save(new / "known.npz")
            summary["known"] = summarize_told(told, seed=seed)
        write_summary(new, summary)
    return summary


def _load_models(
    model_dir: str | Path, rivals: Sequence[str]
) -> dict[str, predictor.Predictor]:
    """The model and its rivals by the names of their rows."""
    models = {MODEL: predictor.load(model_dir)}
    for path in rivals:
        name = row_name(path)
        if name in models:
            raise InputError(f"two rows would be named {name}: rename a rival's folder")
        models[name] = predictor.load(path)
    return models


def row_name(path: str | Path) -> str:
    """What a model is called: its run's folder, or an export's with its version."""
    path = Path(path).resolve()
    name = f"{path.parent.name}/{path.name}" if path.name.isdigit() else path.name
    return shown(name)


def write_summary(output_dir: Path, summary: dict[str, Any]) -> None:
    """Adds the chance level to a summary and writes metrics.json and tables.md."""
    num_classes = summary["results"][ZERO]["masks"]["all"]["num_classes_true"]
    summary["chance"] = {
        "dir": baselines.CHANCE_DIR,
        "ori": baselines.CHANCE_ORI,
        "recall": baselines.chance_recall(num_classes),
    }
    text = json.dumps(summary, allow_nan=False)
    drafts.write(output_dir / _METRICS, text + "\n")
    drafts.write(output_dir / "tables.md", markdown(summary))


def markdown(summary: Mapping) -> str:
    """The tables of a summary as a Markdown page."""
    title = f"# {summary['model']} on {summary['split']}"
    tables = [*score_tables(summary), *known_tables(summary)]
    return (
        "\n\n".join([title, introduction(summary), *(t.markdown() for t in tables)])
        + "\n"
    )
