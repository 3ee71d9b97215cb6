"""Samples as a person sees them: the picture, its motion, and what the codes keep.

    data directory --draw--> samples, codebook --> a figure, one row a sample::

        frame | flow as colour | flow as arrows on the grid | flow of the codes

The colours of a row share one scale, its longest vector but at least a pixel, so still
samples look still, and the last picture differs from the second by what quantisation
does. Colours are those of `flow_color.overlay_flow`.
"""

import collections
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import withStroke

from motionflow.drawing.flow_color import color_wheel, flow_to_color, overlay_flow
from motionflow.drawing.plots import save_figure
from motionflow.files.outputs import shown
from motionflow.inspection.inspector import Inspection
from motionflow.inspection.record_reader import RecordedSample, RecordReader, record_at
from motionflow.labels.codebook import Codebook

_WIDTH, _HEADER, _ROW = 11.4, 0.6, 3.35  # inches
_ARROW_CELLS = 1.6  # length of a row's longest arrow


def save_samples(
    found: Inspection,
    codebook: Codebook,
    split: str,
    num_samples: int,
    seed: int,
    output: Path,
) -> bool:
    """Writes a picture of some samples, as a PNG; False if there is no good one."""
    samples = draw_samples(found, split, num_samples, seed)
    if not samples:
        return False
    title = (
        f"{len(samples)} of {found.censuses[split].num_samples:,} {split} samples of "
        f"{shown(found.path.resolve().name)}"
    )
    save_figure(contact_sheet(samples, codebook, title), output)
    return True


def draw_samples(
    found: Inspection, split: str, num_samples: int, seed: int
) -> list[RecordedSample]:
    """Draws good samples of an inspected directory, spread over the clips.

    A clip gives a second one only where there are fewer clips than `num_samples`.
    """
    places = list(found.places[split].items())
    turns: collections.Counter[str] = collections.Counter()
    drawn = []
    for i in np.random.default_rng(seed).permutation(len(places)):
        (clip, _), place = places[i]
        drawn.append((turns[clip], place))
        turns[clip] += 1
    drawn.sort(key=lambda item: item[0])  # stable: by chance within a turn
    reader = RecordReader(found.labels, found.codebook)
    return [
        reader.read(record_at(found.path / shard, position))
        for _, (shard, position) in drawn[:num_samples]
    ]


def contact_sheet(
    samples: Sequence[RecordedSample], codebook: Codebook, title: str
) -> Figure:
    """Draws up to MOST_SAMPLES samples, one a row, under a title and the legend."""
    heights = [_HEADER] + [_ROW] * len(samples)
    layout = ConstrainedLayoutEngine(w_pad=0.08)
    figure = Figure(figsize=(_WIDTH, sum(heights)), layout=layout)
    header, *rows = figure.subfigures(
        len(heights), 1, squeeze=False, height_ratios=heights
    ).ravel()
    _draw_header(header, title)
    for row, sample in zip(rows, samples, strict=True):
        _draw_row(row, sample, codebook)
    return figure


def _draw_header(header: SubFigure, title: str) -> None:
    # A dollar sign is no formula.
    style: dict[str, Any] = {"va": "center", "parse_math": False}
    header.text(0.012, 0.5, title, size=13, **style)
    header.text(0.94, 0.5, "colour: direction of flow", ha="right", size=9, **style)
    _show(header.add_axes((0.94, 0.08, 0.05, 0.84)), color_wheel())


def _draw_row(row: SubFigure, sample: RecordedSample, codebook: Codebook) -> None:
    codes = sample.codes.reshape(sample.flow.shape[:2])
    decoded, moving = codebook.decode(codes), codes != codebook.zero_index
    longest = np.linalg.norm(sample.flow, axis=-1).max()
    scale = max(longest, 1.0)
    # File names may hold line breaks and bytes that are no text, which repr escapes,
    # and dollar signs, which are no formula.
    caption = f"{sample.action}: {sample.clip}, frame {sample.frame_index}"
    style: dict[str, Any] = {"x": 0.012, "ha": "left", "size": 10, "parse_math": False}
    row.suptitle(repr(caption)[1:-1], **style)
    panels = row.subplots(1, 4)
    _show(panels[0], sample.frame, "frame")
    colors = overlay_flow(sample.frame, sample.flow, scale)
    _show(panels[1], colors, f"flow, up to {longest:.1f} px")
    _show(panels[2], sample.frame // 3 + 20, "an arrow a cell")
    _draw_arrows(panels[2], sample.flow, scale)
    title = "codes: all still"
    if moving.any():
        error = np.linalg.norm(decoded - sample.flow, axis=-1)[moving].mean()
        title = f"codes, {error:.2f} px off where it moves"
    _show(panels[3], overlay_flow(sample.frame, decoded, scale), title)
    _draw_numbers(panels[3], codes, moving)


def _show(axes: Axes, picture: np.ndarray, title: str = "") -> None:
    axes.imshow(picture, interpolation="nearest")
    axes.set_title(title, size=9)
    axes.set_axis_off()


def _cell_centers(axes: Axes, num_cells: int) -> np.ndarray:
    """Where the cells of the grid lie along a side of the picture in `axes`."""
    left, right = axes.get_xlim()
    return left + (np.arange(num_cells) + 0.5) * (right - left) / num_cells


def _draw_arrows(axes: Axes, flow: np.ndarray, scale: float) -> None:
    """Draws the grid and the flow in it; `scale` pixels are the longest arrow."""
    left, right = axes.get_xlim()
    cell = (right - left) / len(flow)
    edges = left + cell * np.arange(1, len(flow))
    axes.vlines(edges, left, right, "0.45", linewidth=0.3)
    axes.hlines(edges, left, right, "0.45", linewidth=0.3)
    at = _cell_centers(axes, len(flow))
    lengths = np.linalg.norm(flow, axis=-1, keepdims=True)
    colors = flow_to_color(flow / np.maximum(lengths, 1e-12), max_magnitude=1.0)
    axes.quiver(
        *np.meshgrid(at, at),
        *np.moveaxis(flow, -1, 0),
        color=colors.reshape(-1, 3) / 255,
        angles="xy",
        scale_units="xy",
        scale=scale / (_ARROW_CELLS * cell),
        width=0.007,
    )


def _draw_numbers(axes: Axes, codes: np.ndarray, moving: np.ndarray) -> None:
    at = _cell_centers(axes, len(codes))
    style: dict[str, Any] = {
        "ha": "center",
        "va": "center",
        "in_layout": False,
        "color": "white",
    }
    outline = [withStroke(linewidth=1.2, foreground="black")]
    for row, column in np.argwhere(moving):
        number = str(codes[row, column])
        axes.text(at[column], at[row], number, size=5, path_effects=outline, **style)
