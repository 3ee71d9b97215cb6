"""Pools the evaluations of a cross-validation into one.

    motionflow split D --output_dir=F --num_folds=3
    ... train and evaluate fold by fold ...
    motionflow pool E1 E2 E3 --output_dir=E

Every clip is tested once, by a model that never saw its source: the same tables, and
intervals over all clips. Rows are pooled by name; a model's row is "model" in each
evaluation, whatever its folder was called. Writes metrics.json, scores.npz, tables.md,
and known.npz where every evaluation has one.
"""

from pathlib import Path

from absl import flags

from motionflow.flag_groups import FlagGroups
from motionflow.scoring import UNITS

WORDS = "evaluations"


def define_flags(values: flags.FlagValues) -> None:
    """Adds this command's flags."""
    define = FlagGroups(values, "Evaluations")
    define.texts("evaluations", "Folders that `motionflow evaluate` wrote.")
    define.text("output_dir", None, "Where to write.", required=True)
    define.text("name", "model", "What to call the model's row.")
    define.choice("interval_unit", "clip", UNITS, "What the bootstrap draws again.")
    define.number("seed", 0, "Of the bootstrap.", at_least=0)


def main(values: flags.FlagValues) -> None:
    """Pools, prints the tables."""
    from motionflow.scoring import assessment, tables

    summary = assessment.assess_pooled(
        [Path(folder) for folder in values.evaluations],
        values.output_dir,
        name=values.name,
        interval_unit=values.interval_unit,
        seed=values.seed,
    )
    print(tables.markdown(summary))
    print(f"Written to {values.output_dir}")
