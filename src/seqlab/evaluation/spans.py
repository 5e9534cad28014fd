"""Spans in tag sequences, and their counts, as conlleval has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from seqlab.evaluation.match_counts import MatchCounts
from seqlab.tags import Span, tags_to_spans

__all__ = ["Span", "SpanCounts", "extract_spans"]


def extract_spans(tags: Sequence[str]) -> list[Span]:
    """Reads the spans out of one sentence's tags, well formed or not, as conlleval does.

    This is the lenient reading of `tags_to_spans`, the same for every tag scheme: a span starts at a B or S,
    at any tag whose entity type is not the previous one's, and at any tag after an O, E or S; it ends before
    an O, B or S, before another entity type, and after an E or S. So `I-PER` after `O` or after `B-LOC`
    starts a span, and an E that nothing opened is a span of one token. L and U (BILOU) read as E and S. A tag
    that names no entity type, as `<unk>`, is outside.

    For IOB1 and IOB2, valid or not, these are the spans of the CoNLL-2000 script (Tjong Kim Sang and Buchholz
    2000). In BIOES they are those of its later ports: the script itself has no rule for S, nor for a B after
    an E of the same type, and so joins adjacent entities of one type. `spell_as_iob2` makes the two agree.

    Args:
        tags: one sentence's tags.

    Returns:
        `(entity_type, start, end)`, end exclusive, from left to right; no two overlap.
    """
    return tags_to_spans(tags, scheme="BIOES", lenient=True)


class SpanCounts:
    """Gold, predicted and correct spans by entity type, summed sentence by sentence.

    A predicted span is correct when its type, start and end are all a gold span's. Counts are summed over
    sentences and divided once, so the scores do not depend on how the sentences were grouped.
    """

    def __init__(self) -> None:
        self._gold: Counter[str] = Counter()
        self._predicted: Counter[str] = Counter()
        self._correct: Counter[str] = Counter()

    def update(self, gold_tags: Sequence[str], predicted_tags: Sequence[str]) -> None:
        """Adds one sentence.

        Raises:
            ValueError: the two differ in length.
        """
        if len(gold_tags) != len(predicted_tags):
            raise ValueError(f"{len(gold_tags)} gold tags but {len(predicted_tags)} predicted tags")
        gold, predicted = extract_spans(gold_tags), extract_spans(predicted_tags)
        self._gold.update(entity_type for entity_type, _, _ in gold)
        self._predicted.update(entity_type for entity_type, _, _ in predicted)
        self._correct.update(entity_type for entity_type, _, _ in set(gold).intersection(predicted))

    def merge(self, other: SpanCounts) -> None:
        """Adds the counts of other sentences, counted elsewhere."""
        self._gold.update(other._gold)
        self._predicted.update(other._predicted)
        self._correct.update(other._correct)

    @property
    def total(self) -> MatchCounts:
        """The counts over all types, from which the micro scores are made."""
        return MatchCounts(
            gold=self._gold.total(), predicted=self._predicted.total(), correct=self._correct.total()
        )

    @property
    def per_type(self) -> dict[str, MatchCounts]:
        """The counts of each type that is in gold or predicted, in alphabetical order."""
        return {
            entity_type: MatchCounts(
                gold=self._gold[entity_type],
                predicted=self._predicted[entity_type],
                correct=self._correct[entity_type],
            )
            for entity_type in sorted(self._gold.keys() | self._predicted.keys())
        }

    @property
    def precision(self) -> float:
        """Micro precision, 0..1."""
        return self.total.precision

    @property
    def recall(self) -> float:
        """Micro recall, 0..1."""
        return self.total.recall

    @property
    def f1(self) -> float:
        """Micro F1, 0..1."""
        return self.total.f1
