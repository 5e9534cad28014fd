from __future__ import annotations

import pytest

from seqlab.conversion.alignment import align_spans
from seqlab.conversion.records import CharacterSpan
from seqlab.corpus.findings import Findings

TEXT = " New York-based  firm "
STARTS, ENDS = [1, 5, 17], [4, 15, 21]


def align(*spans, misaligned="expand"):
    warnings = Findings()
    aligned = align_spans(
        [CharacterSpan(*span) for span in spans],
        TEXT,
        STARTS,
        ENDS,
        misaligned=misaligned,
        warnings=warnings,
        file="a.jsonl",
        line=3,
    )
    return aligned, [(warning.what, warning.received) for warning in warnings.listed]


@pytest.mark.parametrize("span", [("A", 1, 15), ("A", 0, 15), ("A", 1, 17), ("A", 0, 16)])
def test_blanks_at_the_edges_do_not_count(span):
    assert align(span) == ([("A", 0, 2)], [])


def test_a_border_inside_a_token():
    received = "A, 'New York' in 'New York-based'"
    what = "a span border inside a token: whole tokens are tagged"
    assert align(("A", 1, 9)) == ([("A", 0, 2)], [(what, received)])
    what = "left out: a span border inside a token"
    assert align(("A", 1, 9), misaligned="drop") == ([], [(what, received)])
    assert align(("A", 10, 20))[0] == [("A", 1, 3)]


@pytest.mark.parametrize(
    ("span", "what"),
    [
        (("A", -1, 3), "left out: a span outside its text"),
        (("A", 3, 3), "left out: a span outside its text"),
        (("A", 4, 3), "left out: a span outside its text"),
        (("A", 17, 23), "left out: a span outside its text"),
        (("A", 15, 17), "left out: a span without a token"),
        (("A", 0, 1), "left out: a span without a token"),
    ],
)
def test_spans_of_nothing(span, what):
    aligned, warnings = align(span)
    assert aligned == []
    assert [found for found, _ in warnings] == [what]


def test_overlapping_and_nested_spans_keep_the_longest():
    aligned, warnings = align(("IN", 1, 4), ("LONG", 1, 15), ("OVER", 5, 21))
    assert aligned == [("LONG", 0, 2)]
    assert warnings == [
        ("left out: a span that overlaps another", "OVER, 'York-based  firm'; kept: LONG, 'New York-based'"),
        ("left out: a span inside another", "IN, 'New'; kept: LONG, 'New York-based'"),
    ]
    assert align(("B", 1, 4), ("A", 1, 4))[0] == [("B", 0, 1)]


def test_repeated_spans_are_one_span():
    assert align(("A", 1, 4), ("B", 17, 21), ("A", 1, 4)) == ([("A", 0, 1), ("B", 2, 3)], [])
