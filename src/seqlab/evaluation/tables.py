"""Scores as rows, for `dvc plots` and anything else that reads a table."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqlab.atomic import replaced_file

ALL_TYPES = "(all)"
"""The group of the rows that hold the scores over all types."""


def span_score_rows(scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Span scores by entity type, one row per bar of a grouped bar chart.

    Args:
        scores: what `score_sentences(..., spans=True)` returns.

    Returns:
        Rows of `group` (entity type), `measure` (`span_precision`, `span_recall`, `span_f1`), `value` (0..1)
        and `gold` (the type's gold spans): first the rows over all types, then the types in alphabetical
        order.
    """
    per_type: Mapping[str, Mapping[str, Any]] = scores["per_type"]
    everything = {**scores, "gold": sum(counts["gold"] for counts in per_type.values())}
    measures = ("span_precision", "span_recall", "span_f1")
    return [
        {"group": entity_type, "measure": measure, "value": row[measure], "gold": row["gold"]}
        for entity_type, row in [(ALL_TYPES, everything), *sorted(per_type.items())]
        for measure in measures
    ]


def tag_score_rows(scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Scores by tag, one row per bar of a grouped bar chart.

    Args:
        scores: what `score_sentences` returns.

    Returns:
        Rows of `group` (tag), `measure` (`token_accuracy`, `f1`), `value` (0..1) and `gold` (tokens), the
        tags in alphabetical order. A tag's token accuracy is its right tokens / the tokens whose gold tag it
        is, which is its recall.
    """
    return [
        {"group": tag, "measure": measure, "value": row[key], "gold": row["gold"]}
        for tag, row in sorted(scores["per_tag"].items())
        for measure, key in (("token_accuracy", "recall"), ("f1", "f1"))
    ]


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows as CSV under a header, the columns as the first row has them; whole or not at all.

    Args:
        path: where to write; its folder is made where it is missing.
        rows: at least one, all with the same keys.

    Raises:
        ValueError: there are no rows, or a row has other keys than the first.
    """
    if not rows:
        raise ValueError(f"{path}: no rows, so no columns to write")
    for row in rows:
        if row.keys() != rows[0].keys():
            raise ValueError(f"{path}: columns {list(row)} in a table of {list(rows[0])}")
    with replaced_file(path) as made, made.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
