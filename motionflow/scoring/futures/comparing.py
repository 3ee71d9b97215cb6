"""Several models on one split and its videos -> a folder of results.

    models, data directory, videos -> flow rows, film rows -> Totals
                                   -> comparison.json, comparison.md, two strips

All models see the same samples, and every difference is to the first model.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from motionflow.data.data_dir import DataDir, open_data_dir
from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.files.outputs import make_folder
from motionflow.models import predictor
from motionflow.models.predictor import Predictor
from motionflow.scoring import bootstrap
from motionflow.scoring.assessment import row_name
from motionflow.scoring.futures import film_rows, sample_choice, strips, tables
from motionflow.scoring.futures.film_rows import FRAMES_AHEAD, Videos
from motionflow.scoring.futures.flow_rows import FlowRows
from motionflow.scoring.futures.sample_choice import Choice
from motionflow.scoring.futures.totals import Totals


@dataclasses.dataclass(frozen=True)
class Options:
    """How to compare.

    Attributes:
      max_samples_per_clip: see `sample_choice.choose_samples`.
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


def compare(
    model_dirs: Sequence[str | Path],
    data_dir: str | Path,
    video_dir: str | Path,
    split: str,
    output_dir: str | Path,
    options: Options = Options(),
) -> dict[str, Any]:
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
    models, videos = load_models(model_dirs, data), _videos(video_dir, data)
    output_dir = make_folder(output_dir)
    choice = sample_choice.choose_samples(data, split, options.max_samples_per_clip)
    totals = Totals(len(choice.clips))
    rows = FlowRows(models, data.codebook, totals, options.num_futures, options.seed)
    seen = rows.add_all(data, split, choice, options.batch_size, options.progress)
    counts, reached = film_rows.add_films(
        models,
        videos,
        choice,
        seen,
        totals,
        options.batch_size,
        options.progress,
    )
    summary = _about(models, data, split, choice, options)
    summary |= {"films": counts, "scores": _scores(totals, choice, videos, options)}
    numbers = strips.choose(seen.motion, reached, choice.sources[choice.rows])
    samples = strips.read(data, videos, split, choice, numbers)
    with drafts.drafts(output_dir, last="comparison.json") as new:
        _write(new, summary)
        strips.write(models, samples, videos.step_frames, new)
    return summary


def _videos(video_dir: str | Path, data: DataDir) -> Videos:
    if not Path(video_dir).is_dir():
        raise InputError(f"video_dir {video_dir} is not a directory")
    duplicates = data.manifest["flags"].get("duplicates")
    if isinstance(duplicates, list):
        raise InputError(
            f"the data sets of {data.path} were made with --duplicates="
            f"{', '.join(duplicates)}: expected one of them for all"
        )
    return Videos(
        Path(video_dir),
        data.frame_size,
        data.labels.step_frames,
        data.labels.sequence_length,
        duplicates == "remove",
    )


def load_models(
    model_dirs: Sequence[str | Path], data: DataDir
) -> dict[str, Predictor]:
    """Models by the names of their rows.

    Raises:
      InputError: none, two of one name, or one for other frames than the data's.
    """
    if not model_dirs:
        raise InputError("no model to compare: name run directories or exports")
    models: dict[str, Predictor] = {}
    for path in model_dirs:
        name, model = row_name(path), predictor.load(path)
        if name in models:
            raise InputError(f"two rows would be named {name}: rename a folder")
        sizes = (model.frame_size, model.grid_size), (data.frame_size, data.grid_size)
        if sizes[0] != sizes[1]:
            found, expected = (f"frames of {s} and a grid of {g}" for s, g in sizes)
            raise InputError(f"{name} is for {found}, the data has {expected}")
        models[name] = model
    return models


def _about(
    models: Mapping[str, Predictor],
    data: DataDir,
    split: str,
    choice: Choice,
    options: Options,
) -> dict[str, Any]:
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
        "intervals": {
            "level": bootstrap.LEVEL,
            "unit": options.interval_unit,
            "num_draws": bootstrap.NUM_DRAWS,
            "seed": options.seed,
        },
        "seed": options.seed,
        "command": options.command,
    }


def _scores(
    totals: Totals, choice: Choice, videos: Videos, options: Options
) -> dict[str, dict]:
    groups = choice.clips if options.interval_unit == "clip" else choice.sources
    weights = bootstrap.draw_weights(groups, bootstrap.NUM_DRAWS, options.seed)
    places = {
        "video": [f"frame +{ahead}" for ahead in FRAMES_AHEAD],
        "step": [f"step {step}" for step in range(videos.num_steps)],
    }
    places["step_psnr"] = [
        f"step {step}, +{ahead}" for step, ahead in enumerate(videos.step_offsets)
    ]
    result = {}
    for name, score in tables.SCORES.items():
        if name in totals.scores:
            columns = places.get(name) or places.get(name.split("_")[0]) or ["value"]
            rows = totals.summarize(name, weights, score.larger_is_better)
            result[name] = {"places": columns, "rows": rows}
    return result


def _write(output_dir: Path, summary: Mapping) -> None:
    text = json.dumps(summary, allow_nan=False, indent=1)
    drafts.write(output_dir / "comparison.json", text + "\n")
    drafts.write(output_dir / "comparison.md", tables.markdown(summary))
