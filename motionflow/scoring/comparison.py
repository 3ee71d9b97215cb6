"""Several models on one split and its videos -> a folder of results.

    models, data directory, videos -> sums of forecasts, of films -> comparison.json,
                                      comparison.md, two strips

All models see the same samples, and every difference is to the first model.
"""

import collections
import dataclasses
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motionflow.data.data_dir import DataDir, open_data_dir
from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.files.outputs import make_folder
from motionflow.models.predictor import Predictor
from motionflow.scoring import bootstrap, films, strips
from motionflow.scoring.comparison_tables import Comparison, markdown
from motionflow.scoring.forecasts import ForecastRows, moving
from motionflow.scoring.rows import load_models
from motionflow.scoring.samples import (
    Choice,
    Videos,
    choose_samples,
    mean_colors,
    read_batches,
)
from motionflow.scoring.scores import FORECASTS, Score, estimates
from motionflow.scoring.sums import ClipSums


@dataclasses.dataclass(frozen=True)
class Options:
    """How to compare.

    Attributes:
      max_samples_per_clip: see `samples.choose_samples`.
      num_futures: drawn from each model.
      interval_unit: what the bootstrap draws, "clip" or "source".
      batch_size: samples at a time; does not change the result.
      seed: of the futures and the bootstrap.
      command: as it was typed, to be kept with the numbers.
      progress: called with (samples done, samples in all), for flow, then for films.
    """

    max_samples_per_clip: int = 2
    num_futures: int = 10
    interval_unit: str = "clip"
    batch_size: int = 8
    seed: int = 0
    command: str = ""
    progress: Callable[[int, int], None] = lambda done, total: None


@dataclasses.dataclass(frozen=True)
class StartFrames:
    """What is kept of the samples' records once they were read.

    Attributes:
      moving: bool [N, g, g], where the first label moves.
      motion: [N], its mean length in pixels.
      colors: [N, 5, 5, 3], see `mean_colors`.
    """

    moving: np.ndarray
    motion: np.ndarray
    colors: np.ndarray


def compare(
    model_dirs: Sequence[str | Path],
    data_dir: str | Path,
    video_dir: str | Path,
    split: str,
    output_dir: str | Path,
    options: Options = Options(),
) -> Comparison:
    """Compares models and writes the numbers, tables and strips.

    Args:
      model_dirs: run directories or exports; the first is what others are compared to.
      data_dir: data directory of the models' frame size and grid.
      video_dir: the videos that it was made from.
      split: which samples.
      output_dir: made if missing; files in it are overwritten.
      options: how.

    Returns:
      what comparison.json holds.

    Raises:
      InputError: no such model, data or videos, or they do not fit together.
    """
    data = open_data_dir(data_dir)
    models = _models_for(model_dirs, data)
    videos, output_dir = Videos.of_data(video_dir, data), make_folder(output_dir)
    choice = choose_samples(data, split, options.max_samples_per_clip)
    sums = ClipSums(len(choice.clips))
    starts = add_forecasts(sums, models, data, split, choice, options)
    counts, reached = add_films(sums, models, videos, choice, starts, options)
    summary = _about(models, data, split, choice, options)
    summary["films"] = counts
    summary["scores"] = summarize(sums, choice, videos, options)
    numbers = strips.choose(starts.motion, reached, choice.sources[choice.rows])
    samples = strips.read(data, videos, split, choice, numbers)
    with drafts.drafts(output_dir, last="comparison.json") as new:
        text = json.dumps(summary, allow_nan=False, indent=1)
        drafts.write(new / "comparison.json", text + "\n")
        drafts.write(new / "comparison.md", markdown(summary))
        strips.write(models, samples, videos.step_frames, new)
    return summary


def _models_for(
    model_dirs: Sequence[str | Path], data: DataDir
) -> dict[str, Predictor]:
    """Models by the names of their rows, all for the data's frames."""
    if not model_dirs:
        raise InputError("no model to compare: name run directories or exports")
    models = load_models(model_dirs)
    for name, model in models.items():
        sizes = (model.frame_size, model.grid_size), (data.frame_size, data.grid_size)
        if sizes[0] != sizes[1]:
            found, expected = (f"frames of {s} and a grid of {g}" for s, g in sizes)
            raise InputError(f"{name} is for {found}, the data has {expected}")
    return models


