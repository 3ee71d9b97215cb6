"""Results of an evaluation -> the tables of the report, as Markdown.

    summary (what metrics.json holds) -> Tables 3 and 4, and the same scores by mask

One row for the model and one for every baseline. "-" stands where a predictor has no
such score: a single guess ranks no classes, a mean flow names none.
"""

from collections.abc import Mapping, Sequence

from motionflow.metrics import MASKS

FLOW_COLUMNS = ("epe", "dir", "ori")
TOP_COLUMNS = ("top1", "top5", "top10")


def format_tables(summary: Mapping) -> str:
    """Writes an evaluation as a Markdown page.

    Args:
      summary: model (its name), num_parameters, split, num_samples, chance, and
        results {"model" or baseline: `FlowMetrics.result`}.
    """
    title = f"# {summary['model']} on {summary['split']}"
    parts = [
        [title, "", *_notes(summary)],
        ["## Classification (the report's Table 3)", "", *_classification(summary)],
        ["## Flow (the report's Table 4)", "", *_flow(summary)],
        ["## By mask", "", *_by_mask(summary)],
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _notes(summary: Mapping) -> list[str]:
    model, chance = summary["results"]["model"], summary["chance"]
    counts = ", ".join(f"{mask} {model['masks'][mask]['count']:,}" for mask in MASKS)
    return [
        f"{summary['num_samples']:,} frames; cells: {counts}. L2 and EPE are in pixels",
        "per step, against the unquantised flow; accuracies are in percent. Recall and",
        f"precision are means over the {model['num_classes_true']} classes that occur.",
        f"Chance: Dir {chance['dir']:.3f} and Ori {chance['ori']:.3f} for random",
        f"directions, recall {_percent(chance['recall'])}.",
    ]


def _classification(summary: Mapping) -> list[str]:
    rows = [
        [name, *map(_percent, (result["recall"], result["precision"])), *_top(cells)]
        for name, result, cells in _rows(summary, "all")
    ]
    return markdown_table(
        ["Model", "Recall", "Precision", "Top-1", "Top-5", "Top-10"], rows
    )


def _flow(summary: Mapping) -> list[str]:
    # A baseline's numbers are counts and means, not trained parameters.
    params = [summary["num_parameters"]] + [None] * (len(summary["results"]) - 1)
    rows = [
        [name, *_flow_scores(cells), *_top(cells)[1:], _number(count, "{:,}")]
        for count, (name, _, cells) in zip(params, _rows(summary, "all"), strict=True)
    ]
    return markdown_table(
        ["Model", "L2", "Dir", "Ori", "Top-5", "Top-10", "#params"], rows
    )


def _by_mask(summary: Mapping) -> list[str]:
    rows = [
        [mask, name, *_flow_scores(cells), *_top(cells)]
        for mask in MASKS
        for name, _, cells in _rows(summary, mask)
    ]
    head = ["Mask", "Model", "EPE", "Dir", "Ori", "Top-1", "Top-5", "Top-10"]
    return markdown_table(head, rows, num_names=2)


def _rows(summary: Mapping, mask: str) -> list[tuple[str, Mapping, Mapping]]:
    """Name, whole result and masked result of each predictor, the model first."""
    return [
        (summary["model"] if name == "model" else name, result, result["masks"][mask])
        for name, result in summary["results"].items()
    ]


def _flow_scores(cells: Mapping) -> list[str]:
    return [_number(cells[key], "{:.3f}") for key in FLOW_COLUMNS]


def _top(cells: Mapping) -> list[str]:
    return [_percent(cells[key]) for key in TOP_COLUMNS]


def _percent(value: float | None) -> str:
    return _number(None if value is None else 100 * value, "{:.2f}")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def markdown_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], num_names: int = 1
) -> list[str]:
    """Lines of a Markdown table, padded so that it reads in a terminal too."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    aligns = [str.ljust] * num_names + [str.rjust] * (len(head) - num_names)

    def line(cells):
        padded = [a(c, w) for a, c, w in zip(aligns, cells, widths, strict=True)]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * w for w in widths]
    rule[num_names:] = [f"{dashes[1:]}:" for dashes in rule[num_names:]]
    return [line(head), line(rule), *map(line, rows)]
