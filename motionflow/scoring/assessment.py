"""A model on a split of a data directory -> a folder of results.

    model, rivals, baselines -> Evaluation -> summary -> tables and figures

All of them see the same batches once and are scored by the same code, so the rows of a
table compare. Written: metrics.json (everything), scores.npz (clip by clip, to pool),
tables.md, and the figures as PNG.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motionflow import baselines, visualize
from motionflow.data import pipeline
from motionflow.data.records import DataDir, open_data_dir
from motionflow.errors import InputError
from motionflow.models import predictor
from motionflow.scoring.cells import MASKS
from motionflow.scoring.evaluation import Evaluation, pool, score
from motionflow.scoring.model_rows import ModelRows
from motionflow.scoring.score_tables import introduction, score_tables
from motionflow.scoring.summary import MODEL, ZERO, summarize

SPLITS = ("validation", "test")
BASELINES = ("all", "constant")
NUM_EXAMPLES = 6
_MIN_MOVING = 20  # cells, for a best or worst prediction to mean anything


@dataclasses.dataclass(frozen=True)
class Options:
    """How to assess.

    Attributes:
      rivals: run directories or exports to score beside the model.
      baselines: "all", or "constant" for those that never look at the frame.
      interval_unit: what the bootstrap draws, "clip" or "source".
      batch_size: frames at a time; does not change the result.
      seed: of baselines, sampled futures and bootstrap.
    """

    rivals: Sequence[str] = ()
    baselines: str = "all"
    interval_unit: str = "clip"
    batch_size: int = 32
    seed: int = 0


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
      InputError: no such directory, an empty split, a diverged model.
    """
    data, output_dir = open_data_dir(data_dir), _make_folder(output_dir)
    models = _load_models(model_dir, options.rivals)
    rows = [ModelRows(n, m, data, decodings=n == MODEL) for n, m in models.items()]
    if options.baselines == "constant":
        rivals = baselines.constant_baselines(data)
    else:
        rivals = baselines.make_baselines(data, models[MODEL].features, options.seed)

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
    )
    evaluation.save(output_dir / "scores.npz")
    summary = {
        "model": Path(model_dir).resolve().name,
        "num_parameters": {n: model.num_parameters for n, model in models.items()},
        "split": split,
        "classes_agree": rows[0].classes_agree,
        "decodings": rows[0].decoding_names,
        **summarize(evaluation, options.interval_unit, seed=options.seed),
    }
    write_summary(output_dir, summary)
    examples = read_examples(evaluation, data, split, rows[0])
    write_figures(output_dir, summary, data, examples)
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
      output_dir: made if missing; gets metrics.json, scores.npz and tables.md.
      name: of the model's row.
      interval_unit: what the bootstrap draws, "clip" or "source".
      seed: of the bootstrap.

    Returns:
      what metrics.json holds.

    Raises:
      InputError: no evaluation in a folder, or a clip that is in two of them.
    """
    if not folders:
        raise InputError("no evaluation to pool: name folders of motionflow.evaluate")
    parts = [Evaluation.load(Path(folder, "scores.npz")) for folder in folders]
    metrics = [Path(folder, "metrics.json") for folder in folders]
    stored = [json.loads(path.read_text(encoding="utf-8")) for path in metrics]
    evaluation, output_dir = pool(parts), _make_folder(output_dir)
    evaluation.save(output_dir / "scores.npz")
    splits = sorted({one["split"] for one in stored})
    summary = {
        "model": name,
        "num_parameters": stored[0]["num_parameters"],
        "split": f"{len(folders)} pooled evaluations ({', '.join(splits)})",
        "classes_agree": all(one["classes_agree"] for one in stored),
        "decodings": [n for n in stored[0]["decodings"] if n in evaluation.sums],
        **summarize(evaluation, interval_unit, seed=seed),
    }
    write_summary(output_dir, summary)
    return summary


def _load_models(
    model_dir: str | Path, rivals: Sequence[str]
) -> dict[str, predictor.Predictor]:
    """The model and its rivals by the names of their rows."""
    models = {MODEL: predictor.load(model_dir)}
    for path in rivals:
        name = Path(path).resolve().name
        if name in models:
            raise InputError(f"two rows would be named {name}: rename a rival's folder")
        models[name] = predictor.load(path)
    return models


def write_summary(output_dir: Path, summary: dict[str, Any]) -> None:
    """Adds the chance level to a summary and writes metrics.json and tables.md."""
    num_classes = summary["results"][ZERO]["masks"]["all"]["num_classes_true"]
    summary["chance"] = {
        "dir": baselines.CHANCE_DIR,
        "ori": baselines.CHANCE_ORI,
        "recall": baselines.chance_recall(num_classes),
    }
    text = json.dumps(summary, allow_nan=False)
    (output_dir / "metrics.json").write_text(text + "\n", encoding="utf-8")
    (output_dir / "tables.md").write_text(markdown(summary), encoding="utf-8")


def markdown(summary: Mapping) -> str:
    """The tables of a summary as a Markdown page."""
    title = f"# {summary['model']} on {summary['split']}"
    tables = [table.markdown() for table in score_tables(summary)]
    return "\n\n".join([title, introduction(summary), *tables]) + "\n"


def _make_folder(path: str | Path) -> Path:
    # Before the work, not after it: evaluating can take an hour.
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output_dir {path} cannot be made: {error}") from error
    return Path(path)


def choose_examples(moving: np.ndarray, num_examples: int) -> np.ndarray:
    """Indices spread evenly over the samples that move at least as much as the median.

    So they are the same for every model, whatever its success. Samples without motion
    are taken only if there are no others.

    Args:
      moving: [N], share of moving cells of each sample.
      num_examples: fewer are returned if there are not so many.
    """
    eligible = np.flatnonzero((moving > 0) & (moving >= np.median(moving)))
    if len(eligible) == 0:
        eligible = np.arange(len(moving))
    places = np.linspace(0, len(eligible) - 1, min(num_examples, len(eligible)))
    return eligible[np.rint(places).astype(int)]


def choose_extremes(
    gain: np.ndarray, clips: np.ndarray, num_examples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the largest and of the smallest gains, one a clip.

    Args:
      gain: [N]; NaN for samples that are not to be chosen.
      clips: [N], the clip of each.
      num_examples: of each kind; the two never share a sample.
    """
    order = np.argsort(gain, kind="stable")[: np.count_nonzero(~np.isnan(gain))]
    both = []
    for ranked in (order[::-1], order):
        _, first = np.unique(clips[ranked], return_index=True)
        both.append(ranked[np.sort(first)])
    half = min(num_examples, len(both[0]) // 2)
    return both[0][:half], both[1][:half]


def read_examples(
    evaluation: Evaluation, data: DataDir, split: str, model: ModelRows
) -> dict[str, dict[str, np.ndarray]]:
    """Samples to draw: typical ones, and the best and worst predictions.

    Best and worst are by how much of the zero flow's EPE over moving cells is taken
    away, among frames with at least 20 such cells, one a clip.

    Returns:
      kind -> frames [n, S, S, 3], flow and prediction [n, g, g, 2], clip, action, ...
    """
    place = MASKS.index("nz")
    count, _, zero = evaluation.frames[ZERO][:, place].T
    error = evaluation.frames[MODEL][:, place, 2]
    with np.errstate(invalid="ignore", divide="ignore"):
        gain = np.where(count >= _MIN_MOVING, 1 - error / zero, np.nan)
    best, worst = choose_extremes(gain, evaluation.sample_clips, NUM_EXAMPLES)
    chosen = {
        "predictions": choose_examples(count, NUM_EXAMPLES),
        "best_predictions": best,
        "worst_predictions": worst,
    }
    examples = {}
    for kind, indices in chosen.items():
        if len(indices):
            samples = pipeline.read_samples(data, split, indices)
            prediction = model(samples["frames"])[MODEL]["flow"]
            examples[kind] = samples | {"prediction": prediction}
    return examples


def write_figures(
    output_dir: Path,
    summary: Mapping,
    data: DataDir,
    examples: Mapping[str, Mapping[str, np.ndarray]],
) -> None:
    """Draws the report's Figures 9, 10 and 11, the codebook and the calibration.

    Args:
      output_dir: an existing folder.
      summary: what metrics.json holds.
      data: the data directory.
      examples: from `read_examples`.
    """
    result = summary["results"][MODEL]
    where = f"{summary['model']}, {summary['split']}"
    codebook = data.codebook
    figures = {"codebook": visualize.codebook_figure(codebook.centers, codebook.counts)}
    if summary["classes_agree"]:
        figures |= {
            "confusion_matrix": visualize.confusion_figure(
                np.array(result["confusion"]),
                codebook.zero_index,
                f"Confusion of classes: {where}",
            ),
            "top1_by_cell": visualize.cell_map_figure(
                100 * np.array(result["top1_by_cell"]).reshape([data.grid_size] * 2),
                f"Top-1 accuracy by cell: {where}",
                "frames whose class is right, %",
            ),
            "reliability": visualize.reliability_figure(
                *(
                    np.array(result[f"reliability_{key}"], float)
                    for key in ("confidence", "accuracy", "share")
                ),
                f"Calibration: {where}, ECE {100 * result['ece']:.1f} %",
            ),
        }
    for kind, samples in examples.items():
        figures[kind] = visualize.prediction_strip(
            samples["frames"],
            samples["flow"],
            samples["prediction"],
            example_titles(samples),
        )
    for name, figure in figures.items():
        visualize.save_figure(figure, output_dir / f"{name}.png")


def example_titles(samples: Mapping[str, np.ndarray]) -> list[str]:
    """One short title a sample: its action (or its clip) and frame."""
    columns = (samples[key] for key in ("action", "clip", "frame_index"))
    return [
        f"{(action or clip).decode(errors='backslashreplace')}, frame {index}"
        for action, clip, index in zip(*columns, strict=True)
    ]
