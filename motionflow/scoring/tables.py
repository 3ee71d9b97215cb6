"""A summary -> tables to read: what metrics.json holds.

Of an evaluation one row for the model and one for every rival and baseline, a column
for each of some scores; `scores.SCORES` says how they are called and printed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from motionflow.drawing.tables import Table, number, percent
from motionflow.scoring.cells import MAGNITUDE_EDGES, MASKS
from motionflow.scoring.scores import (
    BY_ACTION,
    COMPARED,
    MODEL,
    NUM_FUTURES,
    PRIOR,
    SCORES,
    WITH_KNOWN,
    ZERO,
    Column,
    columns,
)
from motionflow.scoring.summary import Summary

_HEADLINE = (*columns("nll_all", "skill_all"), *COMPARED[1:])
_TABLE_3 = columns("recall_all", "precision_all", "top1_all", "top5_all", "top10_all")
_TABLE_4 = columns("epe_all", "dir_all", "ori_all", "top5_all", "top10_all")
_DECODINGS = columns("epe_all", "epe_nz", "dir_nz", "ori_nz", "top1_all", "top5_nz")
_DECODINGS += columns("recall_all", "nll_all")
_BY_MASK = ("epe", "dir", "ori", "top1", "top5", "top10", "recall", "precision", "nll")
_BY_MASK += ("skill",)


def markdown(summary: Summary) -> str:
    """The tables of an evaluation as a Markdown page."""
    title = f"# {summary['model']} on {summary['split']}"
    tables = [*score_tables(summary), *known_tables(summary)]
    parts = [title, introduction(summary), *(table.markdown() for table in tables)]
    return "\n\n".join(parts) + "\n"


def score_tables(summary: Summary) -> list[Table]:
    """All tables of an evaluation but those of known motion, the report's first."""
    return [
        _table("Classification (the report's Table 3)", summary, _TABLE_3),
        _flow(summary),
        _headline(summary),
        _differences(summary),
        *([_decodings(summary)] if summary["decodings"] else []),
        _by_mask(summary),
        _by_magnitude(summary),
        _uncertainty(summary),
        _reliability(summary),
        _by_action(summary),
    ]


def introduction(summary: Summary) -> str:
    """What was measured, in a paragraph."""
    masks, chance = summary["results"][ZERO]["masks"], summary["chance"]
    counts = ", ".join(f"{mask} {masks[mask]['count']:,.0f}" for mask in MASKS)
    text = (
        f"{summary['num_samples']:,} frames of {summary['num_clips']:,} clips from "
        f"{summary['num_sources']:,} sources; cells: {counts} (nz: those that move). "
        "L2 and EPE are in pixels per step against the unquantised flow, NLL in nats a "
        "cell; recall, precision, top-k and skill in percent. Recall and precision are "
        f"means over the {masks['all']['num_classes_true']:.0f} classes that occur. "
        f"Chance: Dir {chance['dir']:.3f} and Ori {chance['ori']:.3f} for random "
        f"directions, recall {percent(chance['recall'])}. Predictors of flow only rank "
        "the classes by distance from their flow, and have no likelihood."
    )
    if not summary["classes_agree"]:
        text += (
            " The model was trained with another codebook, frame size or grid than "
            "these data have: it is compared in flow space only."
        )
    return text


def _display(summary: Summary, name: str) -> str:
    """The model's own name for "model" and "model, annealed"."""
    if name == MODEL or name in summary["decodings"]:
        return summary["model"] + name[len(MODEL) :]
    return name


def _rows(
    summary: Summary,
    cells: Callable[[dict[str, Any]], list[str]],
    names: Sequence[str] | None = None,
) -> list[list[str]]:
    """A row for each predictor; all but the decodings unless names are given."""
    if names is None:
        names = [n for n in summary["results"] if n not in summary["decodings"]]
    return [[_display(summary, n), *cells(summary["results"][n])] for n in names]


def _values(
    result: Mapping[str, Any], shown: Sequence[Column], with_intervals: bool = False
) -> list[str]:
    cells = []
    for column in shown:
        sides = [result, result["intervals"]] if with_intervals else [result]
        values = (one["masks"][column.mask][column.score.key] for one in sides)
        cells.append(column.score.text(*values))
    return cells


