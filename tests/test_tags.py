from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.errors import CorpusError
from seqlab.tags import (
    NUM_RESERVED,
    PADDING,
    PADDING_ID,
    TAG_SCHEMES,
    UNKNOWN,
    UNKNOWN_ID,
    canonical_tag_scheme,
    convert_tags,
    find_unreadable_tag,
    is_valid_tag,
    repair_tags,
    spans_to_tags,
    split_tag,
    tags_to_spans,
    transition_constraints,
    validate_tags,
)

ALL_SCHEMES = (*TAG_SCHEMES, "BILOU")
ENCODINGS = {
    "IOB1": "I-PER I-PER B-PER O I-LOC I-ORG I-ORG I-ORG",
    "IOB2": "B-PER I-PER B-PER O B-LOC B-ORG I-ORG I-ORG",
    "BIOES": "B-PER E-PER S-PER O S-LOC B-ORG I-ORG E-ORG",
    "BILOU": "B-PER L-PER U-PER O U-LOC B-ORG I-ORG L-ORG",
}
SPANS = [("PER", 0, 2), ("PER", 2, 3), ("LOC", 4, 5), ("ORG", 5, 8)]
PREFIXES = ("B", "I", "E", "S")
EVERY_TAG = ["O", *(f"{prefix}-{entity_type}" for prefix in PREFIXES for entity_type in ("X", "Y"))]


@st.composite
def sentences_with_spans(draw):
    spans, position = [], 0
    for gap, length, entity_type in draw(
        st.lists(
            st.tuples(
                st.integers(0, 2), st.integers(1, 4), st.sampled_from(["PER", "LOC", "art-title", "é"])
            ),
            max_size=6,
        )
    ):
        spans.append((entity_type, position + gap, position + gap + length))
        position += gap + length
    return spans, position + draw(st.integers(0, 2))


def starts_and_ends(tags):
    """The two rules of the shared task's script as tables of tag pairs, for B, I, E, S and O."""
    starts = {"BB", "IB", "OB", "EB", "OI", "EE", "EI", "OE", "SE", "SI", "SB", "BS", "IS", "OS", "ES", "SS"}
    ends = {"BB", "BO", "IB", "IO", "EE", "EI", "EO", "EB", "BS", "IS", "ES", "SB", "SI", "SE", "SO", "SS"}
    spans, open_at = [], None
    before, type_before = "O", ""
    for index, tag in enumerate([*tags, "O"]):
        letter, entity_type = (tag[0], tag[2:])
        changed = type_before != entity_type
        if before + letter in ends or (before != "O" and changed):
            spans.append((type_before, open_at, index))
        if before + letter in starts or (letter != "O" and changed):
            open_at = index
        before, type_before = letter, entity_type
    return spans


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_every_scheme_decodes_and_encodes_the_same_spans(scheme):
    tags = tuple(ENCODINGS[scheme].split())
    assert validate_tags(tags, scheme=scheme) is None
    assert tags_to_spans(tags, scheme=scheme) == SPANS
    assert tags_to_spans(tags, scheme=scheme, lenient=True) == SPANS
    assert spans_to_tags(SPANS, length=8, scheme=scheme) == tags


@pytest.mark.parametrize(("source", "target"), list(product(ALL_SCHEMES, repeat=2)))
def test_every_scheme_converts_to_every_other(source, target):
    assert convert_tags(ENCODINGS[source].split(), source=source, target=target) == tuple(
        ENCODINGS[target].split()
    )


@settings(derandomize=True, max_examples=150, deadline=None)
@given(sentences_with_spans(), st.sampled_from(ALL_SCHEMES), st.sampled_from(ALL_SCHEMES))
def test_round_trips_are_exact(sentence, source, target):
    spans, length = sentence
    tags = spans_to_tags(spans, length=length, scheme=source)
    there = convert_tags(tags, source=source, target=target)
    assert tags_to_spans(there, scheme=target) == spans
    assert convert_tags(there, source=target, target=source) == tags


@pytest.mark.parametrize(
    ("alias", "scheme"), [("BIO", "IOB2"), ("IOBES", "BIOES"), ("BILOU", "BILOU"), ("IOB1", "IOB1")]
)
def test_aliases(alias, scheme):
    assert canonical_tag_scheme(alias) == scheme


def test_an_unknown_scheme_raises_and_lists_the_known_schemes():
    with pytest.raises(CorpusError, match=r"unknown tag scheme\n  expected: one of IOB1, IOB2 .*\n.*'IOB3'"):
        validate_tags(["O"], scheme="IOB3")


