from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.evaluation.span_errors import span_error_counts, span_recall_by_novelty, span_surfaces
from seqlab.evaluation.spans import SpanCounts

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
        # one gold span is counted once, by the prediction nearest to it, and its neighbour by its own
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
    total = SpanCounts()
    total.update(gold, predicted)
    spurious = counts.pop("spurious")
    assert sum(counts.values()) == total.total.gold
    assert counts["correct"] == total.total.correct
    assert spurious <= total.total.predicted - total.total.correct


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
