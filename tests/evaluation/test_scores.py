from __future__ import annotations

import json

import pytest

from seqlab.errors import SeqlabError
from seqlab.evaluation.scores import score_sentences

SENTENCES = [
    (("Ann", "Lee", "saw", "Oslo"), ("B-PER", "I-PER", "O", "B-LOC"), ("B-PER", "I-PER", "O", "B-ORG")),
    (("Rain", "again"), ("O", "O"), ("O", "O")),
    (("Lee", "left"), ("B-PER", "O"), ("O", "O")),
]


def test_fixed_names_with_their_values():
    scores = score_sentences(SENTENCES, spans=True, train_tokens={"Ann", "saw", "Rain", "left"})
    assert scores == {
        "tokens": 8,
        "sentences": 3,
        "token_accuracy": 6 / 8,
        "sentence_accuracy": 1 / 3,
        "unseen_tokens": 4,  # Lee, Oslo, again, Lee
        "unseen_token_accuracy": 2 / 4,
        "span_precision": 1 / 2,
        "span_recall": 1 / 3,
        "span_f1": 2 / 5,
        "per_type": {
            "LOC": {
                "gold": 1, "predicted": 0, "correct": 0,
                "span_precision": 0.0, "span_recall": 0.0, "span_f1": 0.0,
            },
            "ORG": {
                "gold": 0, "predicted": 1, "correct": 0,
                "span_precision": 0.0, "span_recall": 0.0, "span_f1": 0.0,
            },
            "PER": {
                "gold": 2, "predicted": 1, "correct": 1,
                "span_precision": 1.0, "span_recall": 0.5, "span_f1": 2 / 3,
            },
        },
        "per_tag": {
            "B-LOC": {"gold": 1, "predicted": 0, "correct": 0, "precision": 0.0, "recall": 0.0, "f1": 0.0},
            "B-ORG": {"gold": 0, "predicted": 1, "correct": 0, "precision": 0.0, "recall": 0.0, "f1": 0.0},
            "B-PER": {"gold": 2, "predicted": 1, "correct": 1, "precision": 1.0, "recall": 0.5, "f1": 2 / 3},
            "I-PER": {"gold": 1, "predicted": 1, "correct": 1, "precision": 1.0, "recall": 1.0, "f1": 1.0},
            "O": {"gold": 4, "predicted": 5, "correct": 4, "precision": 0.8, "recall": 1.0, "f1": 8 / 9},
        },
    }  # fmt: skip


def test_tags_that_spell_no_spans_have_no_span_scores():
    scores = score_sentences(SENTENCES, spans=False)
    assert set(scores) == {"tokens", "sentences", "token_accuracy", "sentence_accuracy", "per_tag"}


def test_scores_are_plain_json():
    scores = score_sentences(SENTENCES, spans=True, train_tokens=frozenset())
    assert json.loads(json.dumps(scores)) == scores


def test_everything_is_unseen_when_nothing_was_trained_on():
    scores = score_sentences(SENTENCES, spans=False, train_tokens=frozenset())
    assert (scores["unseen_tokens"], scores["unseen_token_accuracy"]) == (8, 6 / 8)


def test_no_unseen_tokens_gives_zero_accuracy_on_them():
    tokens = {token for sentence in SENTENCES for token in sentence[0]}
    scores = score_sentences(SENTENCES, spans=False, train_tokens=tokens)
    assert (scores["unseen_tokens"], scores["unseen_token_accuracy"]) == (0, 0.0)


def test_a_sentence_weighs_what_its_tokens_weigh():
    long_and_right = (("a",) * 9, ("X",) * 9, ("X",) * 9)
    short_and_wrong = (("a",), ("X",), ("Y",))
    scores = score_sentences([long_and_right, short_and_wrong], spans=False)
    assert scores["token_accuracy"] == 0.9
    assert scores["sentence_accuracy"] == 0.5


def test_sentences_are_consumed_as_a_stream():
    assert score_sentences(iter(SENTENCES), spans=True) == score_sentences(SENTENCES, spans=True)


def test_nothing_to_score_is_an_error():
    with pytest.raises(SeqlabError, match=r"no sentences to score\n  expected: at least one sentence"):
        score_sentences([], spans=True)


def test_columns_must_agree():
    with pytest.raises(ValueError, match="2 tokens, 2 gold tags, 1 predicted tags"):
        score_sentences([(("a", "b"), ("O", "O"), ("O",))], spans=False)
