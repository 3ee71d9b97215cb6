"""The flags that say what to evaluate, for the commands that evaluate.

flags -> the arguments of scoring.assessment.assess and report.page.make_report
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import flags

from motionflow.flag_groups import FlagGroups
from motionflow.scoring import BASELINES, SPLITS, UNITS


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags to a registry."""
    define = FlagGroups(values, "What is evaluated")
    define.text("run_dir", "runs/allconv", "Model to evaluate.")
    define.text("model", None, "The same, under an older name.")
    define.text(
        "data_dir",
        "data/tfrecords",
        "Data directory; of a model made from videos its own, <run_dir>/data.",
    )
    define.choice("split", "validation", SPLITS, "Split to evaluate.")
    define.text(
        "output_dir",
        None,
        "Where to write; <run_dir>/evaluation/<split>. An export needs one.",
    )
    define.group("Beside what, and how")
    define.texts("rivals", "Other models for the same tables.")
    text = "constant: only those that never look at the frame (seconds, not minutes)."
    define.choice("baselines", "all", BASELINES, text)
    define.choice("interval_unit", "clip", UNITS, "What the bootstrap draws again.")
    text = "Tables of what is told: none, past, arrows3, past+arrows1 and so on."
    define.texts("known", text)
    define.number("batch_size", 32, "Frames at a time.", at_least=1)
    define.number("seed", 0, "Of baselines, futures, bootstrap.", at_least=0)


def arguments(
    values: flags.FlagValues,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Parsed flags as arguments, by name.

    Args:
      values: the flags.
      progress: called with (frames done, frames in all).

    Raises:
      InputError: an export without an output_dir.
    """
    from motionflow.models.model_path import DEFAULT
    from motionflow.models.run_dir import RunDir
    from motionflow.scoring import assessment

    name = values.model or values.run_dir
    model_dir = name if name == DEFAULT else Path(name)
    data_dir, own = values.data_dir, RunDir(model_dir).path / "data"
    if values["data_dir"].using_default_value and (own / "manifest.json").is_file():
        data_dir = str(own)  # of a model that was made from videos
    output_dir = values.output_dir or assessment.folder_of(model_dir, values.split)
    return {
        "model_dir": model_dir,
        "data_dir": data_dir,
        "split": values.split,
        "output_dir": output_dir,
        "options": assessment.Options(
            rivals=values.rivals,
            baselines=values.baselines,
            interval_unit=values.interval_unit,
            batch_size=values.batch_size,
            seed=values.seed,
            progress=progress,
            known=tuple(values.known),
        ),
    }
