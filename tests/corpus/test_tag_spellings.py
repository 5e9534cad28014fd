from __future__ import annotations

import pytest

from seqlab.corpus.tag_spellings import find_suspicious_spellings, is_one_edit


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Noun", "like NOUN, which occurs 1,000 times"),
        ("N-O_U N", "like NOUN, which occurs 1,000 times"),
        ("NÓUN", "like NOUN, which occurs 1,000 times"),
        ("NOUNS", "like NOUN, which occurs 1,000 times"),
        ("NUON", "like NOUN, which occurs 1,000 times"),
        ("NOUM", "like NOUN, which occurs 1,000 times"),
        ("VE\u0420B", "mixes Latin with cyrillic capital letter er"),
        ("ADV\u200b", "contains U+200B (zero width space)"),
        ("X\u00a0Y", "contains U+00A0 (no-break space)"),
    ],
)
def test_suspicious(name, reason):
    assert find_suspicious_spellings({"NOUN": 1000, "VERB": 900, name: 3}) == [(name, reason)]


def test_the_universal_and_the_penn_treebanks_tags_are_not_suspicious():
    universal = "NOUN PUNCT VERB PRON ADP DET PROPN ADJ AUX ADV CCONJ PART NUM SCONJ SYM INTJ X"
    penn = "NN IN DT JJ NNS NNP PRP RB VB CC VBD VBZ VBN VBP VBG PRP$ WP WP$ WDT WRB NNPS JJR JJS RBR RBS"
    marks = ". , : \" ' ` # $ -LRB- -RRB- '' ``"
    for names in map(str.split, (universal, penn, marks)):
        counts = {name: 30_000 // (3**position) + 1 for position, name in enumerate(names)}
        assert find_suspicious_spellings(counts) == []


def test_frequent_names_that_one_letter_separates_are_not_suspicious():
    assert find_suspicious_spellings({"EVENT": 1000, "EVENTS": 11}) == []
    assert find_suspicious_spellings({"LEVEL1": 10_000, "LEVEL2": 1}) == []


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("abcd", "abcd", False),
        ("abcd", "abdc", True),
        ("abcd", "acbe", False),
        ("abcd", "abc", False),
        ("abcd", "abcde", True),
        ("abcde", "bcde", True),
        ("abcd", "xbcd", True),
        ("abcd", "xbcy", False),
        ("abcdef", "abcd", False),
    ],
)
def test_one_edit(first, second, expected):
    assert is_one_edit(first, second) is is_one_edit(second, first) is expected
