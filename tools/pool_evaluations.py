"""Pools the evaluations of the folds of a cross-validation into one.

    python tools/resplit.py --data_dir=D --output_dir=F --num_folds=5
    ... train and evaluate fold by fold ...
    python tools/pool_evaluations.py --evaluations=E1,E2,E3,E4,E5 --output_dir=E

Every clip is tested once, by a model that never saw its source: the same tables, and
intervals over all clips. Rows are pooled by name; a model's row is "model" in each
evaluation, whatever its folder was called. Writes metrics.json, scores.npz, tables.md.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from motionflow import cli
from motionflow.scoring import assessment
from motionflow.scoring.summary import UNITS


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Adds this command's flags to a registry."""
    own: dict[str, Any] = {"flag_values": flag_values}
    flags.DEFINE_list(
        "evaluations", [], "Folders that motionflow.evaluate wrote.", **own
    )
    flags.DEFINE_string("output_dir", None, "Where to write.", required=True, **own)
    flags.DEFINE_string("name", "model", "What to call the model's row.", **own)
    flags.DEFINE_enum(
        "interval_unit", "clip", UNITS, "What the bootstrap draws again.", **own
    )
    flags.DEFINE_integer("seed", 0, "Of the bootstrap.", lower_bound=0, **own)


def main(argv: Sequence[str]) -> None:
    """Reads the flags and pools."""
    del argv
    values = flags.FLAGS
    folders = [Path(folder) for folder in values.evaluations]
    summary = assessment.assess_pooled(
        folders,
        values.output_dir,
        name=values.name,
        interval_unit=values.interval_unit,
        seed=values.seed,
    )
    print(assessment.markdown(summary))
    print(f"Written to {values.output_dir}")


if __name__ == "__main__":
    cli.run(main, define_flags)
