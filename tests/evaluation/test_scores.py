from __future__ import annotations

import json

import pytest
from conlleval import Tally, conlleval
from hypothesis import given
from hypothesis import strategies as st

from seqlab.errors import SeqlabError
from seqlab.evaluation.predictions import spell_as_iob2
from seqlab.evaluation.scores import score_sentences

SENTENCES = [
    (("Ann", "Lee", "saw", "Oslo"), ("B-PER", "I-PER", "O", "B-LOC"), ("B-PER", "I-PER", "O", "B-ORG")),
    (("Rain", "again"), ("O", "O"), ("O", "O")),
    (("Lee", "left"), ("B-PER", "O"), ("O", "O")),
]


def test_names_and_values():
    scores = score_sentences(iter(SENTENCES), spans=True, train_tokens={"Ann", "saw", "Rain", "left"})
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


def test_no_span_scores_without_spans():
    scores = score_sentences(SENTENCES, spans=False)
    assert set(scores) == {"tokens", "sentences", "token_accuracy", "sentence_accuracy", "per_tag"}


def test_scores_are_plain_json():
    scores = score_sentences(SENTENCES, spans=True, train_tokens=frozenset())
    assert json.loads(json.dumps(scores)) == scores


def test_all_tokens_are_unseen_without_train_tokens():
    scores = score_sentences(SENTENCES, spans=False, train_tokens=frozenset())
    assert (scores["unseen_tokens"], scores["unseen_token_accuracy"]) == (8, 6 / 8)


def test_accuracy_on_unseen_tokens_is_zero_without_unseen_tokens():
    tokens = {token for sentence in SENTENCES for token in sentence[0]}
    scores = score_sentences(SENTENCES, spans=False, train_tokens=tokens)
    assert (scores["unseen_tokens"], scores["unseen_token_accuracy"]) == (0, 0.0)


def test_accuracy_is_averaged_over_tokens_not_sentences():
    long_correct = (("a",) * 9, ("X",) * 9, ("X",) * 9)
    short_wrong = (("a",), ("X",), ("Y",))
    scores = score_sentences([long_correct, short_wrong], spans=False)
    assert scores["token_accuracy"] == 0.9
    assert scores["sentence_accuracy"] == 0.5


def test_no_sentences_is_an_error():
    with pytest.raises(SeqlabError, match=r"no sentences to score\n  expected: at least one sentence"):
        score_sentences([], spans=True)


def test_columns_of_different_length_are_an_error():
    with pytest.raises(ValueError, match="2 tokens, 2 gold tags, 1 predicted tags"):
        score_sentences([(("a", "b"), ("O", "O"), ("O",))], spans=False)


def _sentences(prefixes: str) -> st.SearchStrategy[list[list[tuple[str, str]]]]:
    """Sentences of `(gold, predicted)` pairs of which about half agree."""
    tags = st.sampled_from(
        ["O", *(f"{prefix}-{entity_type}" for prefix in prefixes for entity_type in ("X", "Y", "a-b"))]
    )
    same = tags.map(lambda tag: (tag, tag))
    return st.lists(st.lists(same | st.tuples(tags, tags), min_size=1, max_size=10), min_size=1, max_size=5)


def _triples(
    sentences: list[list[tuple[str, str]]],
) -> list[tuple[list[str], tuple[str, ...], tuple[str, ...]]]:
    return [(["w"] * len(rows), *zip(*rows, strict=True)) for rows in sentences]


def _text(sentences: list[list[tuple[str, str]]]) -> str:
    return "\n\n".join("\n".join(f"w {gold} {predicted}" for gold, predicted in rows) for rows in sentences)


def _assert_equal_scores(sentences: list[list[tuple[str, str]]], tally: Tally) -> None:
    scores = score_sentences(_triples(sentences), spans=True)
    counts = {
        kind: (row["gold"], row["predicted"], row["correct"]) for kind, row in scores["per_type"].items()
    }
    types = {kind for kind in tally.gold | tally.predicted if tally.gold[kind] or tally.predicted[kind]}
    assert counts == {kind: (tally.gold[kind], tally.predicted[kind], tally.correct[kind]) for kind in types}
    for kind, row in [(None, scores), *scores["per_type"].items()]:
        percentages = [100 * row[name] for name in ("span_precision", "span_recall", "span_f1")]
        assert percentages == pytest.approx(tally.percentages(kind), abs=1e-9)


@given(sentences=_sentences("BIES"))
def test_span_scores_equal_conlleval_with_bioes_rules(sentences):
    _assert_equal_scores(sentences, conlleval(_text(sentences), bioes=True))


@given(sentences=_sentences("BI") | _sentences("I") | _sentences("IE"))
def test_span_scores_equal_original_conlleval_on_iob(sentences):
    _assert_equal_scores(sentences, conlleval(_text(sentences), bioes=False))


@given(sentences=_sentences("BIES"))
def test_span_scores_equal_original_conlleval_on_tags_converted_to_iob2(sentences):
    converted = [list(zip(*triple[1:], strict=True)) for triple in spell_as_iob2(_triples(sentences))]
    _assert_equal_scores(sentences, conlleval(_text(converted), bioes=False))


def test_original_conlleval_joins_adjacent_bioes_entities():
    rows = [(tag, tag) for tag in ("S-X", "S-X", "B-X", "E-X", "B-X", "E-X")]
    assert conlleval(_text([rows]), bioes=False).gold["X"] == 1
    assert score_sentences(_triples([rows]), spans=True)["per_type"]["X"]["gold"] == 4


def test_spans_do_not_cross_sentences():
    sentences = _triples([[("B-X", "B-X")], [("I-X", "O")]])
    counts = score_sentences(sentences, spans=True)["per_type"]["X"]
    assert (counts["gold"], counts["predicted"], counts["correct"]) == (2, 1, 1)
