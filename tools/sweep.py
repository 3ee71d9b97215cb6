"""Trains with several settings, one after the other, and compares them in one table.

    python tools/sweep.py --output_dir=runs/sweep \
        --base="--flagfile=configs/demo.flags --epochs=4" \
        --grid=learning_rate=1e-3,3e-4 --grid=mirror=true,false

makes the product of all --grid: four runs. --run adds flags that belong together, and
is multiplied with the grid. Three remedies on two folds, six runs (--run= is the base
alone; a value with a comma in it needs --run too):

    python tools/sweep.py --output_dir=runs/remedies --base="--width=0.25" \
        --run= --run="class_weights=smoothed" --run="focal_gamma=2 dropout=0" \
        --grid=data_dir=data/folds/fold-1,data/folds/fold-2

Flags for all runs stand in --base, in quotes; a --flagfile beside it would be read as
flags of this tool. All flags are checked before the first run starts. A run is a
process of motionflow.train with a folder named after its flags and a log beside it:
runs/sweep/learning_rate=1e-3+mirror=true and the same with .log. One that fails does
not stop the others; the exit code is 1 then. Stopped, the same command goes on; with
more values or epochs it trains what is missing. The table is printed, and lies in
sweep.md and, with all numbers, in sweep.csv.
"""

import dataclasses
import signal
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags

from motionflow import cli, sweep_table, sweeps, training_flags
from motionflow.errors import InputError


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Adds this tool's flags."""
    own: dict[str, Any] = {"flag_values": flag_values}
    flags.DEFINE_string(
        "output_dir", "runs/sweep", "Where run directories and table go.", **own
    )
    flags.DEFINE_string(
        "base", "", "Flags of motionflow.train for all runs, as one string.", **own
    )
    flags.DEFINE_multi_string(
        "grid", [], "FLAG=VALUE,VALUE...; several are multiplied.", **own
    )
    flags.DEFINE_multi_string(
        "run", [], "FLAG=VALUE FLAG=VALUE...: multiplied with the grid.", **own
    )
    flags.DEFINE_integer(
        "num_parallel", 1, "Trainings at a time.", lower_bound=1, **own
    )


def parse(arguments: Sequence[str]) -> dict[str, Any]:
    """A command line of motionflow.train as settings, by name.

    Raises:
      InputError: an unknown flag (says which are near), a value that is refused, a flag
        file that is not there, a word that is no flag.
    """
    values = flags.FlagValues()
    training_flags.define_flags(values)
    flags.DEFINE_string("flagfile", "", "A file of flags.", flag_values=values)
    try:
        _, *others = values(["motionflow.train", *arguments])
    except (flags.Error, ValueError) as error:
        raise InputError(f"motionflow.train refuses a flag: {error}") from error
    if others:
        raise InputError(f"expected flags of motionflow.train, found {others[0]!r}")
    return dataclasses.asdict(training_flags.settings_from(values))


def main(argv: Sequence[str], command: Sequence[str] = sweeps.TRAIN) -> int:
    """Reads the flags, trains what is not finished, prints the table."""
    del argv
    values = flags.FLAGS
    runs = sweeps.make_runs(
        values.output_dir, values.base, values.grid, values.run, parse
    )
    todo = [run for run in runs if not sweeps.is_finished(run, parse)]
    num_done = len(runs) - len(todo)
    print(f"{values.output_dir}: {num_done} of {len(runs)} runs were finished before")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        with cli.progress_bar("training", "epoch") as progress:
            failures = sweeps.train_runs(todo, values.num_parallel, progress, command)
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130
    print(sweep_table.write_table(runs, failures, values.output_dir))
    return 1 if failures else 0


if __name__ == "__main__":
    cli.run(main, define_flags)
