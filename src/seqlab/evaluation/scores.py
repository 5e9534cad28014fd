"""The scores of a set of tagged sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from typing import Any

from seqlab.errors import SeqlabError
from seqlab.evaluation.match_counts import MatchCounts, divide
from seqlab.evaluation.predictions import TaggedTriple
from seqlab.evaluation.spans import SpanCounts


def score_sentences(
    sentences: Iterable[TaggedTriple], *, spans: bool, train_tokens: Container[str] | None = None
) -> dict[str, Any]:
    """Scores predicted tags against gold tags.

    Counts are summed over all sentences and divided once, so no sentence or batch weighs more than its tokens
    do. Scores are shares from 0 to 1, and 0.0 where there is nothing to divide by, as conlleval has it.

    Args:
        sentences: `(tokens, gold, predicted)` of equal length each; consumed once, one at a time.
        spans: whether the tags are of spans (`B-PER`), which adds the span scores.
        train_tokens: the surface forms seen in training; adds the scores on tokens that are not among them.

    Returns:
        Plain numbers, ready for JSON:

        - `tokens`, `sentences`: how many were scored;
        - `token_accuracy`: tokens whose tag is right / tokens;
        - `sentence_accuracy`: sentences all of whose tags are right / sentences;
        - `per_tag`: by tag, `gold`, `predicted`, `correct` tokens, `precision`, `recall`, `f1`;
        - with `train_tokens`: `unseen_tokens`, a count, and `unseen_token_accuracy`;
        - with `spans`: `span_precision`, `span_recall`, `span_f1` over all types, and `per_type`: by entity
          type, `gold`, `predicted`, `correct` spans, `span_precision`, `span_recall`, `span_f1`.

    Raises:
        SeqlabError: there are no sentences.
        ValueError: a sentence's tokens and tags differ in number.
    """
    sentence_count = right_sentences = unseen_tokens = unseen_right = 0
    gold_tags: Counter[str] = Counter()
    predicted_tags: Counter[str] = Counter()
    right_tags: Counter[str] = Counter()
    span_counts = SpanCounts()
    for tokens, gold, predicted in sentences:
        if not len(tokens) == len(gold) == len(predicted):
            raise ValueError(f"{len(tokens)} tokens, {len(gold)} gold tags, {len(predicted)} predicted tags")
        right = [gold_tag == predicted_tag for gold_tag, predicted_tag in zip(gold, predicted, strict=True)]
        sentence_count += 1
        right_sentences += all(right)
        gold_tags.update(gold)
        predicted_tags.update(predicted)
        right_tags.update(tag for tag, is_right in zip(gold, right, strict=True) if is_right)
        if train_tokens is not None:
            unseen = [
                is_right for token, is_right in zip(tokens, right, strict=True) if token not in train_tokens
            ]
            unseen_tokens += len(unseen)
            unseen_right += sum(unseen)
        if spans:
            span_counts.update(gold, predicted)
    if not sentence_count:
        raise SeqlabError(
            "no sentences to score",
            expected="at least one sentence",
            remedy="check that the split is not empty",
        )

    scores: dict[str, Any] = {
        "tokens": gold_tags.total(),
        "sentences": sentence_count,
        "token_accuracy": divide(right_tags.total(), gold_tags.total()),
        "sentence_accuracy": divide(right_sentences, sentence_count),
    }
    if train_tokens is not None:
        scores["unseen_tokens"] = unseen_tokens
        scores["unseen_token_accuracy"] = divide(unseen_right, unseen_tokens)
    if spans:
        scores |= _span_scores(span_counts.total)
        scores["per_type"] = {
            entity_type: _counts(counts) | _span_scores(counts)
            for entity_type, counts in span_counts.per_type.items()
        }
    scores["per_tag"] = {
        tag: _tag_scores(
            MatchCounts(gold=gold_tags[tag], predicted=predicted_tags[tag], correct=right_tags[tag])
        )
        for tag in sorted(gold_tags.keys() | predicted_tags.keys())
    }
    return scores


def _counts(counts: MatchCounts) -> dict[str, float]:
    return {"gold": counts.gold, "predicted": counts.predicted, "correct": counts.correct}


def _span_scores(counts: MatchCounts) -> dict[str, float]:
    return {"span_precision": counts.precision, "span_recall": counts.recall, "span_f1": counts.f1}


def _tag_scores(counts: MatchCounts) -> dict[str, float]:
    return _counts(counts) | {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}
