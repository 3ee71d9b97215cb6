"""A folder of videos -> a trained, judged and exported model, and one film.

    videos -> R/data/ -> R/checkpoints/ ... -> R/evaluation/<split>/report.html
      -> R/exported/<version>/ -> R/film.mp4

Everything lies in one run directory R. A step that is done is not done again, unless
the network was trained further; so a run that was stopped goes on.
"""

import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np

from motionflow.data import pipeline
from motionflow.data.builder import build_data_dir, format_summary
from motionflow.data.data_dir import DataDir, open_data_dir
from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.files.lock import alone
from motionflow.files.outputs import check_name
from motionflow.films.compared import FRAMES_PER_PREDICTION, ComparedFilm, compare_film
from motionflow.films.model import load
from motionflow.generate.animation import Animation
from motionflow.labels.clips import video_files
from motionflow.labels.options import BuildOptions
from motionflow.models.model_path import find_model
from motionflow.report.page import make_report
from motionflow.scoring import assessment, verdict
from motionflow.scoring.summary import baseline_names
from motionflow.serving.exporting import export_model
from motionflow.training.settings import Settings
from motionflow.training.trainer import Watch, train

_LOG = logging.getLogger(__name__)


def build_data(
    video_dir: str | Path, run_dir: str | Path, options: BuildOptions, **rest: Any
) -> str:
    """Builds R/data from videos, unless it is complete.

    Args:
      video_dir: folder of videos.
      run_dir: R.
      options: what to build.
      **rest: further arguments of `build_data_dir`.

    Returns:
      What became of the videos, in lines for the terminal.

    Raises:
      InputError: as `build_data_dir`; or R lies among the videos, where the films that
        it gets would be taken for videos of yours.
    """
    run_dir, data_dir = Path(run_dir), Path(run_dir, "data")
    if run_dir.resolve().is_relative_to(Path(video_dir).resolve()):
        raise InputError(
            f"the run directory {run_dir} lies in {video_dir}, whose videos it is made "
            f"from: name another --run_dir"
        )
    check_name(run_dir)
    is_there = (data_dir / "manifest.json").is_file()
    with alone(run_dir):
        statuses = build_data_dir(video_dir, data_dir, options, **rest)
    if is_there:
        return f"{data_dir} is complete"
    return format_summary(data_dir, statuses)


def make_model(
    video_dir: str | Path,
    settings: Settings,
    watch: Watch,
    bar: bool = False,
    data_licence: str | None = None,
) -> None:
    """Does what is left to do after `build_data`.

    Args:
      video_dir: the videos that R/data was made from.
      settings: of the training; its data_dir and run_dir are R's.
      watch: see `trainer.train`.
      bar: see `trainer.train`.
      data_licence: see `export_model`.

    Raises:
      InputError: as `trainer.train`, `make_report` and `export_model`.
    """
    run_dir, data_dir = Path(settings.run_dir or "."), Path(settings.data_dir)
    data = open_data_dir(data_dir)
    split = "test" if data.num_samples("test") else "validation"
    folder, film = run_dir / "evaluation" / split, run_dir / "film.mp4"
    scores = folder / "metrics.json"
    with alone(run_dir):
        done = _Done(run_dir / "steps.json", train(settings, watch, bar)["epochs"])
        if done.is_to_do("report") or not scores.is_file():
            _LOG.info("judging it on the %s split, beside baselines", split)
            make_report(run_dir, data_dir, split, folder, assessment.Options())
            done.note("report")
        if done.is_to_do("export"):
            _LOG.info("exporting it")
            export_model(run_dir, run_dir / "exported", data_licence=data_licence)
            done.note("export")
        if done.is_to_do("film"):
            _LOG.info("making a film")
            _film(run_dir, Path(video_dir), data, split).save(film)
            done.note("film")
    # Shuffled frames put each video into training too.
    seen = data.protocol == "frame"
    video = "a video of the data" if seen else "a video that it never saw"
    places = {
        folder / "report.html": "how good it is, with figures and films",
        film: f"{video}: predicted, the flow, what really happened",
        find_model(run_dir / "exported"): "the model for TensorFlow Serving",
        run_dir: "the model for `motionflow animate PICTURE --model=...`",
    }
    width = max(len(str(path)) for path in places)
    summary = json.loads(scores.read_text())
    verdicts = verdict.judge(summary, baseline_names(summary))
    _LOG.info("%s", verdict.headline(verdicts))
    _LOG.info("finished; look at")
    for path, text in places.items():
        _LOG.info("  %-*s  %s", width, path, text)


def _film(run_dir: Path, video_dir: Path, data: DataDir, split: str) -> ComparedFilm:
    """From the frame of a split that the most motion follows, whatever is predicted."""
    flow, clips, frames = pipeline.read_columns(
        data, split, "flow", "clip", "frame_index"
    )
    chosen = np.linalg.norm(flow, axis=-1).mean(axis=(1, 2, 3)).argmax()
    return compare_film(
        load(run_dir),
        video_dir / os.fsdecode(clips[chosen]),
        Animation(frames_per_prediction=FRAMES_PER_PREDICTION),
        start_frame=int(frames[chosen]),
        show_flow=True,
    )


class _Done:
    """Which steps were done with the network as it is after so many epochs."""

    def __init__(self, path: Path, epochs: int):
        self._path, self._epochs = path, epochs
        self._steps = json.loads(path.read_text()) if path.is_file() else {}

    def is_to_do(self, step: str) -> bool:
        return self._steps.get(step) != self._epochs

    def note(self, step: str) -> None:
        self._steps[step] = self._epochs
        drafts.write(self._path, json.dumps(self._steps) + "\n")


def is_video_folder(path: str | Path) -> bool:
    """Whether a path is a folder with videos in it, and no data directory."""
    if Path(path, "manifest.json").is_file() or not Path(path).is_dir():
        return False
    try:
        return bool(video_files(path))
    except InputError:
        return False
