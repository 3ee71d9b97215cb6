"""What metrics.json holds -> tables to read.

One row for the model and one for every rival and baseline; see `scores.scores` for what
the columns are.
"""

from collections.abc import Callable, Mapping, Sequence

from motionflow.drawing.tables import Table, number, percent
from motionflow.scoring.cells import MASKS
from motionflow.scoring.clip_sums import MAGNITUDE_EDGES
from motionflow.scoring.evaluation import NUM_FUTURES
from motionflow.scoring.summary import COMPARED, MODEL, ZERO

_LABELS = {
    **{"epe": "EPE", "dir": "Dir", "ori": "Ori"},
    **{"top1": "Top-1", "top5": "Top-5", "top10": "Top-10"},
    **{"recall": "Recall", "precision": "Precision", "nll": "NLL", "skill": "Skill"},
}
_FRACTIONS = ("top1", "top5", "top10", "recall", "precision", "skill")
_BY_MASK = tuple(_LABELS)
_HEADLINE = (("nll", "all"), ("skill", "all"), *((k, m) for k, m, _ in COMPARED[1:]))


def score_tables(summary: Mapping) -> list[Table]:
    """All tables of an evaluation, the report's first.

    Args:
      summary: what `summarize` returns, with model (its name), num_parameters, split,
        decodings (names of rows), chance.
    """
    return [
        _classification(summary),
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


def introduction(summary: Mapping) -> str:
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


def _display(summary: Mapping, name: str) -> str:
    """The model's own name for "model" and "model, annealed"."""
    if name == MODEL or name in summary["decodings"]:
        return summary["model"] + name[len(MODEL) :]
    return name


def _main_rows(summary: Mapping) -> list[str]:
    return [name for name in summary["results"] if name not in summary["decodings"]]


def _score(cells: Mapping, key: str) -> str:
    return (percent if key in _FRACTIONS else number)(cells[key])


def _rows(
    summary: Mapping, names: Sequence[str], columns: Callable[[Mapping], list[str]]
) -> list[list[str]]:
    return [
        [_display(summary, name), *columns(summary["results"][name])] for name in names
    ]


def _scores_by_mask(
    summary: Mapping, mask: str, keys: Sequence[str]
) -> list[list[str]]:
    def columns(result: Mapping) -> list[str]:
        return [_score(result["masks"][mask], key) for key in keys]

    return _rows(summary, _main_rows(summary), columns)


def _classification(summary: Mapping) -> Table:
    keys = ("recall", "precision", "top1", "top5", "top10")
    rows = _scores_by_mask(summary, "all", keys)
    head = ["Model", *(_LABELS[key] for key in keys)]
    return Table("Classification (the report's Table 3)", "", head, rows)


def _flow(summary: Mapping) -> Table:
    keys = ("epe", "dir", "ori", "top5", "top10")
    rows = _scores_by_mask(summary, "all", keys)
    for row, name in zip(rows, _main_rows(summary), strict=True):
        # A baseline's numbers are counts and means, not trained parameters.
        row.append(number(summary["num_parameters"].get(name), "{:,}"))
    head = ["Model", "L2", *(_LABELS[key] for key in keys[1:]), "#params"]
    return Table("Flow (the report's Table 4)", "", head, rows)


def _with_interval(value: float | None, bounds: Sequence, key: str) -> str:
    if value is None or None in bounds:
        return "-"
    scale, form = (100, "{:.2f}") if key in _FRACTIONS else (1, "{:.3f}")
    one, low, high = (form.format(scale * v) for v in (value, *bounds))
    return f"{one} [{low}, {high}]"


def _column(key: str, mask: str) -> str:
    return _LABELS[key] if mask == "all" else f"{_LABELS[key]}-{mask}"


def _headline(summary: Mapping) -> Table:
    def columns(result: Mapping) -> list[str]:
        return [
            _with_interval(
                result["masks"][mask][key],
                result["intervals"]["masks"][mask][key],
                key,
            )
            for key, mask in _HEADLINE
        ]

    rows = _rows(summary, _main_rows(summary), columns)
    notes = (
        f"In brackets the {_interval_text(summary)}. Skill is 1 - NLL / NLL of the "
        "class prior per cell: above 0, the predictor knows more than where motion "
        "usually is."
    )
    head = ["Model", *(_column(*item) for item in _HEADLINE)]
    return Table("Skill, with intervals", notes, head, rows)


def _interval_text(summary: Mapping) -> str:
    how = summary["intervals"]
    return (
        f"{100 * how['level']:.0f} % bootstrap interval over {how['unit']}s "
        f"({how['num_draws']:,} draws)"
    )


def _differences(summary: Mapping) -> Table:
    rows = []
    for name, scores in summary["differences"].items():
        cells = []
        for key, mask, _ in COMPARED:
            one = scores[f"{key}_{mask}"]
            text = _with_interval(one["difference"], one["interval"], key)
            cells.append(text if text == "-" else f"{text} {one['verdict']}")
        rows.append([_display(summary, name), *cells])
    notes = (
        f"{summary['model']} minus each row on the same draws, with the "
        f"{_interval_text(summary)}; a tie is an interval that holds zero."
    )
    head = [f"{summary['model']} minus", *(_column(k, m) for k, m, _ in COMPARED)]
    return Table("Is it better?", notes, head, rows)


def _decodings(summary: Mapping) -> Table:
    items = (("epe", "all"), ("epe", "nz"), ("dir", "nz"), ("ori", "nz"))
    items += (("top1", "all"), ("top5", "nz"), ("recall", "all"), ("nll", "all"))
    rows = _rows(
        summary,
        [MODEL, *summary["decodings"]],
        lambda result: [_score(result["masks"][m], k) for k, m in items],
    )
    notes = (
        "The same network; the first row is the expected flow. See "
        "motionflow/models/decoding.py."
    )
    head = ["Decoding", *(_column(*item) for item in items)]
    return Table("Decodings side by side", notes, head, rows)


def _by_mask(summary: Mapping) -> Table:
    rows = [
        [mask, *row]
        for mask in MASKS
        for row in _scores_by_mask(summary, mask, _BY_MASK)
    ]
    head = ["Mask", "Model", *(_LABELS[key] for key in _BY_MASK)]
    return Table("By mask", "", head, rows, num_names=2)


def _by_magnitude(summary: Mapping) -> Table:
    names = [f"from {edge:g} px" for edge in MAGNITUDE_EDGES]
    shares = summary["results"][ZERO]["bucket_share"]
    rows = [["share of cells, %", *map(percent, shares)]]
    rows += _rows(
        summary,
        _main_rows(summary),
        lambda result: [number(value) for value in result["bucket_epe"]],
    )
    return Table("EPE by true magnitude", "", ["Model", *names], rows)


def _uncertainty(summary: Mapping) -> Table:
    def columns(result: Mapping) -> list[str]:
        masks = [result["masks"][mask] for mask in ("all", "nz")]
        potential = result["motion_potential"]
        return [
            percent(result["ece"]),
            *(number(cells["best_of_n"]) for cells in masks),
            number(potential["nz"]["predicted"]),
            *(
                _with_interval(
                    potential[mask]["rank_correlation"], potential[mask]["interval"], ""
                )
                for mask in ("all", "nz")
            ),
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
    head = ["Model", "ECE", f"Best of {NUM_FUTURES}", f"Best of {NUM_FUTURES}-nz"]
    head += ["Potential-nz, px", "Rank correlation", "Rank correlation-nz"]
    rows = _rows(summary, _main_rows(summary), columns)
    return Table("Calibration, futures, motion potential", notes, head, rows)


def _reliability(summary: Mapping) -> Table:
    result = summary["results"][MODEL]
    keys = ("share", "confidence", "accuracy")
    columns = [result[f"reliability_{key}"] for key in keys]
    rows = [list(map(percent, row)) for row in zip(*columns, strict=True) if row[0]]
    notes = "Cells by the probability of the model's first class, all in percent."
    head = ["Share of cells", "Mean confidence", "Accuracy"]
    return Table("Reliability", notes, head, rows, num_names=0)


def _by_action(summary: Mapping) -> Table:
    keys = ("dir_nz", "ori_nz", "top5_nz", "skill_all")
    rows = []
    for action, one in summary["actions"].items():
        model, zero = (one["scores"][name] for name in (MODEL, ZERO))
        rows.append(
            [
                action or "(none)",
                *(f"{one[key]:,}" for key in ("num_clips", "num_samples")),
                *(number(scores["epe_nz"]) for scores in (zero, model)),
                *(number(model[key]) for key in keys[:2]),
                *(percent(model[key]) for key in keys[2:]),
            ]
        )
    head = ["Action", "Clips", "Frames", "EPE-nz of zero flow", "EPE-nz"]
    head += ["Dir-nz", "Ori-nz", "Top-5-nz", "Skill"]
    return Table("By action", f"Of {summary['model']}.", head, rows)
