"""What is wrong with the spans that are wrong, and which spans are found again."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

from seqlab.evaluation.match_counts import divide
from seqlab.evaluation.predictions import TaggedTriple
from seqlab.evaluation.spans import Span, extract_spans

Surface = tuple[str, ...]
"""The tokens of a span."""


def span_error_counts(sentences: Iterable[TaggedTriple]) -> dict[str, int]:
    """Sorts gold spans by what became of them, and counts the predicted ones that nothing explains.

    Each gold span is in exactly one of the first five counts, the first that fits, so these add up to the
    gold spans:

    - `correct`: predicted with its type and boundaries;
    - `wrong_type`: a predicted span has its boundaries and another type;
    - `wrong_boundary`: a predicted span overlaps it and has its type;
    - `wrong_type_and_boundary`: a predicted span overlaps it and has another type;
    - `missed`: no predicted span overlaps it;
    - `spurious`: *predicted* spans that overlap no gold span.

    Args:
        sentences: `(tokens, gold, predicted)`; consumed once, one at a time.

    Returns:
        The six counts by name.
    """
    counts = dict.fromkeys(
        ("correct", "wrong_type", "wrong_boundary", "wrong_type_and_boundary", "missed", "spurious"), 0
    )
    for _, gold_tags, predicted_tags in sentences:
        gold, predicted = extract_spans(gold_tags), extract_spans(predicted_tags)
        for span in gold:
            counts[_fate(span, _overlapping(span, predicted))] += 1
        counts["spurious"] += sum(not _overlapping(span, gold) for span in predicted)
    return counts


def span_surfaces(sentences: Iterable[tuple[Sequence[str], Sequence[str]]]) -> set[Surface]:
    """Collects the surfaces of all spans in tagged sentences, of whatever type.

    Args:
        sentences: `(tokens, tags)`, as of the training split.
    """
    return {tuple(tokens[start:end]) for tokens, tags in sentences for _, start, end in extract_spans(tags)}


def span_recall_by_novelty(
    sentences: Iterable[TaggedTriple], train_surfaces: Container[Surface]
) -> dict[str, dict[str, Any]]:
    """Recall of the spans whose surface was a span in training, and of those whose was not.

    The gap between the two tells how much was learnt by heart (Augenstein, Derczynski and Bontcheva 2017,
    "Generalisation in named entity recognition").

    Args:
        sentences: `(tokens, gold, predicted)`; consumed once, one at a time.
        train_surfaces: as `span_surfaces` collects them from the training split.

    Returns:
        For `seen` and `unseen`: `gold` and `correct` spans, and `span_recall` (0..1, 0.0 without gold spans).
    """
    gold_counts = {"seen": 0, "unseen": 0}
    correct_counts = {"seen": 0, "unseen": 0}
    for tokens, gold_tags, predicted_tags in sentences:
        predicted = set(extract_spans(predicted_tags))
        for span in extract_spans(gold_tags):
            novelty = "seen" if tuple(tokens[span[1] : span[2]]) in train_surfaces else "unseen"
            gold_counts[novelty] += 1
            correct_counts[novelty] += span in predicted
    return {
        novelty: {
            "gold": gold_counts[novelty],
            "correct": correct_counts[novelty],
            "span_recall": divide(correct_counts[novelty], gold_counts[novelty]),
        }
        for novelty in ("seen", "unseen")
    }


def _overlapping(span: Span, others: Iterable[Span]) -> list[Span]:
    _, start, end = span
    return [other for other in others if other[1] < end and start < other[2]]


def _fate(gold: Span, overlapping: Sequence[Span]) -> str:
    if gold in overlapping:
        return "correct"
    if any(other[1:] == gold[1:] for other in overlapping):
        return "wrong_type"
    if any(other[0] == gold[0] for other in overlapping):
        return "wrong_boundary"
    return "wrong_type_and_boundary" if overlapping else "missed"
