"""Which tags are taken for which."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seqlab.evaluation.match_counts import divide
from seqlab.evaluation.predictions import TaggedTriple

Confusion = tuple[str, str]
"""`(gold tag, predicted tag)`."""


def confusion_counts(sentences: Iterable[TaggedTriple]) -> Counter[Confusion]:
    """Counts the tokens of each pair of gold and predicted tag, the equal pairs among them.

    Raises:
        ValueError: a sentence's gold and predicted tags differ in number.
    """
    counts: Counter[Confusion] = Counter()
    for _, gold, predicted in sentences:
        counts.update(zip(gold, predicted, strict=True))
    return counts


def confusion_rows(counts: Mapping[Confusion, int]) -> list[dict[str, Any]]:
    """Lays the counts out as a square matrix, one row per cell, for a plot that colours cells.

    The size is the number of tags squared, whatever the size of the corpus. DVC's own `confusion` template
    wants one row per token instead, as it counts the rows itself; the project's template reads `count` and
    `share`.

    Args:
        counts: as `confusion_counts` returns them.

    Returns:
        Rows of `actual` (gold tag), `predicted`, `count` (tokens) and `share` (of the gold tag's tokens,
        0..1), every tag against every tag, zero cells too, in alphabetical order.
    """
    gold_totals: Counter[str] = Counter()
    for (gold_tag, _), count in counts.items():
        gold_totals[gold_tag] += count
    tags = sorted({tag for pair in counts for tag in pair})
    return [
        {
            "actual": actual,
            "predicted": predicted,
            "count": counts.get((actual, predicted), 0),
            "share": divide(counts.get((actual, predicted), 0), gold_totals[actual]),
        }
        for actual in tags
        for predicted in tags
    ]


def most_confused(
    sentences: Iterable[TaggedTriple], limit: int, *, examples: int = 3, context: int = 5
) -> list[dict[str, Any]]:
    """Finds the wrong tags that are most often given, with places where they were.

    Args:
        sentences: `(tokens, gold, predicted)`; consumed once, one at a time.
        limit: how many pairs of tags to return at most.
        examples: how many excerpts to keep for each pair at most: the first ones, from as many sentences.
        context: tokens to show on each side of the token in question.

    Returns:
        Rows of `gold`, `predicted`, `count` (tokens), `share` (of the gold tag's tokens, 0..1) and
        `examples`, a list of excerpts such as `… to >>May<< after …`; the most frequent first, equals in
        alphabetical order.
    """
    gold_totals: Counter[str] = Counter()
    counts: Counter[Confusion] = Counter()
    excerpts: defaultdict[Confusion, list[str]] = defaultdict(list)
    for tokens, gold, predicted in sentences:
        gold_totals.update(gold)
        shown: set[Confusion] = set()
        for position, pair in enumerate(zip(gold, predicted, strict=True)):
            if pair[0] == pair[1]:
                continue
            counts[pair] += 1
            if pair not in shown and len(excerpts[pair]) < examples:
                excerpts[pair].append(_excerpt(tokens, position, context))
                shown.add(pair)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        {
            "gold": pair[0],
            "predicted": pair[1],
            "count": count,
            "share": divide(count, gold_totals[pair[0]]),
            "examples": excerpts[pair],
        }
        for pair, count in ranked[:limit]
    ]


def _excerpt(tokens: Sequence[str], position: int, context: int) -> str:
    start, end = max(0, position - context), position + 1 + context
    words = [*tokens[start:position], f">>{tokens[position]}<<", *tokens[position + 1 : end]]
    return " ".join((["…"] if start else []) + words + (["…"] if end < len(tokens) else []))
