"""The results of a sweep side by side.

runs, their result.json -> sweep.csv (all numbers), sweep.md (what there is to read)
"""

import csv
import io
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from motionflow.drawing.tables import Table
from motionflow.files import drafts
from motionflow.models.run_dir import RunDir
from motionflow.sweeps import Run

# In sweep.csv, but not in the table to read: what it says is in other columns.
CSV_ONLY: tuple[str, ...] = ("run", "failed", "input_share")
CSV_ONLY += tuple(f"{s}_{m}" for s in ("val", "train") for m in ("loss", "top10"))


def write_table(
    runs: Sequence[Run], failures: Mapping[Path, str], output_dir: str | Path
) -> str:
    """Writes sweep.csv and sweep.md; returns the latter.

    A row is a run: its flags, then what its result.json holds. Rows are sorted by
    validation cross-entropy; those of failed runs come last.

    Args:
      runs: finished or failed.
      failures: run directory -> what went wrong.
      output_dir: where to write.
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
