"""History and scores of a run -> the report's figures 6 to 9 and 11, and more."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from motionflow.data.data_dir import DataDir
from motionflow.drawing import flow_color, plots
from motionflow.drawing.pictures import Picture, picture
from motionflow.scoring.figures import score_figures
from motionflow.scoring.scores import MODEL
from motionflow.scoring.summary import Summary

_INCHES = 5.0  # width of a figure: text of 10 points is 10 pixels on a screen of 360


def history_pictures(rows: Sequence[Mapping[str, float]]) -> list[tuple[str, Picture]]:
    """Figures 6, 7 and 8 of a run's history: (caption, picture) each; [] of none."""
    if not rows:
        return []
    epochs = [row["epoch"] for row in rows]

    def curves(metric: str, scale: float = 1) -> dict[str, list[float]]:
        names = {"training": metric, "validation": f"val_{metric}"}
        return {
            name: [scale * row[key] for row in rows]
            for name, key in names.items()
            if key in rows[0]
        }

    figures = (
        ("Figure 6. Training loss", {"training": curves("loss")["training"]}, "loss"),
        ("Figure 7. Top-1 accuracy over all cells", curves("top1", 100), "top-1, %"),
        (
            "Figure 8. Mean recall over the classes",
            curves("mean_recall", 100),
            "mean recall, %",
        ),
    )
    return [
        (
            caption,
            drawing(
                plots.history_figure(epochs, found, label),
                f"{caption} over {len(epochs)} epochs: " + _ends(found),
            ),
        )
        for caption, found, label in figures
    ]


def _ends(curves: Mapping[str, Sequence[float]]) -> str:
    return "; ".join(
        f"{name} from {values[0]:.4g} to {values[-1]:.4g}"
        for name, values in curves.items()
    )


def score_pictures(summary: Summary, data: DataDir) -> dict[str, Picture]:
    """`figures.score_figures` as pictures, by their names."""
    codebook, result = data.codebook, summary["results"][MODEL]
    confusion = np.array(result["confusion"])
    said_still = confusion[:, codebook.zero_index].sum() / max(confusion.sum(), 1)
    top1, error = 100 * np.array(result["top1_by_cell"]), result["ece"] or 0
    alts = {
        "codebook": f"The {codebook.num_clusters} flow vectors of the codebook as "
        "points",
        "confusion_matrix": f"Confusion matrix of the classes; {said_still:.0%} of all "
        "cells are predicted still",
        "top1_by_cell": f"Map of the top-1 accuracy: from {top1.min():.0f} % to "
        f"{top1.max():.0f} %",
        "reliability": f"Reliability diagram; expected calibration error {error:.1%}",
    }
    figures = score_figures(summary, data)
    return {name: drawing(figure, alts[name]) for name, figure in figures.items()}


def legend() -> Picture:
    """The wheel of directions."""
    return picture(
        flow_color.color_wheel(),
        "Wheel of directions: red right, yellow-green down, cyan left, violet up",
    )


def drawing(figure: Figure, alt: str) -> Picture:
    """A figure as a picture, drawn small enough to be read on a telephone."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(_INCHES, _INCHES * height / width)
    with Image.open(io.BytesIO(plots.figure_png(figure))) as image:
        return picture(np.asarray(image.convert("RGB")), alt)
