"""Run directory + data directory -> the report's Tables 3 and 4, with baselines.

    python -m motionflow.evaluate --run_dir=R --data_dir=D [--split=validation|test]

The model and every baseline see the same batches once and are scored by the same code,
so the rows of a table compare. Writes to `--output_dir` (R/evaluation/<split>):
metrics.json (everything), tables.md (what is printed), confusion_matrix.png,
top1_by_cell.png, predictions.png, codebook.png.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from absl import flags
from tqdm import tqdm

from motionflow import baselines, cli, visualize
from motionflow.data import pipeline
from motionflow.data.codebook import Codebook
from motionflow.data.records import DataDir, open_data_dir
from motionflow.errors import InputError
from motionflow.metrics import FlowMetrics, canny_cells
from motionflow.models import predictor
from motionflow.tables import format_tables

PredictFlow = Callable[[np.ndarray], Mapping]
SPLITS = ("validation", "test")
NUM_EXAMPLES = 6


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Adds this command's flags to a registry."""
    own = {"flag_values": flag_values}
    flags.DEFINE_string("run_dir", "runs/allconv", "Run directory to evaluate.", **own)
    flags.DEFINE_string(
        "model",
        None,
        "Exported X/<version> instead of run_dir; name output_dir.",
        **own,
    )
    flags.DEFINE_string("data_dir", "data/tfrecords", "Data directory.", **own)
    flags.DEFINE_enum("split", "validation", SPLITS, "Split to evaluate.", **own)
    flags.DEFINE_string(
        "output_dir", None, "Where to write; <run_dir>/evaluation/<split>.", **own
    )
    flags.DEFINE_integer("batch_size", 32, "Frames at a time.", lower_bound=1, **own)


def main(argv: Sequence[str]) -> None:
    """Reads the flags and evaluates."""
    del argv
    values = flags.FLAGS
    if values.model and not values.output_dir:
        raise InputError("--model needs --output_dir: an exported folder is read only")
    model_dir = Path(values.model or values.run_dir)
    output_dir = values.output_dir or model_dir / "evaluation" / values.split
    tables = evaluate(
        model_dir, values.data_dir, values.split, output_dir, values.batch_size
    )
    print(tables)
    print(f"Written to {output_dir}")


def evaluate(
    model_dir: str | Path,
    data_dir: str | Path,
    split: str,
    output_dir: str | Path,
    batch_size: int = 32,
) -> str:
    """Scores a model and the baselines on one split and writes tables and figures.

    Args:
      model_dir: run directory or exported version folder.
      data_dir: data directory made with the model's codebook.
      split: "validation" or "test".
      output_dir: made if missing; files in it are overwritten.
      batch_size: frames at a time; does not change the result.

    Returns:
      The tables as Markdown.

    Raises:
      InputError: no such directory, an empty split, another codebook or frame size, a
        diverged model.
    """
    model, data = predictor.load(model_dir), open_data_dir(data_dir)
    name = Path(model_dir).resolve().name
    check_agreement(model, name, data)

    output_dir = _make_folder(output_dir)

    examples = read_examples(data, split)
    statistics = baselines.training_statistics(data)
    rivals = baselines.make_baselines(statistics, data.codebook)
    results = score({"model": model, **rivals}, data, split, batch_size)

    summary = {
        "model": name,
        "num_parameters": model.num_parameters,
        "split": split,
        "num_samples": results["model"]["num_samples"],
        "codebook_fingerprint": data.codebook.fingerprint,
        "chance": chance(results["model"]["num_classes_true"]),
        "results": results,
    }
    tables = format_tables(summary)
    (output_dir / "tables.md").write_text(tables, encoding="utf-8")
    text = json.dumps(summary, default=np.ndarray.tolist, allow_nan=False)
    (output_dir / "metrics.json").write_text(text + "\n", encoding="utf-8")
    examples["prediction"] = np.asarray(model(examples["frames"])["flow"])
    counts = statistics.class_counts.sum(axis=0)
    write_figures(output_dir, summary, data.codebook, counts, examples)
    return tables


def _make_folder(path: str | Path) -> Path:
    # Before the work, not after it: evaluating can take an hour.
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output_dir {path} cannot be made: {error}") from error
    return Path(path)


