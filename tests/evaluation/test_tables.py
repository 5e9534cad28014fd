from __future__ import annotations

import csv

import pytest

from seqlab.evaluation.scores import score_sentences
from seqlab.evaluation.tables import ALL_TYPES, span_score_rows, tag_score_rows, write_csv

SCORES = score_sentences([(("Ann", "in", "Oslo"), ("B-PER", "O", "B-LOC"), ("B-PER", "O", "O"))], spans=True)


def test_span_scores_by_type():
    rows = [(row["group"], row["measure"], row["value"], row["gold"]) for row in span_score_rows(SCORES)]
    assert rows == [
        (ALL_TYPES, "span_precision", 1.0, 2),
        (ALL_TYPES, "span_recall", 0.5, 2),
        (ALL_TYPES, "span_f1", pytest.approx(2 / 3), 2),
        ("LOC", "span_precision", 0.0, 1),
        ("LOC", "span_recall", 0.0, 1),
        ("LOC", "span_f1", 0.0, 1),
        ("PER", "span_precision", 1.0, 1),
        ("PER", "span_recall", 1.0, 1),
        ("PER", "span_f1", 1.0, 1),
    ]


def test_scores_by_tag():
    rows = [(row["group"], row["measure"], row["value"], row["gold"]) for row in tag_score_rows(SCORES)]
    assert rows == [
        ("B-LOC", "token_accuracy", 0.0, 1),
        ("B-LOC", "f1", 0.0, 1),
        ("B-PER", "token_accuracy", 1.0, 1),
        ("B-PER", "f1", 1.0, 1),
        ("O", "token_accuracy", 1.0, 1),
        ("O", "f1", pytest.approx(2 / 3), 1),
    ]


def test_csv_round_trip_with_tags_that_are_punctuation(tmp_path):
    path = tmp_path / "tags.csv"
    write_csv(path, [{"tag": ",", "gold": 3}, {"tag": '"', "gold": 2}, {"tag": "``", "gold": 1}])
    assert path.read_bytes().startswith(b"tag,gold\n")
    with path.open(newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"tag": ",", "gold": "3"},
            {"tag": '"', "gold": "2"},
            {"tag": "``", "gold": "1"},
        ]


def test_no_rows_are_an_error_and_write_nothing(tmp_path):
    with pytest.raises(ValueError, match="no rows, so no columns to write"):
        write_csv(tmp_path / "a.csv", [])
    assert list(tmp_path.iterdir()) == []


def test_rows_of_different_columns_are_an_error_and_write_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"columns \['b'\] in a table of \['a'\]"):
        write_csv(tmp_path / "a.csv", [{"a": 1}, {"b": 2}])
    assert list(tmp_path.iterdir()) == []
