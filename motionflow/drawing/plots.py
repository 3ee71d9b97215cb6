"""Scores, codebooks and pictures -> figures.

Figures are matplotlib objects without pyplot (no global state, no display);
`save_figure` writes the same bytes for the same figure.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from motionflow.drawing.flow_color import color_wheel, flow_panels, flow_to_color
from motionflow.files import drafts

ABSENT_COLOR = "0.85"
_PANEL = 2.6  # inches

Panel = tuple[str, np.ndarray]


def confusion_figure(confusion: np.ndarray, zero_index: int, title: str) -> Figure:
    """The report's Figure 9: row i, column j is the share of class i predicted as j.

    Rows of classes that the truth does not hold are grey. The colour scale is a square
    root, so that a recall of 10 % can be seen.

    Args:
      confusion: counts [K, K], rows the truth.
      zero_index: the still class, marked on both axes.
      title: above the matrix.
    """
    totals = confusion.sum(axis=1, keepdims=True)
    shares: np.ma.MaskedArray = np.ma.masked_array(
        confusion / np.maximum(totals, 1),
        mask=np.broadcast_to(totals == 0, confusion.shape),
    )
    figure, axes = _figure(7.4, 6.4)
    image = axes.imshow(
        shares, cmap=_colormap("magma"), norm=PowerNorm(0.5, vmin=0, vmax=1)
    )
    axes.set_title(title, pad=14)
    axes.set_xlabel("predicted class (red marks: still)")
    axes.set_ylabel("true class (grey rows: none in the data)")
    marker: dict[str, Any] = {"color": "tab:red", "clip_on": False, "markersize": 9}
    edge, gap = len(confusion) - 0.5, len(confusion) / 70
    axes.plot(zero_index, -0.5 - gap, "v", **marker)
    axes.plot(edge + gap, zero_index, "<", **marker)
    axes.set(xlim=(-0.5, edge), ylim=(edge, -0.5))
    bar = figure.colorbar(image, ax=axes, ticks=[0, 0.01, 0.05, 0.1, 0.25, 0.5, 1])
    bar.set_label("share of the true class (rows sum to 1; square-root scale)")
    return figure


def cell_map_figure(values: np.ndarray, title: str, label: str) -> Figure:
    """The report's Figure 11: one number a cell, [g, g], as a map of the frame.

    The label beside the colour bar says quantity and unit.
    """
    figure, axes = _figure(6.2, 5.2)
    image = axes.imshow(values, cmap=_colormap("viridis"))
    axes.set(title=title, xlabel="cell column", ylabel="cell row")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    figure.colorbar(image, ax=axes).set_label(label)
    return figure


def reliability_figure(
    confidence: np.ndarray, accuracy: np.ndarray, share: np.ndarray, title: str
) -> Figure:
    """The reliability diagram (Guo et al. 2017): accuracy over confidence, [bins] each.

    The confidence of an empty bin is NaN; a point's area is the root of its share.
    """
    figure, axes = _figure(5.6, 5.2)
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="perfectly calibrated")
    axes.plot(confidence, accuracy, color="tab:blue", linewidth=1, zorder=1)
    # Square root: one bin often holds nearly all cells.
    areas = 15 + 400 * np.sqrt(np.nan_to_num(share))
    axes.scatter(confidence, accuracy, areas, "tab:blue", edgecolors="white")
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", title=title)
    axes.set_xlabel("mean probability of the first class (area: root of the share)")
    axes.set_ylabel("share of cells where it is right")
    axes.legend(loc="upper left", frameon=False)
    return figure


def history_figure(
    epochs: Sequence[float], curves: Mapping[str, Sequence[float]], label: str
) -> Figure:
    """The report's Figures 6, 7 and 8: numbers over the epochs of a training.

    Curves are name -> values, one an epoch; the label says quantity and unit.
    """
    figure, axes = _figure(4.8, 3.2)
    style: dict[str, Any] = {"markersize": 3, "linewidth": 1.2}
    for (name, values), marker in zip(curves.items(), ("o", "s"), strict=False):
        axes.plot(epochs, values, marker=marker, label=name, **style)
    axes.set(xlabel="epoch", ylabel=label)
    axes.grid(color=ABSENT_COLOR, linewidth=0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(curves) > 1:
        axes.legend(frameon=False)
    return figure


def codebook_figure(centers: np.ndarray, counts: np.ndarray) -> Figure:
    """The centres [K, 2] as flow vectors in pixels, area by how often each occurs.

    Colours as in `flow_to_color`, full from 1 pixel on; counts are [K].
    """
    figure, axes = _figure(6.4, 6)
    shares = counts / max(counts.sum(), 1)
    # Square root: the still class has most vectors and would hide its neighbours.
    areas = 20 + 900 * np.sqrt(shares)
    colors = flow_to_color(centers, max_magnitude=1.0) / 255
    order = np.argsort(-areas)
    axes.axhline(0, color=ABSENT_COLOR, zorder=0)
    axes.axvline(0, color=ABSENT_COLOR, zorder=0)
    dx, dy = centers[order].T
    axes.scatter(dx, dy, areas[order], colors[order], edgecolors="0.3", linewidths=0.6)
    for index, center in enumerate(centers):
        label = axes.annotate(
            str(index), center, (4, 4), textcoords="offset points", size=8
        )
        label.set_path_effects([withStroke(linewidth=2, foreground="white")])
    axes.set_title(f"Codebook: {len(centers)} centres, area by root of frequency")
    axes.set(xlabel="dx, pixels per step (right)", ylabel="dy, pixels per step (down)")
    axes.set_aspect("equal", adjustable="datalim")
    axes.invert_yaxis()
    return figure


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


def prediction_strip(
    frames: np.ndarray,
    flows_true: np.ndarray,
    flows_pred: np.ndarray,
    titles: Sequence[str],
) -> Figure:
    """One row a sample: frame, true flow and predicted flow (the report's Figure 10).

    Args:
      frames: uint8 [N, H, W, 3].
      flows_true: [N, g, g, 2] in pixels.
      flows_pred: [N, g, g, 2] in pixels.
      titles: one a row.
    """
    rows: list[list[Panel]] = []
    for title, frame, *flows in zip(
        titles, frames, flows_true, flows_pred, strict=True
    ):
        true, predicted = flow_panels(frame, *flows)
        rows.append(
            [
                (title, frame),
                (f"true flow, up to {true.longest:.1f} px", true.picture),
                (f"predicted, up to {predicted.longest:.1f} px", predicted.picture),
            ]
        )
    rows[0].append(("direction of flow", color_wheel(401)))
    return picture_grid(rows)


def picture_grid(rows: Sequence[Sequence[Panel]]) -> Figure:
    """Rows of titled pictures, (title, uint8 [H, W, 3]) each; some may be shorter."""
    shape = len(rows), max(map(len, rows))
    num_lines = 1 + max(title.count("\n") for row in rows for title, _ in row)
    size = _PANEL * shape[1], (_PANEL + 0.2 + 0.2 * num_lines) * shape[0]
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(*shape, squeeze=False)
    for places, panels in zip(axes, rows, strict=True):
        for one, (title, picture) in zip(places, panels, strict=False):
            one.imshow(picture, interpolation="nearest")
            one.set_title(title, size=9)
            one.set_axis_off()
        for empty in places[len(panels) :]:
            empty.remove()
    return figure


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _colormap(name: str) -> Colormap:
    return matplotlib.colormaps[name].with_extremes(bad=ABSENT_COLOR)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Writes a PNG that depends on the figure only (no version or date inside)."""
    drafts.write(path, figure_png(figure))


def figure_png(figure: Figure) -> bytes:
    """The PNG that `save_figure` writes."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=150, metadata={"Software": None})
    return file.getvalue()
