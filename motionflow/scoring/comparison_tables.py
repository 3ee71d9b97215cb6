"""What comparison.json holds, and the tables to read it.

For each score two tables: the values with their intervals, and each row's difference
to the first.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from motionflow.drawing.tables import Table
from motionflow.scoring.scores import SCORES, Score


class Comparison(TypedDict, total=False):
    """What comparison.json holds; None stands where nothing was counted.

    models: row -> num_parameters, num_steps, fine_size. films: how many samples were
    compared, are still (left out), end at a cut, a duplicate or with the video (short),
    or are complete. scores: key -> places, rows {row: lists with one item a place:
    count, value, interval, difference to the first row, difference_interval, verdict}.
    """

    models: dict[str, dict[str, int | None]]
    split: str
    num_samples: int
    num_clips: int
    num_sources: int
    max_samples_per_clip: int
    num_futures: int
    step_frames: int
    sequence_length: int
    dense_flow: int
    stabilized: bool
    codebook_fingerprint: str
    intervals: dict[str, Any]
    seed: int
    command: str
    films: dict[str, int]
    scores: dict[str, dict[str, Any]]


def markdown(summary: Comparison) -> str:
    """All tables as a Markdown page."""
    names = ", ".join(summary["models"])
    parts = [f"# {names} on {summary['split']}", introduction(summary)]
    for key, found in summary["scores"].items():
        tables = comparison_tables(SCORES[key], found["places"], found["rows"])
        parts += [table.markdown() for table in tables]
    return "\n\n".join(parts) + "\n"


def introduction(summary: Comparison) -> str:
    """What was compared, in a paragraph."""
    ends, interval = summary["films"], summary["intervals"]
    per_clip = summary["max_samples_per_clip"]
    text = (
        f"{summary['num_samples']:,} samples of {summary['num_clips']:,} clips from "
        f"{summary['num_sources']:,} sources"
        f"{f', at most {per_clip} of a clip' if per_clip else ''}. In brackets: 95 % "
        f"of {interval['num_draws']:,} draws of {interval['unit']}s. Differences are "
        "to the first row, on the same draws. A step is "
        f"{summary['step_frames']} frames of video. Films: {ends['compared']:,} "
        f"samples; {ends['still']:,} without a moving cell were left out; "
        f"{ends['complete']:,} are complete, {ends['short']:,} end with their video, "
        f"{ends['cut']:,} at a cut, {ends['duplicate']:,} at a repeated frame. "
        f"{summary['num_futures']} futures were drawn of each model."
    )
    if summary["stabilized"]:
        text += (
            " The labels are free of the camera's motion, the videos are not: films "
            "are compared with more than was to be predicted."
        )
    return text


def comparison_tables(
    score: Score, places: Sequence[str], rows: Mapping[str, dict[str, list]]
) -> list[Table]:
    """A score's values, and their differences to the first row's."""
    first, *others = rows

    def cells(row: str, value: str, interval: str, form: str) -> list[str]:
        pairs = zip(rows[row][value], rows[row][interval], strict=True)
        return [score.text(*pair, form) for pair in pairs]

    values = [[row, *cells(row, "value", "interval", score.form)] for row in rows]
    counts = ["counted", *(f"{count:,}" for count in rows[first]["count"])]
    tables = [Table(score.label, score.meaning, ["", *places], [*values, counts])]
    signed, gaps = score.form.replace(":", ":+"), []
    for row in others:
        found = cells(row, "difference", "difference_interval", signed)
        pairs = zip(found, rows[row]["verdict"], strict=True)
        gaps.append(
            [row, *(f"{text} {verdict or ''}".rstrip() for text, verdict in pairs)]
        )
    if gaps:
        title = f"{score.label}: difference to {first}"
        tables.append(Table(title, "", ["", *places], gaps))
    return tables
