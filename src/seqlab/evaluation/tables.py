"""Scores and confusion matrices as rows for `dvc plots`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from seqlab.evaluation.counts import TaggedTriple, divide


def score_rows(scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the scores by entity type, or by tag without span scores, one row per bar of a bar chart.

    Args:
        scores: the result of `score_sentences`.

    Returns:
        Rows of `group`, `measure`, `value` (between 0 and 1) and `gold` (the group's gold spans or tokens),
        with groups in alphabetical order. With span scores, the groups are `(all)`, first, and the entity
        types, and the measures `span_precision`, `span_recall` and `span_f1`. Otherwise the groups are the
        tags, and the measures `f1` and `token_accuracy`: the accuracy on tokens with that gold tag, which
        equals the tag's recall.
    """
    if "per_type" in scores:
        per_type: Mapping[str, Mapping[str, Any]] = scores["per_type"]
        all_types = {**scores, "gold": sum(row["gold"] for row in per_type.values())}
        groups = [("(all)", all_types), *sorted(per_type.items())]
        measures = {name: name for name in ("span_precision", "span_recall", "span_f1")}
    else:
        groups = sorted(scores["per_tag"].items())
        measures = {"token_accuracy": "recall", "f1": "f1"}
    return [
        {"group": group, "measure": measure, "value": row[key], "gold": row["gold"]}
        for group, row in groups
        for measure, key in measures.items()
    ]


def confusion_rows(sentences: Iterable[TaggedTriple]) -> list[dict[str, Any]]:
    """Return the confusion matrix, one row per cell.

    The number of rows does not depend on the size of the corpus. DVC's own `confusion` template expects one
    row per token instead and counts them itself; the project's template reads `count` and `share`.

    Returns:
        Rows of `actual` (gold tag), `predicted`, `count` (tokens) and `share` (of the gold tag's tokens,
        between 0 and 1) for every pair of tags in alphabetical order, including empty cells.

    Raises:
        ValueError: a sentence's gold and predicted tags differ in length.
    """
    counts: Counter[tuple[str, str]] = Counter()
    gold_totals: Counter[str] = Counter()
    for _, gold, predicted in sentences:
        counts.update(zip(gold, predicted, strict=True))
        gold_totals.update(gold)
    tags = sorted({tag for pair in counts for tag in pair})
    return [
        {
            "actual": actual,
            "predicted": predicted,
            "count": counts[actual, predicted],
            "share": divide(counts[actual, predicted], gold_totals[actual]),
        }
        for actual in tags
        for predicted in tags
    ]
