"""A small grid over the flags of training.

    groups of flags x grid -> runs, each with a folder named after its flags
      -> processes -> R/result.json
      -> sweep.csv (all numbers), sweep.md (what there is to read)

What is finished is not trained again, and training itself goes on where it was stopped:
a sweep that is started again goes on.
"""

import csv
import hashlib
import io
import itertools
import math
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from motionflow.data.data_dir import read_manifest
from motionflow.drawing.tables import Table
from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.files.outputs import check_name
from motionflow.models.run_dir import RunDir
from motionflow.training.processes import Job, run_jobs

# In sweep.csv, but not in the table to read: what it says is in other columns.
CSV_ONLY: tuple[str, ...] = ("run", "failed", "input_share")
CSV_ONLY += tuple(f"{s}_{m}" for s in ("val", "train") for m in ("loss", "top10"))
TRAIN = (sys.executable, "-m", "motionflow", "train")

_Parse = Callable[[Sequence[str]], Mapping[str, Any]]


class Run(NamedTuple):
    """One training of a sweep.

    Attributes:
      path: its run directory.
      flags: what is swept: flag -> value, as written.
      arguments: of the training command.
      settings: all flags with their values.
    """

    path: Path
    flags: Mapping[str, str]
    arguments: Sequence[str]
    settings: Mapping[str, Any]

    @property
    def num_epochs(self) -> int:
        """Epochs that are done."""
        return len(RunDir(self.path).read_history())


def make_runs(
    output_dir: str | Path,
    base: str,
    grid: Sequence[str],
    groups: Sequence[str],
    parse: _Parse,
) -> list[Run]:
    """Makes all runs and checks all of their flags; starts nothing.

    Args:
      output_dir: where their folders go.
      base: flags of all runs, as on a command line.
      grid: "FLAG=VALUE,VALUE"; the product of all of them is taken.
      groups: "FLAG=VALUE FLAG=VALUE", each combined with the whole grid; "" is a run
        without flags of its own.
      parse: turns a command line into settings.

    Raises:
      InputError: nothing to sweep, flags that `parse` refuses, a flag set twice, two
        runs of one name, or a data directory that is none.
    """
    check_name(output_dir)
    if not grid and not groups:
        raise InputError("nothing to sweep: pass --grid or --run")
    axes = [[_flags(_words(group)) for group in groups or [""]]]
    for axis in grid:
        ((flag, values),) = _flags([axis]).items()
        axes.append([{flag: value} for value in values.split(",")])
    runs: dict[str, Run] = {}
    for parts in itertools.product(*axes):
        flags = _merge(parts)
        name = run_name(flags)
        if name in runs:
            raise InputError(f"two runs of the sweep are called {name}")
        path = Path(output_dir, name)
        swept = [f"--{flag}={value}" for flag, value in flags.items()]
        # The folder comes last: flag files have one of their own.
        arguments = [*_words(base), *swept, f"--run_dir={path}"]
        runs[name] = Run(path, flags, arguments, parse(arguments))
    for data_dir in sorted({run.settings["data_dir"] for run in runs.values()}):
        read_manifest(data_dir)
    return list(runs.values())


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InputError(f"{text!r}: {error}") from error


def _flags(words: Sequence[str]) -> dict[str, str]:
    """FLAG=VALUE, with or without the dashes of a command line."""
    flags = []
    for word in words:
        flag, is_set, value = word.removeprefix("--").partition("=")
        if not is_set:
            raise InputError(f"{word!r} is not of the form FLAG=VALUE")
        if flag == "run_dir":
            raise InputError("run_dir is not to be swept: each run has its own")
        flags.append({flag: value})
    return _merge(flags)


def _merge(parts: Sequence[dict[str, str]]) -> dict[str, str]:
    merged: dict[str, str] = {}
    for part in parts:
        for flag in merged.keys() & part:
            raise InputError(f"{flag} is set twice in one run of the sweep")
        merged |= part
    return merged


