"""A model on a split of a data directory -> one page of HTML to judge it by.

    assessment -> answers, films, tables, pictures, videos -> page.html.jinja
      -> report.html

The first screen says in plain words what the model learned from and whether it is any
good, and shows it. The page needs no other file, no network and no script. Its figures
have the numbers of the report that this package follows (published.py names it), so the
two can be laid side by side.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from motionflow import __version__
from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir
from motionflow.drawing.plots import choose_examples
from motionflow.files import drafts
from motionflow.models.run_dir import RunDir
from motionflow.report import answers, charts, origin, published, sample_rows
from motionflow.scoring import assessment, verdict
from motionflow.scoring.assessment import Assessment
from motionflow.scoring.figures import num_moving
from motionflow.scoring.scores import MODEL
from motionflow.scoring.summary import Summary, baseline_names, rival_names
from motionflow.scoring.tables import introduction, known_tables, score_tables

_NUM_FILMS = _NUM_CLUSTERED = 3
_NUM_CLIPS = 4

_BY_SOURCE = (
    "all clips of a source video are in the same split, so no frame scored here has a "
    "relative in training."
)
PROTOCOLS = {
    "source": f"Split by source: {_BY_SOURCE}",
    **{
        f"official{i}": f"Official split {i} of the data set, validation drawn by "
        "source from its training clips: it shares no clip with training."
        for i in (1, 2, 3)
    },
    "frame": (
        "Split by frame, the protocol of the report: frames of the same clip, often a "
        "few frames apart, are in training, which flatters every number on this page."
    ),
    "": "The data directory does not say how it was split.",
}


def make_report(
    model_dir: str | Path,
    data_dir: str | Path,
    split: str,
    output_dir: str | Path,
    options: assessment.Options,
) -> Path:
    """Assesses a model and writes `report.html` beside the results.

    Args and raises as `assessment.assess`.

    Returns:
      the page's path.
    """
    found = assessment.assess(model_dir, data_dir, split, output_dir, options)
    summary, data = found.summary, found.data
    run_dir = RunDir(model_dir)  # an export has no config and no history
    learned = origin.find_origin(model_dir)
    page = render(
        summary,
        learned_from=origin.learned_from(learned, data),
        judged_on=origin.judged_on(summary, learned, data),
        answers=answers.answer(summary, found.evaluation),
        step_frames=data.labels.step_frames,
        facts=facts(summary, data, run_dir),
        protocol=PROTOCOLS[data.protocol],
        history=charts.history_pictures(run_dir.read_history()),
        constant_only=options.baselines == "constant",
        dense=data.labels.store_dense_flow > 0,
        **draw(found),
    )
    path = Path(output_dir, "report.html")
    drafts.write(path, page)
    return path


def render(summary: Summary, **context: Any) -> str:
    """Fills the template in; whatever stands in it is escaped.

    Args:
      summary: what metrics.json holds.
      context: the other names of page.html.jinja.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("motionflow", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html.jinja")
    names = baseline_names(summary)
    verdicts = verdict.judge(summary, names)
    tables = score_tables(summary)
    return template.render(
        summary=summary,
        verdicts=verdicts,
        headline=verdict.headline(verdicts),
        rivals={
            name: verdict.against_one(verdict.judge(summary, [name]))
            for name in rival_names(summary)
        },
        num_comparisons=len(verdicts) * len(names),
        introduction=introduction(summary),
        report_tables=tables[:2],
        other_tables=tables[2:],
        known_tables=known_tables(summary),
        published=published,
        version=__version__,
        **context,
    )


def facts(summary: Summary, data: DataDir, run_dir: RunDir) -> list[tuple[str, str]]:
    """What was trained and on what it is judged: (term, text) each."""
    flags = data.manifest["flags"]
    count = summary["num_parameters"][MODEL]
    trained = run_dir.config if (run_dir.path / "config.json").is_file() else {}
    splits = [
        f"{name} {one['num_samples']:,}"
        for name, one in data.manifest["splits"].items()
    ]
    return [
        ("Model", f"{summary['model']}: {_words(trained.get('model')) or 'an export'}"),
        ("Parameters", "not known of an export" if count is None else f"{count:,}"),
        ("Training", _words(trained.get("training")) or "not recorded"),
        (
            "Judged on",
            f"the {summary['split']} split: {summary['num_samples']:,} frames of "
            f"{summary['num_clips']:,} clips from {summary['num_sources']:,} sources",
        ),
        ("Frames in all splits", ", ".join(splits)),
        ("Data", _words({k: v for k, v in flags.items() if v is not None})),
    ]


def _words(values: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{key}={_text(value)}" for key, value in (values or {}).items())


def _text(value: Any) -> str:
    """A setting as a command takes it; several data sets may have several."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def draw(found: Assessment) -> dict[str, Any]:
    """All pictures and videos of the page, but for the curves of the training."""
    data, zero_index = found.data, found.data.codebook.zero_index
    # Samples by how much they move, whatever the model says about them.
    chosen = choose_examples(num_moving(found.evaluation), _NUM_CLUSTERED)
    samples = pipeline.read_samples(data, found.summary["split"], chosen)
    typical = found.examples["predictions"]
    return {
        "films": sample_rows.films(typical, _NUM_FILMS),
        "num_steps": sample_rows.NUM_STEPS,
        "legend": charts.legend(),
        "overlay": [sample_rows.first_overlay(typical, zero_index)],
        "clustering": sample_rows.clustering_rows(
            pipeline.first_step(samples), data.codebook
        ),
        "examples": {
            kind: sample_rows.overlay_rows(one, zero_index)
            for kind, one in found.examples.items()
        },
        "clips": sample_rows.play(found.model, typical, _NUM_CLIPS),
        "maps": charts.score_pictures(found.summary, data),
    }
