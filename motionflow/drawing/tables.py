"""Rows of text -> a table, in Markdown or for a page; "-" stands for no value."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Table:
    """A table with its heading.

    Attributes:
      title: what it shows.
      notes: how to read it.
      head: names of the columns.
      rows: the cells.
      num_names: how many columns at the left are text.
    """

    title: str
    notes: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    num_names: int = 1

    def markdown(self) -> str:
        """The table under a heading of the second level."""
        parts = [f"## {self.title}", self.notes]
        parts.append("\n".join(markdown_table(self.head, self.rows, self.num_names)))
        return "\n\n".join(part for part in parts if part)


def number(value: float | None, form: str = "{:.3f}") -> str:
    """A number by a format string."""
    return "-" if value is None else form.format(value)


def percent(value: float | None) -> str:
    """A fraction as percent."""
    return number(None if value is None else 100 * value, "{:.2f}")


def markdown_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], num_names: int = 1
) -> list[str]:
    """Lines of a Markdown table, padded so that it reads in a terminal too."""
    # A rule of two at least: a dash and, for numbers, a colon.
    widths = [max(2, *map(len, column)) for column in zip(head, *rows, strict=True)]
    aligns = [str.ljust] * num_names + [str.rjust] * (len(head) - num_names)

    def line(cells: Sequence[str]) -> str:
        padded = [a(c, w) for a, c, w in zip(aligns, cells, widths, strict=True)]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * w for w in widths]
    rule[num_names:] = [f"{dashes[1:]}:" for dashes in rule[num_names:]]
    return [line(head), line(rule), *map(line, rows)]
