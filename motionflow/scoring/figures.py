"""The figures beside an evaluation's tables, and which samples they show.

Evaluation -> indices of typical, best and worst samples -> frames and flows -> PNG
"""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir
from motionflow.drawing import plots
from motionflow.drawing.flow_color import flow_panels
from motionflow.drawing.flow_drawing import write_note
from motionflow.drawing.plots import choose_examples
from motionflow.scoring.cells import MASKS
from motionflow.scoring.evaluation import Evaluation
from motionflow.scoring.rows import KnownRows, ModelRows
from motionflow.scoring.scores import MODEL, ZERO
from motionflow.scoring.summary import Summary

Samples = Mapping[str, np.ndarray]
NUM_EXAMPLES = 6
_NUM_KNOWN = 12  # samples of the picture of known motion
_MIN_MOVING = 20  # cells, for a best or worst prediction to mean anything


def num_moving(evaluation: Evaluation) -> np.ndarray:
    """Moving cells of each sample, [N]."""
    return evaluation.rows[ZERO]["frames"][:, MASKS.index("nz"), 0]


def choose_extremes(
    gain: np.ndarray, clips: np.ndarray, num_examples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the largest and of the smallest gains [N], one a clip.

    NaN is not chosen, and the two never share a sample.
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
    place, count = MASKS.index("nz"), num_moving(evaluation)
    zero, error = (evaluation.rows[r]["frames"][:, place, 2] for r in (ZERO, MODEL))
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
            found = pipeline.read_samples(data, split, indices)
            samples = pipeline.first_step(found)
            examples[kind] = samples | {"prediction": model.flow(samples["frames"])}
    return examples


def score_figures(
    summary: Summary, data: DataDir, where: str = ""
) -> dict[str, Figure]:
    """The report's Figures 9 and 11, the calibration and the codebook.

    All but the codebook only where the model's classes are those of the data. `where`
    ends their titles.
    """
    result, codebook = summary["results"][MODEL], data.codebook
    figures = {"codebook": plots.codebook_figure(codebook.centers, codebook.counts)}
    if not summary["classes_agree"]:
        return figures
    confidence, accuracy, share = (
        np.array(result[f"reliability_{key}"], float)
        for key in ("confidence", "accuracy", "share")
    )
    top1 = 100 * np.array(result["top1_by_cell"]).reshape([data.grid_size] * 2)
    return figures | {
        "confusion_matrix": plots.confusion_figure(
            np.array(result["confusion"]),
            codebook.zero_index,
            f"Confusion of classes{where}",
        ),
        "top1_by_cell": plots.cell_map_figure(
            top1, f"Top-1 accuracy by cell{where}", "frames whose class is right, %"
        ),
        "reliability": plots.reliability_figure(
            confidence,
            accuracy,
            share,
            f"Calibration{where}, ECE {100 * result['ece']:.1f} %",
        ),
    }


def write_figures(
    output_dir: Path,
    summary: Summary,
    data: DataDir,
    examples: Mapping[str, Samples],
) -> None:
    """Draws `score_figures`, and Figure 10 of the examples, into an existing folder."""
    where = f": {summary['model']}, {summary['split']}"
    figures = score_figures(summary, data, where)
    for kind, samples in examples.items():
        figures[kind] = plots.prediction_strip(
            samples["frames"],
            samples["flow"],
            samples["prediction"],
            example_titles(samples),
        )
    for name, figure in figures.items():
        plots.save_figure(figure, output_dir / f"{name}.png")


def example_titles(samples: Samples) -> list[str]:
    """One short title a sample: its action (or its clip) and frame."""
    columns = (samples[key] for key in ("action", "clip", "frame_index"))
    return [
        f"{(action or clip).decode(errors='backslashreplace')}, frame {index}"
        for action, clip, index in zip(*columns, strict=True)
    ]


def draw_known(
    known: KnownRows, data: DataDir, split: str, moving: np.ndarray
) -> np.ndarray:
    """Draws typical frames of a split under each kind of known motion.

    Args:
      known: its kinds are the columns, its first model predicts them; the truth comes
        last, on the same scale.
      data: an opened data directory; with the past where a kind has it.
      split: which samples.
      moving: [N], moving cells of each sample.

    Returns:
      uint8 [rows * S, (kinds + 1) * S, 3]; rings mark the cells with arrows.
    """
    chosen = choose_examples(moving, _NUM_KNOWN)
    samples = pipeline.first_step(pipeline.read_samples(data, split, chosen))
    frames, true, cells = samples["frames"], samples["flow"], known.draw(samples)
    model = next(iter(known.models.values()))
    predicted = []
    for kind in known.kinds:
        given = None
        if model.takes_known and not kind.is_empty:
            given = kind.of_batch(true, cells, samples.get("past_flow"))
        predicted.append(model.flow(frames, given))
    rows = []
    for frame, flow, own, *others in zip(frames, true, cells, *predicted, strict=True):
        last, *panels = (one.picture for one in flow_panels(frame, flow, *others))
        for panel, kind in zip(panels, known.kinds, strict=True):
            ring(panel, own[: kind.num_arrows], data.grid_size)
        names = [*(kind.name for kind in known.kinds), "true"]
        noted = map(write_note, [*panels, last], names)
        rows.append(np.concatenate(list(noted), axis=1))
    return np.concatenate(rows)


def ring(panel: np.ndarray, cells: np.ndarray, grid_size: int) -> None:
    """Marks cells, numbered row by row, on a picture."""
    block = panel.shape[0] / grid_size
    for row, column in zip(*np.divmod(cells, grid_size), strict=True):
        middle = (int((column + 0.5) * block), int((row + 0.5) * block))
        cv2.circle(
            panel, middle, max(2, int(0.7 * block)), (255, 255, 255), 1, cv2.LINE_AA
        )
