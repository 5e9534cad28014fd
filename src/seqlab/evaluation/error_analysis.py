"""The most frequent tagging errors, the kinds of span errors, and recall on seen and unseen spans."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from typing import Any

from seqlab.evaluation.counts import TaggedTriple, divide, extract_spans
from seqlab.tags import Span

ERROR_KINDS = ("wrong_type", "wrong_boundary", "wrong_type_and_boundary", "missed", "spurious")
SpanError = tuple[str, Span | None, Span | None]

_MAX_EXAMPLES = 3  # per pair of tags
_CONTEXT = 5  # tokens on each side of a wrongly tagged token


def most_confused(sentences: Iterable[TaggedTriple], limit: int) -> list[dict[str, Any]]:
    """Return the most frequent pairs of gold tag and wrong predicted tag, with examples.

    Args:
        sentences: `(tokens, gold, predicted)`; consumed once, one at a time.
        limit: the maximum number of pairs.

    Returns:
        Rows of `gold`, `predicted`, `count` (tokens), `share` (of the gold tag's tokens, between 0 and 1) and
        `examples`: excerpts such as `… to >>May<< after …`, at most three, each from another sentence. The
        most frequent pair is first, and pairs of equal frequency are in alphabetical order.
    """
    gold_totals: Counter[str] = Counter()
    counts: Counter[tuple[str, str]] = Counter()
    examples: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for tokens, gold, predicted in sentences:
        gold_totals.update(gold)
        first_positions: dict[tuple[str, str], int] = {}
        for position, pair in enumerate(zip(gold, predicted, strict=True)):
            if pair[0] != pair[1]:
                counts[pair] += 1
                first_positions.setdefault(pair, position)
        for pair, position in first_positions.items():
            if len(examples[pair]) < _MAX_EXAMPLES:
                examples[pair].append(_excerpt(tokens, position))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        {
            "gold": pair[0],
            "predicted": pair[1],
            "count": count,
            "share": divide(count, gold_totals[pair[0]]),
            "examples": examples[pair],
        }
        for pair, count in ranked[:limit]
    ]


def span_errors(gold: Sequence[Span], predicted: Sequence[Span]) -> list[SpanError]:
    """Return the errors of one sentence's predicted spans.

    Each gold span that was not predicted is one error, named by the first of these that applies:

    - `wrong_type`: a predicted span has its boundaries and another type;
    - `wrong_boundary`: an overlapping predicted span has its type;
    - `wrong_type_and_boundary`: all overlapping predicted spans have other types;
    - `missed`: no predicted span overlaps it.

    `spurious` is a *predicted* span that overlaps no gold span.

    Returns:
        `(kind, gold span, predicted span)`, with None for the span that a missed or spurious one lacks. Of
        several overlapping predicted spans, it is the first to which the kind applies.
    """
    errors: list[SpanError] = []
    for span in gold:
        overlapping = _overlapping(span, predicted)
        if span not in overlapping:
            errors.append(_span_error(span, overlapping))
    return errors + [("spurious", None, span) for span in predicted if not _overlapping(span, gold)]


def span_error_counts(sentences: Iterable[TaggedTriple]) -> dict[str, int]:
    """Count gold spans that were predicted (`correct`), and the kinds of `span_errors`."""
    counts = dict.fromkeys(("correct", *ERROR_KINDS), 0)
    for _, gold_tags, predicted_tags in sentences:
        gold, predicted = extract_spans(gold_tags), extract_spans(predicted_tags)
        counts["correct"] += len(set(gold).intersection(predicted))
        for kind, _, _ in span_errors(gold, predicted):
            counts[kind] += 1
    return counts


def span_surfaces(sentences: Iterable[tuple[Sequence[str], Sequence[str]]]) -> set[tuple[str, ...]]:
    """Return the tokens of every span in sentences of `(tokens, tags)`, whatever its type."""
    return {tuple(tokens[start:end]) for tokens, tags in sentences for _, start, end in extract_spans(tags)}


def span_recall_by_novelty(
    sentences: Iterable[TaggedTriple], train_surfaces: Container[tuple[str, ...]]
) -> dict[str, dict[str, Any]]:
    """Return recall on spans whose tokens were a span in training (`seen`), and on all others (`unseen`).

    The gap between the two shows how much the tagger memorized (Augenstein, Derczynski and Bontcheva 2017,
    "Generalisation in named entity recognition").

    Args:
        sentences: `(tokens, gold, predicted)`; consumed once, one at a time.
        train_surfaces: the training split's `span_surfaces`.

    Returns:
        For `seen` and `unseen`: `gold` and `correct` spans, and `span_recall` (0.0 without gold spans).
    """
    counts = {novelty: {"gold": 0, "correct": 0} for novelty in ("seen", "unseen")}
    for tokens, gold_tags, predicted_tags in sentences:
        predicted = set(extract_spans(predicted_tags))
        for span in extract_spans(gold_tags):
            novelty = "seen" if tuple(tokens[span[1] : span[2]]) in train_surfaces else "unseen"
            counts[novelty]["gold"] += 1
            counts[novelty]["correct"] += span in predicted
    return {
        novelty: {**found, "span_recall": divide(found["correct"], found["gold"])}
        for novelty, found in counts.items()
    }


def _excerpt(tokens: Sequence[str], position: int) -> str:
    start, end = max(0, position - _CONTEXT), position + 1 + _CONTEXT
    words = [*tokens[start:position], f">>{tokens[position]}<<", *tokens[position + 1 : end]]
    return " ".join((["…"] if start else []) + words + (["…"] if end < len(tokens) else []))


def _overlapping(span: Span, others: Iterable[Span]) -> list[Span]:
    _, start, end = span
    return [other for other in others if other[1] < end and start < other[2]]


def _span_error(gold: Span, overlapping: Sequence[Span]) -> SpanError:
    for other in overlapping:
        if other[1:] == gold[1:]:
            return "wrong_type", gold, other
    for other in overlapping:
        if other[0] == gold[0]:
            return "wrong_boundary", gold, other
    return ("wrong_type_and_boundary", gold, overlapping[0]) if overlapping else ("missed", gold, None)
