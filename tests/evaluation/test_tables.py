from __future__ import annotations

import pytest

from seqlab.evaluation.scores import score_sentences
from seqlab.evaluation.tables import confusion_rows, score_rows

SENTENCES = [(("Ann", "in", "Oslo"), ("B-PER", "O", "B-LOC"), ("B-PER", "O", "O"))]


def test_span_scores_by_type():
    rows = [
        (row["group"], row["measure"], row["value"], row["gold"])
        for row in score_rows(score_sentences(SENTENCES, spans=True))
    ]
    assert rows == [
        ("(all)", "span_precision", 1.0, 2),
        ("(all)", "span_recall", 0.5, 2),
        ("(all)", "span_f1", pytest.approx(2 / 3), 2),
        ("LOC", "span_precision", 0.0, 1),
        ("LOC", "span_recall", 0.0, 1),
        ("LOC", "span_f1", 0.0, 1),
        ("PER", "span_precision", 1.0, 1),
        ("PER", "span_recall", 1.0, 1),
        ("PER", "span_f1", 1.0, 1),
    ]


def test_scores_by_tag():
    rows = [
        (row["group"], row["measure"], row["value"], row["gold"])
        for row in score_rows(score_sentences(SENTENCES, spans=False))
    ]
    assert rows == [
        ("B-LOC", "token_accuracy", 0.0, 1),
        ("B-LOC", "f1", 0.0, 1),
        ("B-PER", "token_accuracy", 1.0, 1),
        ("B-PER", "f1", 1.0, 1),
        ("O", "token_accuracy", 1.0, 1),
        ("O", "f1", pytest.approx(2 / 3), 1),
    ]


def test_confusion_rows_are_a_square_matrix():
    sentences = [(("w",) * 4, "AAAA", "AABA"), (("w",) * 2, "CC", "AA")]
    assert confusion_rows(sentences) == [
        {"actual": "A", "predicted": "A", "count": 3, "share": 0.75},
        {"actual": "A", "predicted": "B", "count": 1, "share": 0.25},
        {"actual": "A", "predicted": "C", "count": 0, "share": 0.0},
        {"actual": "B", "predicted": "A", "count": 0, "share": 0.0},
        {"actual": "B", "predicted": "B", "count": 0, "share": 0.0},
        {"actual": "B", "predicted": "C", "count": 0, "share": 0.0},
        {"actual": "C", "predicted": "A", "count": 2, "share": 1.0},
        {"actual": "C", "predicted": "B", "count": 0, "share": 0.0},
        {"actual": "C", "predicted": "C", "count": 0, "share": 0.0},
    ]


def test_confusion_rows_need_columns_of_equal_length():
    with pytest.raises(ValueError, match="shorter"):
        confusion_rows([(("a", "b"), ("X", "X"), ("X",))])
