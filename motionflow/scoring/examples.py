"""Which samples of an evaluation to draw, and the figures beside its tables.

Evaluation -> indices of typical, best and worst samples -> frames and flows -> PNG
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir
from motionflow.drawing import plots
from motionflow.scoring.cells import MASKS
from motionflow.scoring.evaluation import Evaluation
from motionflow.scoring.model_rows import ModelRows
from motionflow.scoring.summary import MODEL, ZERO

NUM_EXAMPLES = 6
_MIN_MOVING = 20  # cells, for a best or worst prediction to mean anything


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
            samples = pipeline.first_step(samples)
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
    figures = {"codebook": plots.codebook_figure(codebook.centers, codebook.counts)}
    if summary["classes_agree"]:
        figures |= {
            "confusion_matrix": plots.confusion_figure(
                np.array(result["confusion"]),
                codebook.zero_index,
                f"Confusion of classes: {where}",
            ),
            "top1_by_cell": plots.cell_map_figure(
                100 * np.array(result["top1_by_cell"]).reshape([data.grid_size] * 2),
                f"Top-1 accuracy by cell: {where}",
                "frames whose class is right, %",
            ),
            "reliability": plots.reliability_figure(
                np.array(result["reliability_confidence"], float),
                np.array(result["reliability_accuracy"], float),
                np.array(result["reliability_share"], float),
                f"Calibration: {where}, ECE {100 * result['ece']:.1f} %",
            ),
        }
    for kind, samples in examples.items():
        figures[kind] = plots.prediction_strip(
            samples["frames"],
            samples["flow"],
            samples["prediction"],
            example_titles(samples),
        )
    for name, figure in figures.items():
        plots.save_figure(figure, output_dir / f"{name}.png")


def example_titles(samples: Mapping[str, np.ndarray]) -> list[str]:
    """One short title a sample: its action (or its clip) and frame."""
    columns = (samples[key] for key in ("action", "clip", "frame_index"))
    return [
        f"{(action or clip).decode(errors='backslashreplace')}, frame {index}"
        for action, clip, index in zip(*columns, strict=True)
    ]