def _table(
    title: str,
    summary: Summary,
    shown: Sequence[Column],
    notes: str = "",
    names: Sequence[str] | None = None,
    with_intervals: bool = False,
) -> Table:
    """A row for each predictor, a column for each score."""
    head = ["Model", *(column.label for column in shown)]
    rows = _rows(summary, lambda one: _values(one, shown, with_intervals), names)
    return Table(title, notes, head, rows)


def _flow(summary: Summary) -> Table:
    table = _table("Flow (the report's Table 4)", summary, _TABLE_4)
    # A baseline's numbers are counts and means, not trained parameters.
    names = {_display(summary, n): v for n, v in summary["num_parameters"].items()}
    rows = [[*row, number(names.get(row[0]), "{:,}")] for row in table.rows]
    head = ["Model", "L2", *table.head[2:], "#params"]
    return Table(table.title, "", head, rows)


def _headline(summary: Summary) -> Table:
    notes = (
        f"In brackets the {_interval_text(summary)}. Skill is 1 - NLL / NLL of the "
        "class prior per cell: above 0, the predictor knows more than where motion "
        "usually is."
    )
    title = "Skill, with intervals"
    return _table(title, summary, _HEADLINE, notes, with_intervals=True)


def _interval_text(summary: Summary) -> str:
    how = summary["intervals"]
    return (
        f"{100 * how['level']:.0f} % bootstrap interval over {how['unit']}s "
        f"({how['num_draws']:,} draws)"
    )


def _differences(summary: Summary) -> Table:
    rows = []
    for name, scores in summary["differences"].items():
        cells = []
        for column in COMPARED:
            one = scores[column.name]
            text = column.score.text(one["difference"], one["interval"])
            cells.append(f"{text} {one['verdict'] or ''}".rstrip())
        rows.append([_display(summary, name), *cells])
    notes = (
        f"{summary['model']} minus each row on the same draws, with the "
        f"{_interval_text(summary)}; a tie is an interval that holds zero."
    )
    head = [f"{summary['model']} minus", *(column.label for column in COMPARED)]
    return Table("Is it better?", notes, head, rows)


def _decodings(summary: Summary) -> Table:
    notes = (
        "The same network; the first row is the expected flow. See "
        "motionflow/models/decoding.py."
    )
    names, title = [MODEL, *summary["decodings"]], "Decodings side by side"
    table = _table(title, summary, _DECODINGS, notes, names)
    return Table(title, notes, ["Decoding", *table.head[1:]], table.rows)


def _by_mask(summary: Summary) -> Table:
    rows: list[list[str]] = []
    for mask in MASKS:
        shown = columns(*(f"{key}_{mask}" for key in _BY_MASK))
        rows += [[mask, *row] for row in _table("", summary, shown).rows]
    head = ["Mask", "Model", *(SCORES[key].label for key in _BY_MASK)]
    return Table("By mask", "", head, rows, num_names=2)


def _by_magnitude(summary: Summary) -> Table:
    names = [f"from {edge:g} px" for edge in MAGNITUDE_EDGES]
    share, epe = SCORES["bucket_share"], SCORES["bucket_epe"]
    shares = map(share.text, summary["results"][ZERO][share.key])
    rows = [[share.label, *shares]]
    rows += _rows(summary, lambda result: list(map(epe.text, result[epe.key])))
    return Table("EPE by true magnitude", "", ["Model", *names], rows)


def _uncertainty(summary: Summary) -> Table:
    best = columns("best_of_n_all", "best_of_n_nz")

    def cells(result: dict[str, Any]) -> list[str]:
        potential = result["motion_potential"]
        ranks = (potential[mask] for mask in ("all", "nz"))
        text = SCORES["epe"].text  # a number with three digits
        return [
            SCORES["ece"].text(result["ece"]),
            *_values(result, best),
            text(potential["nz"]["predicted"]),
            *(text(one["rank_correlation"], one["interval"]) for one in ranks),
        ]

    true = summary["results"][ZERO]["motion_potential"]["nz"]["true"]
    notes = (
        "ECE: expected calibration error of the first class, percent. Best of "
        f"{NUM_FUTURES}: mean over frames of the smallest EPE among so many futures "
        "drawn from the distribution (a flow without one is its own only future). "
        "Motion potential: mean predicted magnitude over the moving cells of a frame, "
        f"where the true one is {number(true)} px, and Spearman's rank correlation "
        "between the two over frames, over all and over moving cells."
    )
    head = ["Model", "ECE", *(column.label for column in best)]
    head += ["Potential-nz, px", "Rank correlation", "Rank correlation-nz"]
    rows = _rows(summary, cells)
    return Table("Calibration, futures, motion potential", notes, head, rows)


