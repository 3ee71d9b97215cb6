"""Numbers that papers print for this task, as they print them, each with its source.

To be read beside a model's own tables, not line by line: another data set, another
split or another way to make the true flow moves an EPE more than a better network does.
On UCF-101, Walker's model has an EPE of 1.27 in its own paper and 2.391 in Im2Flow's.

"The report", here and everywhere in this package: Pol Rosello, "Predicting Future
Optical Flow from Static Video Frames", project report, Stanford University, undated; it
calls Walker 2015 very recent.
"""

import json
from importlib import resources

from motionflow.drawing.tables import Table

_FOUND = json.loads(
    resources.files("motionflow.report").joinpath("published.json").read_text("utf-8")
)
REPORT: str = _FOUND["report"]
WARNING: str = _FOUND["warning"]
SOURCES: dict[str, str] = _FOUND["sources"]


def published_tables() -> list[Table]:
    """The two tables of other people's numbers, under the report's headings.

    EPE, Dir and Ori: over all cells / near Canny edges / where something moves; Top-5
    and Top-10: all / moving. Where a paper prints one number, it is of all cells.
    """
    return [
        Table(
            found["title"],
            found["notes"],
            found["head"],
            [tuple(row) for row in found["rows"]],
            num_names=2,
        )
        for found in _FOUND["tables"]
    ]