@pytest.mark.parametrize(
    ("scheme", "tags", "problem"),
    [
        ("IOB2", "O I-PER", (1, "B-PER, or I-PER after B-PER or I-PER", "I-PER after O")),
        ("IOB2", "I-PER", (0, "B-PER, or I-PER after B-PER or I-PER", "I-PER at the start of a sentence")),
        ("IOB2", "B-LOC I-PER", (1, "B-PER, or I-PER after B-PER or I-PER", "I-PER after B-LOC")),
        ("IOB2", "O S-PER", (1, "O, or one of B, I, a hyphen and an entity type (IOB2)", "'S-PER'")),
        ("IOB2", "NOUN", (0, "O, or one of B, I, a hyphen and an entity type (IOB2)", "'NOUN'")),
        ("IOB2", "B-", (0, "O, or one of B, I, a hyphen and an entity type (IOB2)", "'B-'")),
        ("IOB2", "-PER", (0, "O, or one of B, I, a hyphen and an entity type (IOB2)", "'-PER'")),
        ("IOB2", "BI-PER", (0, "O, or one of B, I, a hyphen and an entity type (IOB2)", "'BI-PER'")),
        ("IOB1", "O B-PER", (1, "I-PER, or B-PER after I-PER or B-PER", "B-PER after O")),
        ("IOB1", "I-LOC B-PER", (1, "I-PER, or B-PER after I-PER or B-PER", "B-PER after I-LOC")),
        ("BIOES", "B-PER O", (1, "I-PER or E-PER after B-PER", "O after B-PER")),
        ("BIOES", "B-PER I-LOC", (1, "I-PER or E-PER after B-PER", "I-LOC after B-PER")),
        ("BIOES", "S-PER E-PER", (1, "O, B- or S- outside a span", "E-PER after S-PER")),
        ("BIOES", "O B-PER", (1, "I-PER or E-PER after B-PER", "the end of the sentence after B-PER")),
        ("BIOES", "L-PER", (0, "O, or one of B, I, E, S, a hyphen and an entity type (BIOES)", "'L-PER'")),
        ("BILOU", "U-PER I-PER", (1, "O, B- or U- outside a span", "I-PER after U-PER")),
        ("BILOU", "B-PER", (0, "I-PER or L-PER after B-PER", "the end of the sentence after B-PER")),
    ],
)
def test_the_first_problem(scheme, tags, problem):
    assert validate_tags(tags.split(), scheme=scheme) == problem


@pytest.mark.parametrize("scheme", TAG_SCHEMES)
def test_a_sequence_is_valid_if_and_only_if_some_spans_encode_to_it(scheme):
    for length in range(4):
        encoded = {
            tags
            for tags in product(EVERY_TAG, repeat=length)
            if spans_to_tags(tags_to_spans(tags, scheme=scheme, lenient=True), length=length, scheme=scheme)
            == tags
        }
        valid = {t for t in product(EVERY_TAG, repeat=length) if validate_tags(t, scheme=scheme) is None}
        assert valid == encoded


def test_lenient_decoding_equals_the_shared_task_script_for_all_short_sequences():
    for length in range(5):
        for tags in product(EVERY_TAG, repeat=length):
            assert tags_to_spans(tags, scheme="IOB2", lenient=True) == starts_and_ends(tags), tags


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("I-PER I-PER", [("PER", 0, 2)]),
        ("B-PER I-LOC", [("PER", 0, 1), ("LOC", 1, 2)]),
        ("O B I", [("", 1, 3)]),
        ("NOUN VERB", []),
        ("X-PER X-PER O", [("PER", 0, 2)]),
        ("B-art-title I-art-title B-art", [("art-title", 0, 2), ("art", 2, 3)]),
    ],
)
def test_lenient_decoding_of_unusual_tags(tags, spans):
    assert tags_to_spans(tags.split(), scheme="IOB2", lenient=True) == spans


def test_strict_decoding_raises_on_invalid_tags():
    with pytest.raises(
        CorpusError, match=r"tag 2 is not valid in IOB2\n  expected: B-PER.*\n.*I-PER after O"
    ):
        tags_to_spans(["O", "I-PER"], scheme="BIO")


