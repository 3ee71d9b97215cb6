"""The same frames under every model, to look at.

samples with the most motion, one a source -> strip.png: frame, flow of each model
                                           -> strip_frames.png: frame +10 of each
"""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir
from motionflow.drawing import flow_color, flow_drawing, plots
from motionflow.drawing.plots import Panel
from motionflow.models.predictor import Predictor
from motionflow.scoring import films
from motionflow.scoring.figures import example_titles
from motionflow.scoring.forecasts import Forecast
from motionflow.scoring.samples import Choice, Videos

NUM_ROWS = 3
FRAME_AHEAD = 10
_LINE = 32  # letters above a panel
_FULL = 99  # percentile of the true lengths that gets full brightness


def choose(motion: np.ndarray, reached: np.ndarray, sources: np.ndarray) -> list[int]:
    """Numbers of the samples with the most motion [N], one a source.

    Those whose frame +10 is reached, int [N], come first.
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
    for name, rows in (
        ("strip", flow_rows(models, samples)),
        ("strip_frames", frame_rows(models, samples, step_frames)),
    ):
        plots.save_figure(plots.picture_grid(rows), output_dir / f"{name}.png")


def flow_rows(models: Mapping[str, Predictor], samples: Mapping) -> list[list[Panel]]:
    """Frame, true flow, each model's finest flow and the wheel, one scale a row."""
    frames = samples["frames"]
    predicted = {
        name: Forecast.of_model(model, frames).finest[:, 0]
        for name, model in models.items()
    }
    rows = []
    for i, (title, frame, true) in enumerate(
        zip(samples["titles"], frames, samples["flow"], strict=True)
    ):
        longest = float(np.percentile(np.linalg.norm(true, axis=-1), _FULL))
        flows = {"true flow": true} | {n: flow[i] for n, flow in predicted.items()}
        row = [_flow_panel(name, flow, longest) for name, flow in flows.items()]
        scale = f"full brightness:\n{longest:.2g} px a step"
        rows.append([(title, frame), *row, (scale, flow_color.color_wheel(401))])
    return rows


def _flow_panel(name: str, flow: np.ndarray, longest: float) -> Panel:
    side = len(flow)
    size = side * max(1, 200 // side)  # whole blocks
    panel = flow_drawing.flow_panel(flow, size, size, longest, legend=False)
    return f"{textwrap.fill(name, _LINE)}\n({side}x{side})", panel


def frame_rows(
    models: Mapping[str, Predictor], samples: Mapping, step_frames: int
) -> list[list[Panel]]:
    """Frame, what really followed, and what each model's film shows then."""
    frames, columns = samples["frames"], {}
    for name, model in models.items():
        mode = films.film_modes(model)[-1]
        film = films.rolled_out(model, frames, mode, step_frames, [FRAME_AHEAD])
        columns[f"{textwrap.fill(name, _LINE)}\n({mode}, +{FRAME_AHEAD})"] = film[
            FRAME_AHEAD
        ]
    rows = []
    for i, (title, frame, real) in enumerate(
        zip(samples["titles"], frames, samples["real"], strict=True)
    ):
        there = real is not None
        what = f"real, +{FRAME_AHEAD}" if there else f"no real frame +{FRAME_AHEAD}"
        shown = real if there else np.full_like(frame, 255)
        films_then = [(name, column[i]) for name, column in columns.items()]
        rows.append([(title, frame), (what, shown), *films_then])
    return rows
