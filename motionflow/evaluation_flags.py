"""The flags that say what to evaluate, for each command that evaluates."""

from pathlib import Path
from typing import Any

from absl import flags

from motionflow.errors import InputError
from motionflow.scoring import assessment
from motionflow.scoring.summary import UNITS


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Adds the flags to a registry."""
    own: dict[str, Any] = {"flag_values": flag_values}
    flags.DEFINE_string("run_dir", "runs/allconv", "Run directory to evaluate.", **own)
    flags.DEFINE_string(
        "model",
        None,
        "Exported X/<version> instead of run_dir; name output_dir.",
        **own,
    )
    flags.DEFINE_string("data_dir", "data/tfrecords", "Data directory.", **own)
    flags.DEFINE_enum(
        "split", "validation", assessment.SPLITS, "Split to evaluate.", **own
    )
    flags.DEFINE_string(
        "output_dir", None, "Where to write; <run_dir>/evaluation/<split>.", **own
    )
    flags.DEFINE_list(
        "rivals", [], "Other run directories or exports for the same tables.", **own
    )
    flags.DEFINE_enum(
        "baselines",
        "all",
        assessment.BASELINES,
        "constant: only those that never look at the frame (seconds, not minutes).",
        **own,
    )
    flags.DEFINE_enum(
        "interval_unit", "clip", UNITS, "What the bootstrap draws again.", **own
    )
    flags.DEFINE_integer("batch_size", 32, "Frames at a time.", lower_bound=1, **own)
    flags.DEFINE_integer(
        "seed", 0, "Of baselines, futures, bootstrap.", lower_bound=0, **own
    )


def arguments(values: flags.FlagValues) -> dict[str, Any]:
    """Parsed flags as the arguments of `assessment.assess` and `report.make_report`.

    Raises:
      InputError: an export without an output_dir.
    """
    if values.model and not values.output_dir:
        raise InputError("--model needs --output_dir: an exported folder is read only")
    model_dir = Path(values.model or values.run_dir)
    return {
        "model_dir": model_dir,
        "data_dir": values.data_dir,
        "split": values.split,
        "output_dir": values.output_dir or model_dir / "evaluation" / values.split,
        "options": assessment.Options(
            rivals=values.rivals,
            baselines=values.baselines,
            interval_unit=values.interval_unit,
            batch_size=values.batch_size,
            seed=values.seed,
        ),
    }