@pytest.mark.parametrize(
    "spans",
    [[("", 0, 1)], [("PER", 1, 1)], [("PER", 0, 4)], [("PER", -1, 1)], [("PER", 0, 2), ("LOC", 1, 3)]],
)
def test_invalid_spans_raise(spans):
    with pytest.raises(ValueError, match=r"invalid span .* within the sentence of 3 tokens"):
        spans_to_tags(spans, length=3, scheme="IOB2")


def test_spans_may_come_in_any_order():
    assert spans_to_tags([("LOC", 1, 2), ("PER", 0, 1)], length=2, scheme="IOB2") == ("B-PER", "B-LOC")


@pytest.mark.parametrize(
    ("scheme", "tags", "repaired", "repairs"),
    [
        ("IOB2", "B-PER I-PER O", "B-PER I-PER O", 0),
        ("IOB2", "O I-PER I-PER", "O B-PER I-PER", 1),
        ("IOB2", "B-PER I-LOC S-LOC", "B-PER B-LOC B-LOC", 2),
        ("IOB1", "B-PER I-PER B-PER", "I-PER I-PER B-PER", 1),
        ("BIOES", "B-PER O I-LOC", "S-PER O S-LOC", 2),
        ("BILOU", "B-PER E-PER", "B-PER L-PER", 1),
    ],
)
def test_repair(scheme, tags, repaired, repairs):
    assert repair_tags(tags.split(), scheme=scheme) == (tuple(repaired.split()), repairs)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(EVERY_TAG), max_size=12), st.sampled_from(ALL_SCHEMES))
def test_repaired_tags_are_valid_and_keep_their_spans(tags, scheme):
    repaired, _ = repair_tags(tags, scheme=scheme)
    assert validate_tags(repaired, scheme=scheme) is None
    assert tags_to_spans(repaired, scheme=scheme) == tags_to_spans(tags, scheme=scheme, lenient=True)


def test_tags_of_no_scheme_are_unreadable():
    assert find_unreadable_tag(["O", "B-X", "I-X", "E-X", "S-X", "L-X", "U-X"]) is None
    for tag in ("PER", "X-PER", "B-", ""):
        assert find_unreadable_tag(["O", tag]) == (
            1,
            "O, or B, I, E, S, L or U, a hyphen and an entity type",
            repr(tag),
        )


@pytest.mark.parametrize(
    ("tag", "parts"),
    [
        ("B-PER", ("B", "PER")),
        ("U-art-title", ("S", "art-title")),
        ("L-PER", ("E", "PER")),
        ("X-PER", ("I", "PER")),
        ("B", ("B", "")),
        ("NOUN", ("O", "")),
        ("<unk>", ("O", "")),
        ("O-PER", ("O", "")),
    ],
)
def test_splitting_a_tag(tag, parts):
    assert split_tag(tag) == parts


def test_reserved_entries():
    assert [PADDING, UNKNOWN] == ["<pad>", "<unk>"]
    assert (PADDING_ID, UNKNOWN_ID, NUM_RESERVED) == (0, 1, 2)


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_constraints_allow_exactly_the_valid_sequences(scheme):
    tags = ["O", "B-X", "I-X", "B-Y", "I-Y"]
    tags += {"BIOES": ["E-X", "S-X", "E-Y", "S-Y"], "BILOU": ["L-X", "U-X", "L-Y", "U-Y"]}.get(scheme, [])
    names = ["<pad>", "<unk>", *tags]
    constraints = transition_constraints(names, scheme=scheme)
    for sequence in product(range(len(names)), repeat=3):
        allowed = (
            constraints.start[sequence[0]]
            and constraints.end[sequence[-1]]
            and all(constraints.transitions[i][j] for i, j in pairwise(sequence))
        )
        assert allowed == (validate_tags([names[i] for i in sequence], scheme=scheme) is None)


def test_without_a_scheme_everything_but_reserved_entries_is_allowed():
    constraints = transition_constraints(["<pad>", "<unk>", "NOUN", "VERB"], scheme=None)
    assert constraints.start == constraints.end == [False, False, True, True]
    assert constraints.transitions == [[False] * 4] * 2 + [[False, False, True, True]] * 2


def test_constraints_raise_on_a_tag_of_another_scheme():
    with pytest.raises(CorpusError, match=r"tag 4 is not valid in IOB2\n.*\n  received: 'S-X'"):
        transition_constraints(["<pad>", "<unk>", "O", "S-X"], scheme="IOB2")


def test_a_single_tag():
    assert is_valid_tag("B-MISC-1", scheme="IOB2")
    assert not is_valid_tag("o", scheme="IOB2")
