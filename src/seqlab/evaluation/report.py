"""All scores of a tagged corpus: what the evaluate stage, `seqlab evaluate` and `seqlab.score` return."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from seqlab.evaluation.bootstrap import (
    bootstrap_interval,
    sentence_span_counts,
    sentence_token_counts,
    span_f1,
    token_accuracy,
)
from seqlab.evaluation.counts import TaggedTriple
from seqlab.evaluation.error_analysis import most_confused, span_error_counts, span_recall_by_novelty
from seqlab.evaluation.scores import score_sentences


def report_scores(
    tagged: Sequence[TaggedTriple],
    *,
    spans: bool,
    seed: int,
    train_tokens: Container[str] | None = None,
    train_spans: Container[tuple[str, ...]] | None = None,
) -> dict[str, Any]:
    """Return the scores of `score_sentences`, with 95 % intervals and the most frequent errors.

    Args:
        tagged: `(tokens, gold, predicted)`, with spans in IOB2: token accuracy differs in another scheme.
        spans: whether the tags encode spans.
        seed: seed of the bootstrap.
        train_tokens: the tokens seen in training; adds the scores on all other tokens.
        train_spans: the tokens of the spans seen in training; adds `span_recall_by_novelty`.

    Raises:
        SeqlabError: there are no sentences.
    """
    scores = score_sentences(tagged, spans=spans, train_tokens=train_tokens)
    found = bootstrap_interval(sentence_token_counts(tagged), token_accuracy, seed=seed)
    scores["token_accuracy_interval"] = list(found)
    if spans:
        found = bootstrap_interval(sentence_span_counts(tagged), span_f1, seed=seed)
        scores["span_f1_interval"] = list(found)
        scores["span_errors"] = span_error_counts(tagged)
        if train_spans is not None:
            scores["span_recall_by_novelty"] = span_recall_by_novelty(tagged, train_spans)
    scores["most_confused"] = most_confused(tagged, 10)
    return scores