def _reliability(summary: Summary) -> Table:
    shown = [SCORES[f"reliability_{k}"] for k in ("share", "confidence", "accuracy")]
    points = zip(*(summary["results"][MODEL][s.key] for s in shown), strict=True)
    rows = [[s.text(v) for s, v in zip(shown, p, strict=True)] for p in points if p[0]]
    notes = "Cells by the probability of the model's first class, all in percent."
    head = [score.label for score in shown]
    return Table("Reliability", notes, head, rows, num_names=0)


def _by_action(summary: Summary) -> Table:
    epe, *others = BY_ACTION
    rows = []
    for action, one in summary["actions"].items():
        model, zero = (one["scores"][name] for name in (MODEL, ZERO))
        counts = (f"{one[key]:,}" for key in ("num_clips", "num_samples"))
        cells = [epe.score.text(zero[epe.name])]
        cells += [column.score.text(model[column.name]) for column in (epe, *others)]
        rows.append([action or "(none)", *counts, *cells])
    head = ["Action", "Clips", "Frames", f"{epe.label} of zero flow", epe.label]
    head += [column.label for column in others]
    return Table("By action", f"Of {summary['model']}.", head, rows)


# --- with known motion -----------------------------------------------------------


def known_tables(summary: Summary) -> list[Table]:
    """One table for all clips, one for each data set; none where nothing was known.

    Below a row that is no model's stands the model minus it.
    """
    if "known" not in summary:
        return []
    known = summary["known"]
    groups = {"": known["all"]}
    groups |= {f": {name}": blocks for name, blocks in known["data_sets"].items()}
    return [_known_table(summary, title, blocks) for title, blocks in groups.items()]


def _known_table(
    summary: Summary, group: str, blocks: Mapping[str, Mapping[str, Any]]
) -> Table:
    rows = []
    for kind, block in blocks.items():
        for row, result in block["results"].items():
            if row in (ZERO, PRIOR):  # what gain and skill are measured from
                continue
            rows.append([kind, _display(summary, row), *_known_cells(summary, result)])
            if row != MODEL:
                gap = _known_cells(summary, block["differences"][row])
                rows.append([kind, f"{summary['model']} minus it", *gap])
    head = ["Told", "Row", *(column.label for column in WITH_KNOWN)]
    notes = _known_notes(summary, next(iter(blocks.values())))
    return Table(f"With known motion{group}", notes, head, rows, num_names=2)


def _known_notes(summary: Summary, block: Mapping[str, Any]) -> str:
    known = summary["known"]
    text = (
        f"{block['num_samples']:,} frames of {block['num_clips']:,} clips from "
        f"{block['num_sources']:,} sources. Told cells do not count. EPE gain is "
        "over zero flow, skill over the class prior per cell; these and top-5 are in "
        f"percent; -nz: over moving cells. In brackets the {_interval_text(summary)}."
    )
    chosen = (
        ("factor of the past", known["factors"]),
        ("width, cells", known["widths"]),
    )
    for what, values in chosen:
        if values:
            numbers = ", ".join(f"{value:g}" for value in sorted(set(values)))
            text += f" Chosen on training data: {what}: {numbers}."
    if known["not_told"]:
        names = [_display(summary, name) for name in known["not_told"]]
        text += f" Cannot be told anything: {', '.join(names)}."
    return text


def _known_cells(summary: Summary, scores: Mapping[str, Any]) -> list[str]:
    """Values or differences of one row."""
    unit, cells = summary["intervals"]["unit"], []
    for column in WITH_KNOWN:
        one = scores[column.name]
        value = one["difference"] if "difference" in one else one["value"]
        form = "{:.1f}" if column.score.is_fraction else None
        text = column.score.text(value, one["intervals"][unit], form)
        verdict = one["verdicts"][unit] if "verdicts" in one else None
        cells.append(f"{text} {verdict or ''}".rstrip())
    return cells
