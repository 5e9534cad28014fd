from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.evaluation.error_analysis import (
    most_confused,
    span_error_counts,
    span_recall_by_novelty,
    span_surfaces,
)
from seqlab.evaluation.scores import score_sentences

TEXT = """
    I/PRON/PRON run/VERB/NOUN fast/ADV/ADV today/NOUN/NOUN ./PUNCT/PUNCT
    They/PRON/PRON run/VERB/NOUN
    a/DET/DET run/NOUN/VERB
    go/VERB/VERB run/VERB/NOUN ,/PUNCT/PUNCT run/VERB/NOUN
"""
SENTENCES = [
    tuple(zip(*(column.split("/") for column in line.split()), strict=True))
    for line in TEXT.strip().splitlines()
]


def test_most_confused_pairs_with_one_excerpt_per_sentence():
    first, second = most_confused(SENTENCES, 5)
    assert first == {
        "gold": "VERB",
        "predicted": "NOUN",
        "count": 4,
        "share": 0.8,
        "examples": ["I >>run<< fast today .", "They >>run<<", "go >>run<< , run"],
    }
    assert second == {
        "gold": "NOUN",
        "predicted": "VERB",
        "count": 1,
        "share": 0.5,
        "examples": ["a >>run<<"],
    }


def test_limit():
    assert len(most_confused(SENTENCES, 1)) == 1


def test_equal_counts_are_in_alphabetical_order():
    rows = most_confused([(("a", "b"), ("Y", "X"), ("X", "Y"))], 5)
    assert [(row["gold"], row["predicted"]) for row in rows] == [("X", "Y"), ("Y", "X")]


def test_excerpts_are_truncated_on_both_sides():
    tags, predicted = ["X"] * 13, ["X"] * 6 + ["Y"] + ["X"] * 6
    (row,) = most_confused([(list("abcdefghijklm"), tags, predicted)], 1)
    assert row["examples"] == ["… b c d e f >>g<< h i j k l …"]


def test_at_most_three_examples_per_pair():
    (row,) = most_confused([((str(i),), ("X",), ("Y",)) for i in range(5)], 1)
    assert row["examples"] == [">>0<<", ">>1<<", ">>2<<"]


def test_no_errors_no_rows():
    assert most_confused([(("a",), ("X",), ("X",))], 5) == []


NONE = {
    "correct": 0,
    "wrong_type": 0,
    "wrong_boundary": 0,
    "wrong_type_and_boundary": 0,
    "missed": 0,
    "spurious": 0,
}


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ("O B-X I-X O", "O B-X I-X O", {"correct": 1}),
        ("O B-X I-X O", "O B-Y I-Y O", {"wrong_type": 1}),
        ("O B-X I-X O", "O B-X O O", {"wrong_boundary": 1}),
        ("O B-X I-X O", "B-X I-X I-X I-X", {"wrong_boundary": 1}),
        ("O B-X I-X O", "O B-Y O O", {"wrong_type_and_boundary": 1}),
        ("O B-X I-X O", "O O O O", {"missed": 1}),
        ("O O O O", "O B-X I-X O", {"spurious": 1}),
        ("O B-X I-X O", "B-X O O B-X", {"missed": 1, "spurious": 2}),
        # a prediction may overlap two gold spans, and two predictions one gold span
        ("B-X I-X I-X O", "B-X B-Y I-Y O", {"wrong_boundary": 1}),
        ("B-X B-Y O O", "B-X I-X O O", {"wrong_boundary": 1, "wrong_type_and_boundary": 1}),
    ],
)
def test_categories(gold, predicted, expected):
    tags = gold.split()
    assert span_error_counts([(["w"] * len(tags), tags, predicted.split())]) == NONE | expected


TAGS = st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"])


@given(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=12))
def test_every_gold_span_is_in_one_category(rows):
    gold, predicted = zip(*rows, strict=True)
    counts = span_error_counts([(["w"] * len(rows), gold, predicted)])
    scores = score_sentences([(["w"] * len(rows), gold, predicted)], spans=True)["per_type"].values()
    spurious = counts.pop("spurious")
    assert sum(counts.values()) == sum(row["gold"] for row in scores)
    assert counts["correct"] == sum(row["correct"] for row in scores)
    assert spurious <= sum(row["predicted"] - row["correct"] for row in scores)


def test_surfaces():
    sentences = [(("Ann", "Lee", "in", "Oslo"), ("B-PER", "I-PER", "O", "B-LOC")), (("Oslo",), ("B-ORG",))]
    assert span_surfaces(sentences) == {("Ann", "Lee"), ("Oslo",)}


def test_recall_of_seen_and_unseen_surfaces():
    sentences = [
        (("Ann", "in", "Oslo"), ("B-PER", "O", "B-LOC"), ("B-PER", "O", "O")),
        (("Oslo", "to", "Bo"), ("B-LOC", "O", "B-PER"), ("B-LOC", "O", "O")),
    ]
    assert span_recall_by_novelty(sentences, {("Oslo",), ("Ann", "Lee")}) == {
        "seen": {"gold": 2, "correct": 1, "span_recall": 0.5},
        "unseen": {"gold": 2, "correct": 1, "span_recall": 0.5},
    }
    assert span_recall_by_novelty(sentences, {("Bo",)}) == {
        "seen": {"gold": 1, "correct": 0, "span_recall": 0.0},
        "unseen": {"gold": 3, "correct": 2, "span_recall": pytest.approx(2 / 3)},
    }


def test_recall_without_spans_is_zero():
    zero = {"gold": 0, "correct": 0, "span_recall": 0.0}
    assert span_recall_by_novelty([(("a",), ("O",), ("B-X",))], set()) == {"seen": zero, "unseen": zero}