def check_agreement(model: predictor.Predictor, name: str, data: DataDir) -> None:
    """Model and data must speak of the same classes, or codes mean other motions."""
    ours, theirs = Codebook(model.centers).fingerprint, data.codebook.fingerprint
    if ours != theirs:
        raise InputError(
            f"the model {name} was trained with codebook {ours}, but {data.path} was "
            f"labelled with codebook {theirs}: expected the same one"
        )
    found = (model.frame_size, model.grid_size)
    expected = (data.frame_size, data.grid_size)
    if found != expected:
        raise InputError(
            f"the model {name} has (frame_size, grid_size) {found}, {data.path} has "
            f"{expected}"
        )


def score(
    predictors: Mapping[str, PredictFlow], data: DataDir, split: str, batch_size: int
) -> dict[str, dict]:
    """Runs every predictor over a split, each sample exactly once.

    Args:
      predictors: by name; frames uint8 [B, S, S, 3] -> dict of flow, probabilities and
        codes, the last two or one of them None where a predictor has no such thing.
      data: an opened data directory.
      split: which samples.
      batch_size: frames at a time.

    Returns:
      `FlowMetrics.result` by name.

    Raises:
      InputError: the shards hold another number of samples than the manifest says.
    """
    metrics = {name: FlowMetrics(data.codebook, data.grid_size) for name in predictors}
    expected, seen = data.num_samples(split), 0
    batches = pipeline.evaluation_batches(data, split, batch_size)
    with tqdm(total=expected, desc=split, unit="frame", disable=None) as progress:
        for batch in batches.as_numpy_iterator():
            frames, codes, flow = batch["frames"], batch["codes"], batch["flow"]
            canny = canny_cells(frames, data.grid_size)
            for name, predict in predictors.items():
                out = predict(frames)
                metrics[name].update(
                    flow,
                    out["flow"],
                    codes,
                    out["probabilities"],
                    codes_pred=out["codes"],
                    canny=canny,
                )
            seen += len(frames)
            progress.update(len(frames))
    if seen != expected:
        raise InputError(f"{split} holds {seen} samples, the manifest says {expected}")
    return {name: metric.result() for name, metric in metrics.items()}


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


def read_examples(data: DataDir, split: str) -> dict[str, np.ndarray]:
    """Samples to draw: frames [N, S, S, 3], flow [N, g, g, 2], clip, action, ..."""
    batches = pipeline.targets(data, split, 256).as_numpy_iterator()
    zero = data.codebook.zero_index
    moving = np.concatenate([(b["codes"] != zero).mean(axis=1) for b in batches])
    chosen = set(choose_examples(moving, NUM_EXAMPLES).tolist())
    samples = pipeline.evaluation_batches(data, split, 1).as_numpy_iterator()
    kept = [sample for index, sample in enumerate(samples) if index in chosen]
    return {key: np.concatenate([sample[key] for sample in kept]) for key in kept[0]}


def chance(num_classes: int) -> dict[str, float]:
    """What knowing nothing scores; see `motionflow.baselines`."""
    return {
        "dir": baselines.CHANCE_DIR,
        "ori": baselines.CHANCE_ORI,
        "recall": baselines.chance_recall(num_classes),
    }


def write_figures(
    output_dir: Path,
    summary: Mapping,
    codebook: Codebook,
    class_counts: np.ndarray,
    examples: Mapping[str, np.ndarray],
) -> None:
    """Draws the report's Figures 9, 10 and 11 for the model, and the codebook.

    Args:
      output_dir: an existing folder.
      summary: what metrics.json holds.
      codebook: of the data.
      class_counts: int [K], training vectors of each class.
      examples: from `read_examples`, with the model's prediction.
    """
    result, where = (
        summary["results"]["model"],
        f"{summary['model']}, {summary['split']}",
    )
    titles = [
        f"{(action or clip).decode()}, frame {index}"
        for action, clip, index in zip(
            *(examples[key] for key in ("action", "clip", "frame_index")), strict=True
        )
    ]
    figures = {
        "confusion_matrix": visualize.confusion_figure(
            result["confusion"], codebook.zero_index, f"Confusion of classes: {where}"
        ),
        "top1_by_cell": visualize.cell_map_figure(
            100 * result["top1_by_cell"],
            f"Top-1 accuracy by cell: {where}",
            "frames whose class is right, %",
        ),
        "predictions": visualize.prediction_strip(
            examples["frames"], examples["flow"], examples["prediction"], titles
        ),
        "codebook": visualize.codebook_figure(codebook.centers, class_counts),
    }
    for name, figure in figures.items():
        visualize.save_figure(figure, output_dir / f"{name}.png")


if __name__ == "__main__":
    cli.run(main, define_flags)
