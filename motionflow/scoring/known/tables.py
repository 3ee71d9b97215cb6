"""What metrics.json holds under "known" -> tables to read.

One table for all clips, one for each data set. Below a row that is no model's stands
the model minus it.
"""

from collections.abc import Mapping

from motionflow.drawing.tables import Table
from motionflow.scoring.summary import MODEL, PRIOR, ZERO

_COLUMNS = {
    "gain_nz": ("EPE gain-nz", True),
    "gain_all": ("EPE gain", True),
    "dir_nz": ("Dir-nz", False),
    "ori_nz": ("Ori-nz", False),
    "top5_nz": ("Top-5-nz", True),
    "skill_all": ("Skill", True),
}
_UNPRINTED = (ZERO, PRIOR)  # what gain and skill are measured from


def known_tables(summary: Mapping) -> list[Table]:
    """The tables; none where nothing was told.

    Args:
      summary: what metrics.json holds.
    """
    known = summary.get("known")
    if not known:
        return []
    groups = {"": known["all"]}
    groups |= {f": {name}": blocks for name, blocks in known["data_sets"].items()}
    return [_table(summary, title, blocks) for title, blocks in groups.items()]


def _table(summary: Mapping, group: str, blocks: Mapping[str, Mapping]) -> Table:
    unit, rows = summary["intervals"]["unit"], []
    for kind, block in blocks.items():
        for row, result in block["results"].items():
            if row in _UNPRINTED:
                continue
            name = summary["model"] if row == MODEL else row
            rows.append([kind, name, *_cells(result, "value", unit)])
            if row != MODEL:
                gap = _cells(block["differences"][row], "difference", unit)
                rows.append([kind, f"{summary['model']} minus it", *gap])
    head = ["Told", "Row", *(label for label, _ in _COLUMNS.values())]
    notes = _notes(summary, next(iter(blocks.values())))
    return Table(f"With known motion{group}", notes, head, rows, num_names=2)


def _notes(summary: Mapping, block: Mapping) -> str:
    known, unit = summary["known"], summary["intervals"]["unit"]
    text = (
        f"{block['num_samples']:,} frames of {block['num_clips']:,} clips from "
        f"{block['num_sources']:,} sources. Told cells do not count. EPE gain is "
        "over zero flow, skill over the class prior per cell; these and top-5 are in "
        "percent; -nz: over moving cells. In brackets the "
        f"{100 * known['level']:.0f} % bootstrap interval over {unit}s "
        f"({known['num_draws']:,} draws)."
    )
    for key, what in (("factors", "factor of the past"), ("widths", "width, cells")):
        if known[key]:
            values = ", ".join(f"{value:g}" for value in sorted(set(known[key])))
            text += f" Chosen on training data: {what}: {values}."
    if known["not_told"]:
        names = [summary["model"] if n == MODEL else n for n in known["not_told"]]
        text += f" Cannot be told anything: {', '.join(names)}."
    return text


def _cells(scores: Mapping, key: str, unit: str) -> list[str]:
    return [_cell(scores[name], key, unit, *_COLUMNS[name][1:]) for name in _COLUMNS]


def _cell(one: Mapping, key: str, unit: str, is_percent: bool) -> str:
    value, bounds = one[key], one["intervals"][unit]
    if value is None or None in bounds:
        return "-"
    form, scale = ("{:.1f}", 100) if is_percent else ("{:.3f}", 1)
    center, low, high = (form.format(scale * v) for v in (value, *bounds))
    verdict = one["verdicts"][unit] if "verdicts" in one else ""
    return f"{center} [{low}, {high}] {verdict}".rstrip()
