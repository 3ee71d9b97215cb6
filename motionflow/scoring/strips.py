"""The same frames under every model, to look at.

samples with the most motion, one a source -> strip.png: frame, flow of each model
                                           -> strip_frames.png: frame +10 of each
"""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir
from motionflow.drawing import flow_color, flow_drawing, plots
from motionflow.models.predictor import Predictor
from motionflow.scoring import films
from motionflow.scoring.figures import example_titles
from motionflow.scoring.forecasts import Forecast
from motionflow.scoring.samples import Choice, Videos

NUM_ROWS = 3
FRAME_AHEAD = 10
_PANEL = 2.6  # inches
_LINE = 32  # letters above a panel
_FULL = 99  # percentile of the true lengths that gets full brightness

Panel = tuple[str, np.ndarray]


def choose(motion: np.ndarray, reached: np.ndarray, sources: np.ndarray) -> list[int]:
    """Numbers of the samples with the most motion, one a source.

    Args:
      motion: [N], mean length of the start label.
      reached: int [N], frames that follow without a break; samples whose frame +10 is
        there come first.
      sources: str [N].
    """
    order = np.lexsort((-motion, reached < FRAME_AHEAD))
    _, first = np.unique(sources[order], return_index=True)
    return order[np.sort(first)][:NUM_ROWS].tolist()


def read(
    data: DataDir, videos: Videos, split: str, choice: Choice, numbers: Sequence[int]
) -> dict[str, np.ndarray | list]:
    """Reads what is drawn.

    Returns:
      titles, frames uint8 [n, S, S, 3], flow [n, h, h, 2] as fine as it is kept, and
      real: the frames at +10, None where there is none.
    """
    dense = data.labels.store_dense_flow > 0
    view = data.view(dense=dense, sequence=False)
    samples = pipeline.read_samples(view, split, choice.indices[numbers])
    found = [videos.read(choice, [n], [FRAME_AHEAD])[n] for n in numbers]
    return {
        "titles": example_titles(samples),
        "frames": samples["frames"],
        "flow": samples["flow"][:, 0],
        "real": [film.frames.get(FRAME_AHEAD) for film in found],
    }


def write(
    models: Mapping[str, Predictor],
    samples: Mapping,
    step_frames: int,
    output_dir: Path,
) -> None:
    """Draws samples from `read` under every model: strip.png and strip_frames.png."""
    rows = flow_rows(models, samples)
    plots.save_figure(strip(rows), output_dir / "strip.png")
    rows = frame_rows(models, samples, step_frames)
    plots.save_figure(strip(rows), output_dir / "strip_frames.png")


def flow_rows(models: Mapping[str, Predictor], samples: Mapping) -> list[list[Panel]]:
    """Frame, true flow, each model's finest flow and the wheel, one scale a row."""
    frames = samples["frames"]
    predicted = {
        name: Forecast.of_model(model, frames).finest[:, 0]
        for name, model in models.items()
    }
    rows = []
    for i, frame in enumerate(frames):
        true = samples["flow"][i]
        longest = float(np.percentile(np.linalg.norm(true, axis=-1), _FULL))
        row = [(samples["titles"][i], frame), _flow_panel("true flow", true, longest)]
        row += [_flow_panel(n, flow[i], longest) for n, flow in predicted.items()]
        wheel = (
            f"full brightness:\n{longest:.2g} px a step",
            flow_color.color_wheel(401),
        )
        rows.append([*row, wheel])
    return rows


def _flow_panel(name: str, flow: np.ndarray, longest: float) -> Panel:
    side = len(flow)
    size = side * max(1, 200 // side)  # whole blocks
    panel = flow_drawing.flow_panel(flow, size, size, longest, legend=False)
    return f"{_wrapped(name)}\n({side}x{side})", panel


def _wrapped(name: str) -> str:
    return textwrap.fill(name, _LINE)


def frame_rows(
    models: Mapping[str, Predictor], samples: Mapping, step_frames: int
) -> list[list[Panel]]:
    """Frame, what really followed, and what each model's film shows then."""
    frames, columns = samples["frames"], {}
    for name, model in models.items():
        mode = films.film_modes(model)[-1]
        film = films.rolled_out(model, frames, mode, step_frames, [FRAME_AHEAD])
        columns[f"{_wrapped(name)}\n({mode}, +{FRAME_AHEAD})"] = film[FRAME_AHEAD]
    rows = []
    for i, frame in enumerate(frames):
        real = samples["real"][i]
        there = real is not None
        shown = real if there else np.full_like(frame, 255)
        what = f"real, +{FRAME_AHEAD}" if there else f"no real frame +{FRAME_AHEAD}"
        row = [(samples["titles"][i], frame), (what, shown)]
        rows.append([*row, *((name, column[i]) for name, column in columns.items())])
    return rows


def strip(rows: Sequence[Sequence[Panel]]) -> Figure:
    """Rows of titled pictures."""
    shape = len(rows), len(rows[0])
    size = _PANEL * shape[1], (_PANEL + 0.4) * shape[0]
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(*shape, squeeze=False)
    for place, panels in zip(axes, rows, strict=True):
        for one, (title, picture) in zip(place, panels, strict=True):
            one.imshow(picture, interpolation="nearest")
            one.set_title(title, size=9)
            one.set_axis_off()
    return figure
