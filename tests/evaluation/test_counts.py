from __future__ import annotations

import pytest
from conlleval import conlleval

from seqlab.evaluation.counts import MatchCounts, divide, extract_spans

# All pairs of prefixes with equal and with different types. `X 0 2` is a span of type X over tokens 0 and 1.
PREFIX_PAIRS = """
    O    O    |
    O    B-X  | X 1 2
    O    I-X  | X 1 2
    O    E-X  | X 1 2
    O    S-X  | X 1 2
    O    B-Y  | Y 1 2
    O    I-Y  | Y 1 2
    O    E-Y  | Y 1 2
    O    S-Y  | Y 1 2

    B-X  O    | X 0 1
    B-X  B-X  | X 0 1, X 1 2
    B-X  I-X  | X 0 2
    B-X  E-X  | X 0 2
    B-X  S-X  | X 0 1, X 1 2
    B-X  B-Y  | X 0 1, Y 1 2
    B-X  I-Y  | X 0 1, Y 1 2
    B-X  E-Y  | X 0 1, Y 1 2
    B-X  S-Y  | X 0 1, Y 1 2

    I-X  O    | X 0 1
    I-X  B-X  | X 0 1, X 1 2
    I-X  I-X  | X 0 2
    I-X  E-X  | X 0 2
    I-X  S-X  | X 0 1, X 1 2
    I-X  B-Y  | X 0 1, Y 1 2
    I-X  I-Y  | X 0 1, Y 1 2
    I-X  E-Y  | X 0 1, Y 1 2
    I-X  S-Y  | X 0 1, Y 1 2

    E-X  O    | X 0 1
    E-X  B-X  | X 0 1, X 1 2
    E-X  I-X  | X 0 1, X 1 2
    E-X  E-X  | X 0 1, X 1 2
    E-X  S-X  | X 0 1, X 1 2
    E-X  B-Y  | X 0 1, Y 1 2
    E-X  I-Y  | X 0 1, Y 1 2
    E-X  E-Y  | X 0 1, Y 1 2
    E-X  S-Y  | X 0 1, Y 1 2

    S-X  O    | X 0 1
    S-X  B-X  | X 0 1, X 1 2
    S-X  I-X  | X 0 1, X 1 2
    S-X  E-X  | X 0 1, X 1 2
    S-X  S-X  | X 0 1, X 1 2
    S-X  B-Y  | X 0 1, Y 1 2
    S-X  I-Y  | X 0 1, Y 1 2
    S-X  E-Y  | X 0 1, Y 1 2
    S-X  S-Y  | X 0 1, Y 1 2
"""


def _parse(row: str) -> tuple[str, str, list[tuple[str, int, int]]]:
    tags, _, spans = row.partition("|")
    first, second = tags.split()
    parsed = [span.split() for span in spans.split(",") if span.strip()]
    return first, second, [(entity_type, int(start), int(end)) for entity_type, start, end in parsed]


PAIRS = [_parse(row) for row in PREFIX_PAIRS.splitlines() if row.strip()]


def test_table_contains_every_pair_once():
    firsts = ["O", "B-X", "I-X", "E-X", "S-X"]
    seconds = [*firsts, "B-Y", "I-Y", "E-Y", "S-Y"]
    assert [pair[:2] for pair in PAIRS] == [(first, second) for first in firsts for second in seconds]


def test_spans_of_every_pair_of_prefixes():
    for first, second, spans in PAIRS:
        assert extract_spans([first, second]) == spans, (first, second)
        moved = [(entity_type, start + 2, end + 2) for entity_type, start, end in spans]
        inside = extract_spans(["B-Z", "O", first, second, "O", "I-Z"])
        assert inside == [("Z", 0, 1), *moved, ("Z", 5, 6)], (first, second)


def test_conlleval_counts_as_many_spans_for_every_pair_of_prefixes():
    for first, second, spans in PAIRS:
        tally = conlleval(f"w {first} {first}\nw {second} {second}", bioes=True)
        assert tally.gold.total() == tally.correct.total() == len(spans), (first, second)


def test_bilou_prefixes_are_read_as_bioes():
    tags = ["B-X", "I-X", "L-X", "U-X", "B-X", "L-X", "L-X", "U-Y", "I-Y"]
    assert extract_spans(tags) == [
        ("X", 0, 3), ("X", 3, 4), ("X", 4, 6), ("X", 6, 7), ("Y", 7, 8), ("Y", 8, 9)
    ]  # fmt: skip


def test_entity_type_is_everything_after_the_first_hyphen():
    tags = ["B-work-of-art", "I-work-of-art", "I-work-of", "I-work"]
    assert extract_spans(tags) == [("work-of-art", 0, 2), ("work-of", 2, 3), ("work", 3, 4)]


def test_special_entries_are_outside():
    assert extract_spans(["<unk>", "B-X", "<pad>", "I-X"]) == [("X", 1, 2), ("X", 3, 4)]


def test_no_tags():
    assert extract_spans([]) == []


def test_scores_by_hand():
    counts = MatchCounts()
    counts.update("XXXXY", "XXXZ", "XXX")
    counts.update("YYY", "Y", "Y")
    assert counts.micro_scores() == pytest.approx(
        {"precision": 0.8, "recall": 0.5, "f1": 2 * 0.8 * 0.5 / 1.3}
    )
    by_class = counts.scores_by_class("span_")
    assert list(by_class) == ["X", "Y", "Z"]
    assert by_class["X"] == {
        "gold": 4, "predicted": 3, "correct": 3,
        "span_precision": 1.0, "span_recall": 0.75, "span_f1": 6 / 7,
    }  # fmt: skip


@pytest.mark.parametrize(("gold", "predicted"), [("", ""), ("XXX", ""), ("", "XXX")])
def test_scores_are_zero_if_the_denominator_is_zero(gold, predicted):
    counts = MatchCounts()
    counts.update(gold, predicted, "")
    assert counts.micro_scores() == {"precision": 0.0, "recall": 0.0, "f1": 0.0}


def test_divide():
    assert divide(1, 4) == 0.25
    assert divide(1, 0) == 0.0
