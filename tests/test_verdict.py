"""What is said about hand-made differences, word by word."""

import pytest

from motionflow.scoring import verdict
from motionflow.scoring.scores import COMPARED
from motionflow.scoring.summary import baseline_names, rival_names

KEYS = [column.name for column in COMPARED]


def make_summary(outcomes, decodings=(), rivals=()):
    """A summary of {name: verdict of every score, or one for each}."""
    values = {"nll": 1.0, "epe": 2.0, "dir": 0.1, "ori": 0.7, "top5": 0.5}
    results = {"model": {"masks": {m: dict(values) for m in ("all", "nz")}}}
    differences = {}
    for place, (name, one) in enumerate(outcomes.items(), start=1):
        each = [one] * len(KEYS) if isinstance(one, str | None) else one
        differences[name] = {
            key: {"verdict": v} for key, v in zip(KEYS, each, strict=True)
        }
        scores = {
            key: None if v is None else values[key.split("_")[0]] + place / 100
            for key, v in zip(KEYS, each, strict=True)
        }
        results[name] = {
            "masks": {
                m: {k.split("_")[0]: s for k, s in scores.items()}
                for m in ("all", "nz")
            }
        }
    return {
        "model": "run",
        "decodings": list(decodings),
        "num_parameters": {"model": 5, **dict.fromkeys(rivals, 7)},
        "results": results,
        "differences": differences,
    }


def texts(outcomes):
    summary = make_summary(outcomes)
    verdicts = verdict.judge(summary, list(outcomes))
    return verdicts, verdict.headline(verdicts)


def test_better_than_all():
    verdicts, headline = texts({"zero flow": "better", "mean flow": "better"})
    assert [v.label for v in verdicts] == [
        "NLL",
        "EPE-nz",
        "Dir-nz",
        "Ori-nz",
        "Top-5-nz",
    ]
    assert {v.text for v in verdicts} == {"better than all 2"}
    assert {v.outcome for v in verdicts} == {"better"}
    assert headline == "The model is better than every baseline on all 5 scores."


def test_one_tie_is_no_victory():
    tie_on_dir = ["better", "better", "tie", "better", "better"]
    verdicts, headline = texts({"zero flow": "better", "a": tie_on_dir, "b": "better"})
    assert verdicts[2].outcome == "tie"
    assert verdicts[2].text == "tie with a; better than the other 2"
    assert headline == (
        "The model is better than every baseline on 4 of 5 scores: NLL, EPE-nz, Ori-nz "
        "and Top-5-nz. On Dir-nz it is worse than none, but ties with at least one "
        "baseline."
    )


def test_one_defeat_outweighs_victories_and_ties():
    names = {"zero flow": "better", "a": "tie", "frames, pixels": "worse", "c": "worse"}
    verdicts, headline = texts(names)
    assert {v.outcome for v in verdicts} == {"worse"}
    first, _, rest = verdicts[0].text.partition(" and c; ")
    assert first == "worse than \u201cframes, pixels\u201d"
    assert rest == "tie with a; better than the other one"
    assert headline == (
        "The model is better than every baseline on none of the scores. It is worse "
        "than at least one baseline on NLL, EPE-nz, Dir-nz, Ori-nz and Top-5-nz."
    )


def test_scores_that_some_or_all_lack():
    no_nll = [None, "better", "better", "better", "better"]
    verdicts, headline = texts({"zero flow": no_nll, "class prior": "better"})
    assert verdicts[0].text == "better than the one with this score"
    assert verdicts[0].best == "1.020 (class prior)"
    verdicts, headline = texts({"zero flow": no_nll})
    assert verdicts[0].outcome == "unknown"
    assert verdicts[0].text == "cannot be compared" and verdicts[0].best == "-"
    assert headline == (
        "The model is better than every baseline on 4 of 5 scores: EPE-nz, Dir-nz, "
        "Ori-nz and Top-5-nz. NLL could not be compared."
    )
    assert texts({"a": None})[1] == "The model could not be compared with any baseline."


def test_best_is_the_smallest_error_and_the_largest_cosine():
    verdicts, _ = texts({"first": "better", "second": "better"})
    found = {v.label: (v.model, v.best) for v in verdicts}
    assert found["NLL"] == ("1.000", "1.010 (first)")
    assert found["EPE-nz"] == ("2.000", "2.010 (first)")
    assert found["Dir-nz"] == ("0.100", "0.120 (second)")
    assert found["Top-5-nz"] == ("50.00", "52.00 (second)")


def test_decodings_and_other_models_are_no_baselines():
    summary = make_summary(
        {"model, mode": "worse", "other": "worse", "zero flow": "better"},
        decodings=["model, mode"],
        rivals=["other"],
    )
    assert baseline_names(summary) == ["zero flow"]
    assert rival_names(summary) == ["other"]
    mixed = ["better", "worse", "worse", "tie", None]
    summary = make_summary({"other": mixed}, rivals=["other"])
    assert verdict.against_one(verdict.judge(summary, ["other"])) == (
        "better on NLL; worse on EPE-nz and Dir-nz; tie on Ori-nz; "
        "not comparable on Top-5-nz"
    )


@pytest.mark.parametrize(
    ("names", "text"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_listing(names, text):
    assert verdict.listing(names) == text
