"""What comparison.json holds -> tables to read.

For each score two tables: the values with their intervals, and each row's difference
to the first.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from motionflow.drawing.tables import Table, number


@dataclasses.dataclass(frozen=True)
class Score:
    """How a score is called and read.

    Attributes:
      title: of its table.
      notes: what it is.
      larger_is_better: for the verdicts.
      form: of its numbers.
    """

    title: str
    notes: str
    larger_is_better: bool = False
    form: str = "{:.3f}"


_STEP = (
    "Cell by cell against the label of each step, over the cells that move in that "
    "step. Composed and recursive predict, move the frame and predict again; sequence "
    "is one prediction of all steps; repeat is the first step's flow again and again."
)
_FILM = (
    "Over the pixels of the cells that move at the start. The mean of the samples' dB, "
    "so a clip weighs as much as it has samples; a sample counts for the frames before "
    "its video ends, cuts or repeats a frame."
)
_BEST = (
    "Each sample's best of the drawn futures, a mean over samples with cells that "
    "move; EPE in pixels. The zero flow is one future."
)
SCORES = {
    "full_size_epe_all": Score(
        "EPE at full size, all vectors",
        "The finest flow of the first step at the size of the stored dense flow: a "
        "coarser grid is interpolated. EPE in pixels.",
    ),
    "full_size_epe_nz": Score(
        "EPE at full size, vectors that move", "The same where something moves."
    ),
    "step_epe_nz": Score("EPE by step, cells that move", f"{_STEP} EPE in pixels."),
    "step_dir_nz": Score(
        "Dir by step, cells that move", "The cosine over the same cells.", True
    ),
    "video_psnr": Score("PSNR of the films, dB", _FILM, True, "{:.2f}"),
    "video_ssim": Score(
        "SSIM of the films", "Over the same pixels and samples; at most 1.", True
    ),
    "step_psnr": Score(
        "PSNR of the films by step, dB",
        "The same at the ends of steps.",
        True,
        "{:.2f}",
    ),
    "first_best_epe_nz": Score("Best of n: EPE of the first step", _BEST),
    "whole_best_epe_nz": Score(
        "Best of n: EPE of the whole sequence",
        "The same, a future being judged by the mean of its steps; a model of fewer "
        "steps repeats its last.",
    ),
}


def markdown(summary: Mapping) -> str:
    """All tables as a Markdown page."""
    names = ", ".join(summary["models"])
    parts = [f"# {names} on {summary['split']}", introduction(summary)]
    for score, found in summary["scores"].items():
        parts += [table.markdown() for table in score_tables(score, found)]
    return "\n\n".join(parts) + "\n"


def introduction(summary: Mapping) -> str:
    """What was compared, in a paragraph."""
    films, interval = summary["films"], summary["intervals"]
    per_clip = summary["max_samples_per_clip"]
    text = (
        f"{summary['num_samples']:,} samples of {summary['num_clips']:,} clips from "
        f"{summary['num_sources']:,} sources"
        f"{f', at most {per_clip} of a clip' if per_clip else ''}. In brackets: 95 % "
        f"of {interval['num_draws']:,} draws of {interval['unit']}s. Differences are "
        "to the first row, on the same draws. A step is "
        f"{summary['step_frames']} frames of video. Films: {films['compared']:,} "
        f"samples; {films['still']:,} without a moving cell were left out; "
        f"{films['complete']:,} are complete, {films['short']:,} end with their video, "
        f"{films['cut']:,} at a cut, {films['duplicate']:,} at a repeated frame. "
        f"{summary['num_futures']} futures were drawn of each model."
    )
    if summary["stabilized"]:
        text += (
            " The labels are free of the camera's motion, the videos are not: films "
            "are compared with more than was to be predicted."
        )
    return text


def score_tables(score: str, found: Mapping) -> list[Table]:
    """A score's values, and their differences to the first row's."""
    known, rows = SCORES[score], found["rows"]
    names = [*rows]
    head = ["", *found["places"]]
    values = [
        [name, *_cells(row["value"], row["interval"], known.form)]
        for name, row in rows.items()
    ]
    counts = ["counted", *(f"{count:,}" for count in rows[names[0]]["count"])]
    tables = [Table(known.title, known.notes, head, [*values, counts])]
    if len(names) > 1:
        signed = known.form.replace(":", ":+")
        gaps = [_difference(name, rows[name], signed) for name in names[1:]]
        title = f"{known.title}: difference to {names[0]}"
        tables.append(Table(title, "", head, gaps))
    return tables


def _difference(name: str, row: Mapping, form: str) -> list[str]:
    cells = _cells(row["difference"], row["difference_interval"], form)
    verdicts = (f" {verdict}" if verdict else "" for verdict in row["verdict"])
    return [name, *map("".join, zip(cells, verdicts, strict=True))]


def _cells(values: Sequence, bounds: Sequence, form: str) -> list[str]:
    return [
        number(value, form)
        if None in pair
        else f"{form.format(value)} [{', '.join(map(form.format, pair))}]"
        for value, pair in zip(values, bounds, strict=True)
    ]
