"""Token and span scores of tagged sentences."""

from __future__ import annotations

from collections.abc import Container, Iterable
from itertools import compress
from typing import Any

from seqlab.errors import SeqlabError
from seqlab.evaluation.counts import MatchCounts, TaggedTriple, divide, extract_spans


def score_sentences(
    sentences: Iterable[TaggedTriple], *, spans: bool, train_tokens: Container[str] | None = None
) -> dict[str, Any]:
    """Score predicted tags against gold tags.

    Args:
        sentences: `(tokens, gold, predicted)`; consumed once, one at a time.
        spans: whether the tags encode spans (`B-PER`); adds the span scores.
        train_tokens: the tokens seen in training; adds the scores on all other tokens.

    Returns:
        Plain numbers, ready for JSON. Scores are between 0 and 1, and 0.0 if their denominator is 0:

        - `tokens`, `sentences`: how many were scored;
        - `token_accuracy`: correctly tagged tokens / tokens;
        - `sentence_accuracy`: sentences without a wrong tag / sentences;
        - `per_tag`: for each tag its `gold`, `predicted` and `correct` tokens, `precision`, `recall`, `f1`;
        - with `train_tokens`: `unseen_tokens` (a count) and `unseen_token_accuracy`;
        - with `spans`: `span_precision`, `span_recall`, `span_f1` over all entity types, and `per_type`: for
          each type its `gold`, `predicted` and `correct` spans, `span_precision`, `span_recall`, `span_f1`.

    Raises:
        SeqlabError: there are no sentences.
        ValueError: a sentence's tokens, gold tags and predicted tags differ in length.
    """
    num_sentences = correct_sentences = unseen_tokens = unseen_correct = 0
    tag_counts, span_counts = MatchCounts(), MatchCounts()
    for tokens, gold, predicted in sentences:
        if not len(tokens) == len(gold) == len(predicted):
            raise ValueError(f"{len(tokens)} tokens, {len(gold)} gold tags, {len(predicted)} predicted tags")
        is_correct = [
            gold_tag == predicted_tag for gold_tag, predicted_tag in zip(gold, predicted, strict=True)
        ]
        num_sentences += 1
        correct_sentences += all(is_correct)
        tag_counts.update(gold, predicted, compress(gold, is_correct))
        if train_tokens is not None:
            unseen = [token not in train_tokens for token in tokens]
            unseen_tokens += sum(unseen)
            unseen_correct += sum(compress(is_correct, unseen))
        if spans:
            gold_spans, predicted_spans = extract_spans(gold), extract_spans(predicted)
            correct_spans = set(gold_spans).intersection(predicted_spans)
            span_counts.update(
                *([kind for kind, _, _ in found] for found in (gold_spans, predicted_spans, correct_spans))
            )
    if not num_sentences:
        raise SeqlabError(
            "no sentences to score",
            expected="at least one sentence",
            remedy="check that the split is not empty",
        )

    correct_tokens, num_tokens = tag_counts.correct.total(), tag_counts.gold.total()
    scores: dict[str, Any] = {
        "tokens": num_tokens,
        "sentences": num_sentences,
        "token_accuracy": divide(correct_tokens, num_tokens),
        "sentence_accuracy": divide(correct_sentences, num_sentences),
    }
    if train_tokens is not None:
        scores["unseen_tokens"] = unseen_tokens
        scores["unseen_token_accuracy"] = divide(unseen_correct, unseen_tokens)
    if spans:
        scores |= span_counts.micro_scores("span_")
        scores["per_type"] = span_counts.scores_by_class("span_")
    scores["per_tag"] = tag_counts.scores_by_class()
    return scores


def score_names(*, spans: bool) -> list[str]:
    """Return the names of the dev scores in the history."""
    return ["token_accuracy", *(["span_precision", "span_recall", "span_f1"] if spans else [])]
