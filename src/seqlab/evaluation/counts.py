"""Counts of gold, predicted and correct tags or spans, and the scores computed from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from seqlab.tags import Span, tags_to_spans

TaggedTriple = tuple[Sequence[str], Sequence[str], Sequence[str]]
"""One sentence's `(tokens, gold tags, predicted tags)`, all of the same length."""


class MatchCounts:
    """Gold, predicted and correct items (tokens or spans), counted by class (tag or entity type).

    Counts are summed over all sentences and divided once, so scores do not depend on how sentences are
    batched. Every score is between 0 and 1, and is 0 if its denominator is 0, as in conlleval.
    """

    def __init__(self) -> None:
        self.gold: Counter[str] = Counter()
        self.predicted: Counter[str] = Counter()
        self.correct: Counter[str] = Counter()

    def update(self, gold: Iterable[str], predicted: Iterable[str], correct: Iterable[str]) -> None:
        """Add the classes of one sentence's gold, predicted and correct items."""
        self.gold.update(gold)
        self.predicted.update(predicted)
        self.correct.update(correct)

    def micro_scores(self, prefix: str = "") -> dict[str, float]:
        """Return `{prefix}precision`, `{prefix}recall` and `{prefix}f1` over all classes."""
        return _scores(self.gold.total(), self.predicted.total(), self.correct.total(), prefix)

    def scores_by_class(self, prefix: str = "") -> dict[str, dict[str, float]]:
        """Return each class's `gold`, `predicted` and `correct` counts and its scores, in sorted order."""
        return {
            name: {"gold": self.gold[name], "predicted": self.predicted[name], "correct": self.correct[name]}
            | _scores(self.gold[name], self.predicted[name], self.correct[name], prefix)
            for name in sorted(self.gold.keys() | self.predicted.keys())
        }


def extract_spans(tags: Sequence[str]) -> list[Span]:
    """Return the spans in one sentence's tags of any scheme, valid or not, as conlleval reads them.

    See `tags_to_spans(..., lenient=True)` for the rules. For IOB1 and IOB2 the spans are those of the
    CoNLL-2000 script (Tjong Kim Sang and Buchholz 2000), for BIOES those of its later ports: the original
    script has no rule for `S-`, nor for `B-` after `E-`, and joins adjacent entities of one type.
    """
    return tags_to_spans(tags, scheme="BIOES", lenient=True)


def divide(numerator: int, denominator: int) -> float:
    """Return `numerator / denominator`, or 0.0 if the denominator is 0."""
    return numerator / denominator if denominator else 0.0


def _scores(gold: int, predicted: int, correct: int, prefix: str) -> dict[str, float]:
    return {
        f"{prefix}precision": divide(correct, predicted),
        f"{prefix}recall": divide(correct, gold),
        f"{prefix}f1": divide(2 * correct, gold + predicted),
    }
