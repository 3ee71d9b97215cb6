"""A model on a split of a data directory -> a folder of results.

    model, rivals, baselines --evaluate--> Evaluation -> summary -> tables and figures

All of them see the same batches once and are scored by the same code, so the rows of a
table compare. Written: metrics.json (everything), scores.npz (clip by clip, to pool),
tables.md, and the figures as PNG; with known motion, known.npz.
"""

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from motionflow import baselines
from motionflow.baselines.known import fit_naive, parse_kinds
from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir, open_data_dir
from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.files.outputs import make_folder
from motionflow.media.picture import write_png
from motionflow.models.model_path import DEFAULT, PACKED, is_export, versions
from motionflow.models.predictor import Predictor
from motionflow.scoring import figures
from motionflow.scoring.cells import Prediction
from motionflow.scoring.evaluation import Evaluation, pool
from motionflow.scoring.rows import (
    KnownRows,
    ModelRows,
    all_rows,
    load_models,
    row_name,
)
from motionflow.scoring.scorer import Scorer
from motionflow.scoring.scores import MODEL
from motionflow.scoring.summary import Summary, summarize
from motionflow.scoring.tables import markdown

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
      known: kinds of known motion to measure besides: see `baselines.known`.
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


@dataclasses.dataclass(frozen=True)
class Assessment:
    """What an assessment came to, and what it was made with.

    Attributes:
      summary: what metrics.json holds.
      evaluation: what scores.npz and known.npz hold.
      data: what the model was judged on.
      model: the one that was judged.
      examples: see `figures.read_examples`.
    """

    summary: Summary
    evaluation: Evaluation
    data: DataDir
    model: Predictor
    examples: dict[str, dict[str, np.ndarray]]


def assess(
    model_dir: str | Path,
    data_dir: str | Path,
    split: str,
    output_dir: str | Path,
    options: Options = Options(),
) -> Assessment:
    """Scores a model, its rivals and the baselines, and writes tables and figures.

    Args:
      model_dir: run directory or exported version folder.
      data_dir: data directory; where its codebook, frame size or grid is not the
        model's, the model is scored in flow space only.
      split: "validation" or "test".
      output_dir: made if missing; files in it are overwritten.
      options: how.

    Raises:
      InputError: no such directory, an empty split, a diverged model, unknown kinds
        of known motion, or data that keep no past where it is to be given.
    """
    kinds = parse_kinds(options.known)
    data, output_dir = open_data_dir(data_dir), make_folder(output_dir)
    view = data.view(past=any(kind.past for kind in kinds))  # refuses before the work
    models = load_models([model_dir, *options.rivals], first=MODEL)
    rows = {n: ModelRows(n, m, data, decodings=n == MODEL) for n, m in models.items()}
    fitted = _fit_baselines(models[MODEL], data, options)
    known = None
    if kinds:
        known = KnownRows(kinds, rows, fit_naive(view, options.seed), options.seed)

    evaluation = evaluate(
        all_rows(rows.values(), fitted, data),
        view,
        split,
        options.batch_size,
        known=known,
        seed=options.seed,
        progress=options.progress,
    )
    summary: Summary = {
        "model": row_name(model_dir),
        "num_parameters": {n: model.num_parameters for n, model in models.items()},
        "split": split,
        "classes_agree": rows[MODEL].classes_agree,
        "decodings": rows[MODEL].decoding_names,
        **summarize(evaluation, options.interval_unit, seed=options.seed),
    }
    examples = figures.read_examples(evaluation, data, split, rows[MODEL])
    with drafts.drafts(output_dir, last=_METRICS) as new:
        _write(new, evaluation, summary)
        figures.write_figures(new, summary, data, examples)
        if known is not None:
            moving = figures.num_moving(evaluation)
            drawn = figures.draw_known(known, view, split, moving)
            write_png(new / "known.png", drawn)
    return Assessment(summary, evaluation, data, models[MODEL], examples)


