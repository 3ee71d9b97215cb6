"""Differences of an evaluation -> what may be said about them, and no more.

    summary["differences"] -> one verdict a score -> one sentence for all

A model beats the baselines on a score only if it beats every one of them, each by a
bootstrap interval that does not hold zero. "Tie" means that this is not shown, not that
the two are equal.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from motionflow.scoring.scores import COMPARED, MODEL, Column
from motionflow.scoring.summary import Summary


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How the model stands against all baselines on one score.

    Attributes:
      label: the score's short name.
      meaning: what it measures.
      model: the model's value, as text.
      best: the best baseline's value and name, as text.
      outcome: "better" (than every one), "tie", "worse" (than at least one), "unknown".
      text: the same in words, with names.
    """

    label: str
    meaning: str
    model: str
    best: str
    outcome: str
    text: str


def judge(summary: Summary, names: Sequence[str]) -> list[Verdict]:
    """Compares the model with some predictors on each of the compared scores.

    Args:
      summary: what metrics.json holds.
      names: the predictors.
    """
    return [_judge_score(summary, names, column) for column in COMPARED]


def _judge_score(summary: Summary, names: Sequence[str], column: Column) -> Verdict:
    score = column.score
    verdicts = {n: summary["differences"][n][column.name]["verdict"] for n in names}
    groups = {
        outcome: [n for n, verdict in verdicts.items() if verdict == outcome]
        for outcome in ("worse", "tie", "better")
    }
    values = {
        name: summary["results"][name]["masks"][column.mask][score.key]
        for name in (MODEL, *names)
    }
    known = {n: values[n] for n in names if values[n] is not None}
    best = "-"
    if known:
        winner = (max if score.larger_is_better else min)(known, key=lambda n: known[n])
        best = f"{score.text(known[winner])} ({winner})"
    return Verdict(
        label=column.label,
        meaning=column.meaning,
        model=score.text(values[MODEL]),
        best=best,
        outcome=next((o for o, members in groups.items() if members), "unknown"),
        text=_in_words(groups, len(names)),
    )


def _in_words(groups: Mapping[str, Sequence[str]], num_names: int) -> str:
    compared = sum(map(len, groups.values()))
    which = "" if compared == num_names else " with this score"
    if not compared:
        return "cannot be compared"
    if len(groups["better"]) == compared:
        return f"better than {'the one' if compared == 1 else f'all {compared}'}{which}"
    parts = []
    if groups["worse"]:
        parts.append(f"worse than {listing(groups['worse'])}")
    if groups["tie"]:
        parts.append(f"tie with {listing(groups['tie'])}")
    if count := len(groups["better"]):
        others = "one" if count == 1 else count
        parts.append(f"better than the other {others}{which}")
    return "; ".join(parts)


def headline(verdicts: Sequence[Verdict]) -> str:
    """All scores in a few sentences, never more cheerful than they are."""
    labels = _by_outcome(verdicts)
    better, total = labels["better"], len(verdicts)
    if len(labels["unknown"]) == total:
        return "The model could not be compared with any baseline."
    if len(better) == total:
        return f"The model is better than every baseline on all {total} scores."
    sentences = ["The model is better than every baseline on none of the scores."]
    if better:
        sentences = [
            f"The model is better than every baseline on {len(better)} of {total} "
            f"scores: {listing(better)}."
        ]
    if labels["worse"]:
        sentences.append(
            f"It is worse than at least one baseline on {listing(labels['worse'])}."
        )
    if labels["tie"]:
        sentences.append(
            f"On {listing(labels['tie'])} it is worse than none, but ties with at "
            "least one baseline."
        )
    if labels["unknown"]:
        sentences.append(f"{listing(labels['unknown'])} could not be compared.")
    return " ".join(sentences)


def against_one(verdicts: Sequence[Verdict]) -> str:
    """The same against a single other model: "better on NLL; tie on Dir-nz"."""
    labels = _by_outcome(verdicts)
    words = {"better": "better on", "worse": "worse on", "tie": "tie on"}
    words |= {"unknown": "not comparable on"}
    parts = [f"{words[o]} {listing(labels[o])}" for o in words if labels[o]]
    return "; ".join(parts)


def _by_outcome(verdicts: Sequence[Verdict]) -> dict[str, list[str]]:
    return {
        outcome: [v.label for v in verdicts if v.outcome == outcome]
        for outcome in ("better", "tie", "worse", "unknown")
    }


def listing(names: Sequence[str]) -> str:
    """Names as in a sentence: a, b and c; those that hold a comma are quoted."""
    quoted = [f"\u201c{name}\u201d" if "," in name else name for name in names]
    *most, last = quoted
    return f"{', '.join(most)} and {last}" if most else last
