from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.evaluation.match_counts import MatchCounts
from seqlab.evaluation.predictions import spell_as_iob2
from seqlab.evaluation.spans import SpanCounts, extract_spans

# Every pair of prefixes, with equal and with different types, worked by hand. `X 0 2` is a span of type X
# over tokens 0 and 1. After O the type makes no difference, so there the rows with Y say the same of Y.
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


def _text(sentences: list[list[tuple[str, str]]]) -> str:
    return "\n\n".join("\n".join(f"w {gold} {predicted}" for gold, predicted in rows) for rows in sentences)


def _sentences(prefixes: str) -> st.SearchStrategy[list[list[tuple[str, str]]]]:
    """Sentences of `(gold, predicted)` pairs of which about half agree."""
    tags = st.sampled_from(
        ["O", *(f"{prefix}-{entity_type}" for prefix in prefixes for entity_type in ("X", "Y", "a-b"))]
    )
    same = tags.map(lambda tag: (tag, tag))
    return st.lists(st.lists(same | st.tuples(tags, tags), min_size=1, max_size=10), min_size=1, max_size=5)


def _count(sentences: list[list[tuple[str, str]]]) -> SpanCounts:
    counts = SpanCounts()
    for rows in sentences:
        counts.update([gold for gold, _ in rows], [predicted for _, predicted in rows])
    return counts


def _assert_equal_counts(counts: SpanCounts, tally) -> None:
    found = {kind: (each.gold, each.predicted, each.correct) for kind, each in counts.per_type.items()}
    types = {kind for kind in tally.gold | tally.predicted if tally.gold[kind] or tally.predicted[kind]}
    assert found == {kind: (tally.gold[kind], tally.predicted[kind], tally.correct[kind]) for kind in types}
    for kind, ours in [(None, counts.total), *counts.per_type.items()]:
        percentages = [100 * score for score in (ours.precision, ours.recall, ours.f1)]
        assert percentages == pytest.approx(tally.percentages(kind), abs=1e-9)


def test_the_table_holds_every_pair_once():
    firsts = ["O", "B-X", "I-X", "E-X", "S-X"]
    seconds = [*firsts, "B-Y", "I-Y", "E-Y", "S-Y"]
    assert [pair[:2] for pair in PAIRS] == [(first, second) for first in firsts for second in seconds]


@pytest.mark.parametrize(("first", "second", "spans"), PAIRS, ids=[f"{a} {b}" for a, b, _ in PAIRS])
def test_prefix_pair(first, second, spans, second_conlleval):
    assert extract_spans([first, second]) == spans
    tally = second_conlleval.conlleval(_text([[(first, first), (second, second)]]), bioes=True)
    assert tally.gold.total() == tally.correct.total() == len(spans)


@pytest.mark.parametrize(("first", "second", "spans"), PAIRS, ids=[f"{a} {b}" for a, b, _ in PAIRS])
def test_prefix_pair_inside_a_sentence(first, second, spans):
    tags = ["B-Z", "O", first, second, "O", "I-Z"]
    moved = [(entity_type, start + 2, end + 2) for entity_type, start, end in spans]
    assert extract_spans(tags) == [("Z", 0, 1), *moved, ("Z", 5, 6)]


def test_bilou_letters_read_as_bioes():
    tags = ["B-X", "I-X", "L-X", "U-X", "B-X", "L-X", "L-X", "U-Y", "I-Y"]
    assert extract_spans(tags) == [
        ("X", 0, 3), ("X", 3, 4), ("X", 4, 6), ("X", 6, 7), ("Y", 7, 8), ("Y", 8, 9)
    ]  # fmt: skip


def test_the_type_is_all_that_follows_the_first_hyphen():
    tags = ["B-work-of-art", "I-work-of-art", "I-work-of", "I-work"]
    assert extract_spans(tags) == [("work-of-art", 0, 2), ("work-of", 2, 3), ("work", 3, 4)]


def test_special_entries_are_outside():
    assert extract_spans(["<unk>", "B-X", "<pad>", "I-X"]) == [("X", 1, 2), ("X", 3, 4)]


def test_no_tags_no_spans():
    assert extract_spans([]) == []


@given(sentences=_sentences("BIES"))
def test_counts_equal_the_second_conllevals(sentences, second_conlleval):
    _assert_equal_counts(_count(sentences), second_conlleval.conlleval(_text(sentences), bioes=True))


@pytest.mark.parametrize("prefixes", ["BI", "I", "IE"])
def test_original_rules_agree_on_the_schemes_they_were_made_for(prefixes, second_conlleval):
    @given(sentences=_sentences(prefixes))
    def check(sentences):
        _assert_equal_counts(_count(sentences), second_conlleval.conlleval(_text(sentences), bioes=False))

    check()


@given(sentences=_sentences("BIES"))
def test_original_rules_agree_on_any_tags_spelled_as_iob2(sentences, second_conlleval):
    triples = [(["w"] * len(rows), *zip(*rows, strict=True)) for rows in sentences]
    spelled = [list(zip(*triple[1:], strict=True)) for triple in spell_as_iob2(triples)]
    _assert_equal_counts(_count(sentences), second_conlleval.conlleval(_text(spelled), bioes=False))


def test_original_rules_join_adjacent_bioes_entities(second_conlleval):
    rows = [[(tag, tag) for tag in ("S-X", "S-X", "B-X", "E-X", "B-X", "E-X")]]
    assert second_conlleval.conlleval(_text(rows), bioes=False).gold["X"] == 1
    assert _count(rows).total == MatchCounts(gold=4, predicted=4, correct=4)


def test_counts_and_scores_by_hand():
    counts = SpanCounts()
    counts.update(["B-PER", "I-PER", "O", "B-LOC"], ["B-PER", "I-PER", "O", "B-ORG"])
    counts.update(["B-PER", "I-PER", "O"], ["B-PER", "O", "O"])
    assert counts.per_type == {
        "LOC": MatchCounts(gold=1, predicted=0, correct=0),
        "ORG": MatchCounts(gold=0, predicted=1, correct=0),
        "PER": MatchCounts(gold=2, predicted=2, correct=1),
    }
    assert list(counts.per_type) == ["LOC", "ORG", "PER"]
    assert (counts.precision, counts.recall, counts.f1) == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_merge_equals_one_count():
    sentences = [[("B-X", "B-X"), ("I-X", "O")], [("B-Y", "B-Y")], [("O", "S-X"), ("B-X", "B-X")]]
    merged = _count(sentences[:1])
    merged.merge(_count(sentences[1:]))
    assert merged.per_type == _count(sentences).per_type


def test_nothing_to_divide_by_gives_zero():
    counts = _count([[("O", "O")]])
    assert (counts.precision, counts.recall, counts.f1) == (0.0, 0.0, 0.0)
    assert counts.per_type == {}


def test_a_span_never_crosses_sentences():
    assert _count([[("B-X", "B-X")], [("I-X", "O")]]).total == MatchCounts(gold=2, predicted=1, correct=1)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="2 gold tags but 1 predicted tags"):
        SpanCounts().update(["O", "O"], ["O"])