def _fit_baselines(
    model: Predictor, data: DataDir, options: Options
) -> Mapping[str, baselines.PredictFlow]:
    if options.baselines == "constant":
        return baselines.constant_baselines(data)
    same_size = model.frame_size == data.frame_size
    features = model.features if same_size else None
    return baselines.make_baselines(data, features, options.seed)


def evaluate(
    predict: Callable[[np.ndarray], Mapping[str, Prediction]],
    data: DataDir,
    split: str,
    batch_size: int,
    *,
    known: KnownRows | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Runs predictors over a split, each sample exactly once.

    Args:
      predict: frames uint8 [B, S, S, 3] -> the predictions of each row, by name.
      data: an opened data directory; a view with the past where a kind has it.
      split: which samples.
      batch_size: frames at a time; does not change the result.
      known: what is measured with known motion besides; `predict` then has its models,
        zero flow and class prior.
      seed: of the sampled futures.
      progress: called with (frames done, frames in all).

    Raises:
      InputError: the shards hold another number of samples than the manifest says, or
        a predictor answered what is not finite.
    """
    index = _read_index(data, split)
    expected, found = data.num_samples(split), len(index["clip"])
    if found != expected:
        raise InputError(f"{split} holds {found} samples, the manifest says {expected}")
    clips, first, rows = np.unique(
        index["clip"], return_index=True, return_inverse=True
    )
    scorer, done = Scorer(data, rows, known, seed), 0
    batches = pipeline.evaluation_batches(data, split, batch_size).as_numpy_iterator()
    # While one batch is scored, which takes one core, the next is predicted.
    with ThreadPoolExecutor(max_workers=1) as thread:
        scored = thread.submit(lambda: None)
        for batch in map(pipeline.first_step, batches):
            predictions = predict(batch["frames"])
            scored.result()
            scored = thread.submit(scorer.add, batch, predictions)
            done += len(batch["frames"])
            progress(done, expected)
        scored.result()
    return Evaluation(
        clips=clips,
        actions=index["action"][first],
        sources=index["source"][first],
        sample_clips=rows,
        codebook_fingerprint=data.codebook.fingerprint,
        rows=scorer.sums.rows(""),
        known=known.kept(scorer.sums, data) if known is not None else None,
    )


def _read_index(data: DataDir, split: str) -> dict[str, np.ndarray]:
    """Clip, action and source of each sample, without decoding a frame: str [N]."""
    keys = ("clip", "action", "source")
    columns = pipeline.read_columns(data, split, *keys)
    return {
        key: np.array([value.decode(errors="backslashreplace") for value in column])
        for key, column in zip(keys, columns, strict=True)
    }


def assess_pooled(
    folders: Sequence[str | Path],
    output_dir: str | Path,
    name: str = MODEL,
    interval_unit: str = "clip",
    seed: int = 0,
) -> Summary:
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
    stored, parts = [], []
    for folder in folders:
        path = Path(folder, _METRICS)
        if not path.is_file():
            raise InputError(f"{folder} is no evaluation: it has no {_METRICS}")
        stored.append(json.loads(path.read_text(encoding="utf-8")))
        # A known.npz of an evaluation before this one may lie there.
        parts.append(Evaluation.load(folder, with_known="known" in stored[-1]))
    evaluation, output_dir = pool(parts), make_folder(output_dir)
    splits = sorted({one["split"] for one in stored})
    summary: Summary = {
        "model": name,
        "num_parameters": stored[0]["num_parameters"],
        "split": f"{len(folders)} pooled evaluations ({', '.join(splits)})",
        "classes_agree": all(one["classes_agree"] for one in stored),
        "decodings": [n for n in stored[0]["decodings"] if n in evaluation.rows],
        **summarize(evaluation, interval_unit, seed=seed),
    }
    with drafts.drafts(output_dir, last=_METRICS) as new:
        _write(new, evaluation, summary)
    return summary


def _write(folder: Path, evaluation: Evaluation, summary: Summary) -> None:
    """scores.npz, known.npz, metrics.json, tables.md."""
    evaluation.save(folder)
    text = json.dumps(summary, allow_nan=False)
    drafts.write(folder / _METRICS, text + "\n")
    drafts.write(folder / "tables.md", markdown(summary))
