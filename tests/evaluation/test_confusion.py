from __future__ import annotations

import pytest

from seqlab.evaluation.confusion import confusion_counts, confusion_rows, most_confused

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


def test_counts():
    counts = confusion_counts(SENTENCES)
    assert counts["VERB", "NOUN"] == 4
    assert counts["NOUN", "VERB"] == 1
    assert counts["VERB", "VERB"] == 1
    assert counts.total() == 13


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="shorter"):
        confusion_counts([(("a", "b"), ("X", "X"), ("X",))])


def test_rows_are_the_whole_square():
    rows = confusion_rows({("A", "A"): 3, ("A", "B"): 1, ("C", "A"): 2})
    assert rows == [
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


def test_most_confused_first_with_one_excerpt_a_sentence():
    first, second = most_confused(SENTENCES, 5, examples=2)
    assert first == {
        "gold": "VERB",
        "predicted": "NOUN",
        "count": 4,
        "share": 0.8,
        "examples": ["I >>run<< fast today .", "They >>run<<"],
    }
    assert second == {
        "gold": "NOUN",
        "predicted": "VERB",
        "count": 1,
        "share": 0.5,
        "examples": ["a >>run<<"],
    }
    assert most_confused(SENTENCES, 5)[0]["examples"][2] == "go >>run<< , run"


def test_limit():
    assert len(most_confused(SENTENCES, 1)) == 1


def test_equal_counts_stand_in_alphabetical_order():
    rows = most_confused([(("a", "b"), ("Y", "X"), ("X", "Y"))], 5)
    assert [(row["gold"], row["predicted"]) for row in rows] == [("X", "Y"), ("Y", "X")]


def test_excerpts_are_cut_on_both_sides():
    tokens = list("abcdefg")
    tags = ["X"] * 7
    predicted = ["X", "X", "X", "Y", "X", "X", "X"]
    (row,) = most_confused([(tokens, tags, predicted)], 1, context=2)
    assert row["examples"] == ["… b c >>d<< e f …"]


def test_nothing_wrong_gives_no_rows():
    assert most_confused([(("a",), ("X",), ("X",))], 5) == []