def run_name(flags: Mapping[str, str]) -> str:
    """A folder's name, the same in each sweep: "learning_rate=1e-3+data_dir=data_a"."""
    parts = [f"{flag}={_safe(value)}" for flag, value in flags.items()]
    name = "+".join(parts) or "base"
    if len(name.encode()) <= 150:
        return name
    return f"{name[:60]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _safe(value: str) -> str:
    return re.sub(r"[^\w.-]+", "_", value).strip("_")


def is_finished(run: Run, parse: _Parse) -> bool:
    """Whether a run has its result: of the same flags, and of all epochs."""
    result = RunDir(run.path).result
    if result is None or result["epochs"] < run.settings["epochs"]:
        return False
    try:
        stored = parse([f"--flagfile={run.path / 'flags.txt'}"])
    except InputError:  # of another version: training knows what to say
        return False
    return {**stored, "run_dir": None} == {**run.settings, "run_dir": None}


def train_runs(
    runs: Sequence[Run],
    num_parallel: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    command: Sequence[str] | None = None,
) -> dict[Path, str]:
    """Trains runs, each in a process; its output goes to <run directory>.log.

    Args:
      runs: what to train.
      num_parallel: trainings at a time.
      progress: called with (epochs done, epochs in all) when there are more.
      command: what to run; None: `TRAIN`.

    Returns:
      Run directory -> exit code and last line, for the runs that failed.
    """
    command = command or TRAIN
    num_before = sum(run.num_epochs for run in runs)
    total = sum(run.settings["epochs"] for run in runs) - num_before
    seen = -1

    def tick() -> None:
        nonlocal seen
        done = sum(run.num_epochs for run in runs) - num_before
        if done != seen:  # the remaining time follows from the time between two calls
            progress(done, total)
            seen = done

    jobs = [
        Job(
            [*(command or TRAIN), *run.arguments],
            run.path.with_name(f"{run.path.name}.log"),
        )
        for run in runs
    ]
    outcomes = run_jobs(jobs, num_parallel, tick)
    return {
        run.path: outcome or "ended without a result.json"
        for run, outcome in zip(runs, outcomes, strict=True)
        if outcome or RunDir(run.path).result is None
    }


def write_table(
    runs: Sequence[Run], failures: Mapping[Path, str], output_dir: str | Path
) -> str:
    """Writes sweep.csv and sweep.md; returns the latter.

    A row is a run: its flags, then what its result.json holds. Rows are sorted by
    validation cross-entropy; those of failed runs come last, and say what went wrong.
    """
    swept = list(dict.fromkeys(flag for run in runs for flag in run.flags))
    rows = [_row(run, failures.get(run.path)) for run in runs]
    rows.sort(key=lambda row: ("failed" in row, row.get("val_cross_entropy", math.inf)))
    columns = list(dict.fromkeys(["run", *swept, *itertools.chain(*rows)]))
    head = [name for name in columns if name not in CSV_ONLY]
    table = Table(
        "Sweep",
        "Metrics of the last epoch, the lowest validation cross-entropy (nats an "
        "image) first.\nRuns on other data or another split do not compare.",
        head,
        [[_text(row.get(name)) for name in head] for row in rows],
        num_names=len(swept),
    )
    failed = [
        f"{row['run']} failed: {row['failed']}" for row in rows if "failed" in row
    ]
    text = "\n\n".join([table.markdown(), *failed])
    lines = io.StringIO()
    writer = csv.DictWriter(lines, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with drafts.drafts(output_dir, "sweep.csv") as new:
        drafts.write(new / "sweep.csv", lines.getvalue())
        drafts.write(new / "sweep.md", text + "\n")
    return text


def _row(run: Run, failure: str | None) -> dict[str, Any]:
    row = {"run": run.path, **run.flags}
    if failure:
        return row | {"failed": failure}
    result = RunDir(run.path).result
    assert result is not None, "neither finished nor failed"
    return row | _numbers(result)


def _numbers(result: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a result.json, validation metrics first."""
    found = {"epochs": result["epochs"]}
    for section, prefix in (("validation", "val_"), ("training", "train_")):
        metrics = result[section] or {}
        found |= {f"{prefix}{name}": value for name, value in metrics.items()}
    others = {key: v for key, v in result.items() if isinstance(v, int | float)}
    return found | others


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return "-" if value is None else str(value)
