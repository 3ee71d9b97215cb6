r"""Trains with several settings, one after the other: one table.

    motionflow sweep --output_dir=runs/sweep \
        --base="--flagfile=configs/small.flags --epochs=4" \
        --grid=learning_rate=1e-3,3e-4 --grid=mirror=true,false

makes the product of all --grid: four runs. --run adds flags that belong together, and
is multiplied with the grid. Three remedies on two folds, six runs (--run= is the base
alone; a value with a comma in it needs --run too):

    motionflow sweep --output_dir=runs/remedies --base="--width=0.25" \
        --run= --run="class_weights=smoothed" --run="focal_gamma=2 dropout=0" \
        --grid=data_dir=data/folds/fold-1,data/folds/fold-2

Flags for all runs stand in --base, in quotes; a --flagfile beside it would be read as
flags of this tool. All flags are checked before the first run starts. A run is a
process of `train` with a folder named after its flags and a log beside it:
runs/sweep/learning_rate=1e-3+mirror=true and the same with .log. One that fails does
not stop the others; the exit code is 1 then. Stopped, the same command goes on; with
more values or epochs it trains what is missing. The table is printed, and lies in
sweep.md and, with all numbers, in sweep.csv.
"""

import dataclasses
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from absl import flags

from motionflow import cli
from motionflow.commands import training_flags
from motionflow.errors import InputError
from motionflow.files.lock import alone
from motionflow.flag_groups import FlagGroups

GOES_ON = True
_TRAINING: Any = SimpleNamespace(
    __name__="motionflow train", define_flags=training_flags.define_flags
)


def define_flags(values: flags.FlagValues) -> None:
    """Adds this command's flags."""
    define = FlagGroups(values, "Sweep")
    define.text("output_dir", "runs/sweep", "Where run directories and table go.")
    define.text("base", "", "Flags of all trainings, as one string.")
    define.repeated("grid", "FLAG=VALUE,VALUE...; several are multiplied.")
    define.repeated("run", "FLAG=VALUE FLAG=VALUE...: multiplied with the grid.")
    define.number("num_parallel", 1, "Trainings at a time.", at_least=1)


def parse(arguments: Sequence[str]) -> dict[str, Any]:
    """A command line of a training as settings, by name.

    Raises:
      InputError: an unknown flag (says which are near), a value that is refused, a flag
        file that is not there, a word that is no flag.
    """
    try:
        values = cli.parse(_TRAINING, arguments)
        return dataclasses.asdict(training_flags.settings_from(values))
    except (flags.Error, ValueError) as error:
        raise InputError(f"motionflow train refuses a flag: {error}") from error


def main(values: flags.FlagValues) -> int:
    """Trains what is not finished, prints the table."""
    from motionflow.training import sweep

    runs = sweep.make_runs(
        values.output_dir, values.base, values.grid, values.run, parse
    )
    with alone(values.output_dir):
        todo = [run for run in runs if not sweep.is_finished(run, parse)]
        done = f"{len(runs) - len(todo)} of {len(runs)} runs were finished before"
        print(f"{values.output_dir}: {done}")
        with cli.progress_bar("training", "epoch") as progress:
            failures = sweep.train_runs(todo, values.num_parallel, progress)
        print(sweep.write_table(runs, failures, values.output_dir))
    return 1 if failures else 0