def add_forecasts(
    sums: ClipSums,
    models: Mapping[str, Predictor],
    data: DataDir,
    split: str,
    choice: Choice,
    options: Options,
) -> StartFrames:
    """Measures the flow that models predict of the chosen samples."""
    rows = ForecastRows(models, data.codebook, options.num_futures, options.seed)
    views = [data.view(dense=False, sequence=data.labels.sequence_length > 1)]
    if data.labels.store_dense_flow:
        views.append(data.view(dense=True, sequence=False))
    batches = (read_batches(v, split, choice, options.batch_size) for v in views)
    starts, done = [], 0
    for batch, *dense in zip(*batches, strict=True):
        frames, true = batch["frames"], batch["flow"]
        here = choice.rows[done : done + len(frames)]
        for score, row, values in rows.sums(frames, true, *(d["flow"] for d in dense)):
            sums.add(score, row, here, {"sums": values})
        motion = np.linalg.norm(true[:, 0], axis=-1).mean(axis=(1, 2))
        moves = moving(true[:, 0], data.codebook)
        starts.append((moves, motion, mean_colors(frames)))
        done += len(frames)
        options.progress(done, len(choice.indices))
    return StartFrames(*map(np.concatenate, zip(*starts, strict=True)))


def add_films(
    sums: ClipSums,
    models: Mapping[str, Predictor],
    videos: Videos,
    choice: Choice,
    starts: StartFrames,
    options: Options,
) -> tuple[dict[str, int], np.ndarray]:
    """Measures the films that models make of the chosen samples.

    Returns:
      `films` of a `Comparison`; and how many frames follow each sample without a break,
      int [N], 0 of those left out.

    Raises:
      InputError: the videos are not those of the data.
    """
    offsets = films.all_offsets(videos)
    usable: np.ndarray = np.any(starts.moving, axis=(1, 2))
    reached, total = np.zeros(len(usable), int), int(usable.sum())
    endings: collections.Counter[str] = collections.Counter(still=int((~usable).sum()))
    pairs, done = videos.read_all(choice, usable, starts.colors, offsets), 0
    while batch := list(itertools.islice(pairs, options.batch_size)):
        numbers = np.array([number for number, _ in batch])
        found = [real for _, real in batch]
        reached[numbers] = [real.num_frames for real in found]
        endings.update(real.ending(offsets[-1]) for real in found)
        mask = films.pixel_mask(starts.moving[numbers], videos.frame_size)
        for score, row, values in films.film_sums(models, found, mask, videos):
            sums.add(score, row, choice.rows[numbers], {"sums": values})
        done += len(batch)
        options.progress(done, total)
    kinds = ("still", "cut", "duplicate", "short", "complete")
    return {"compared": total} | {kind: endings[kind] for kind in kinds}, reached


def _about(
    models: Mapping[str, Predictor],
    data: DataDir,
    split: str,
    choice: Choice,
    options: Options,
) -> Comparison:
    flags = data.manifest["flags"]
    return {
        "models": {
            name: {
                "num_parameters": model.num_parameters,
                "num_steps": model.num_steps,
                "fine_size": model.fine_size,
            }
            for name, model in models.items()
        },
        "split": split,
        "num_samples": len(choice.indices),
        "num_clips": len(choice.clips),
        "num_sources": len(set(choice.sources)),
        "max_samples_per_clip": options.max_samples_per_clip,
        "num_futures": options.num_futures,
        "step_frames": data.labels.step_frames,
        "sequence_length": data.labels.sequence_length,
        "dense_flow": data.labels.store_dense_flow,
        "stabilized": flags.get("stabilize", "none") != "none",
        "codebook_fingerprint": data.codebook.fingerprint,
        "intervals": bootstrap.about(options.interval_unit, options.seed),
        "seed": options.seed,
        "command": options.command,
    }


def summarize(
    sums: ClipSums, choice: Choice, videos: Videos, options: Options
) -> dict[str, dict[str, Any]]:
    """`scores` of a `Comparison`."""
    groups = choice.clips if options.interval_unit == "clip" else choice.sources
    weights = bootstrap.draw_weights(groups, bootstrap.NUM_DRAWS, options.seed)
    places = {
        "video": [f"frame +{ahead}" for ahead in films.FRAMES_AHEAD],
        "step": [f"step {step}" for step in range(videos.num_steps)],
    }
    places["step_psnr"] = [
        f"step {step}, +{ahead}" for step, ahead in enumerate(videos.step_offsets)
    ]
    result = {}
    for score in FORECASTS:
        if rows := sums.rows(score.key):
            kind = score.key.split("_")[0]
            shown = places.get(score.key) or places.get(kind) or ["value"]
            result[score.key] = {
                "places": shown,
                "rows": summarize_score(score, rows, weights),
            }
    return result


def summarize_score(
    score: Score, rows: Mapping[str, dict[str, np.ndarray]], weights: np.ndarray
) -> dict[str, dict[str, list]]:
    """The rows of one score; the first is what the others are compared with."""
    found = {k: one[score.key] for k, one in estimates(rows, weights, [score]).items()}
    first, result = next(iter(found.values())), {}
    for row, own in found.items():
        gap = own - first
        result[row] = {
            "count": rows[row]["sums"][..., 1].sum(axis=0).astype(int).tolist(),
            "value": own.plain(),
            "interval": own.interval(),
            "difference": gap.plain(),
            "difference_interval": gap.interval(),
            "verdict": gap.verdict(score.larger_is_better),
        }
    return result
