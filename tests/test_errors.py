from __future__ import annotations

import pytest

from seqlab.errors import CorpusError, SeqlabError


def test_each_part_has_its_own_line_and_empty_parts_are_omitted():
    error = SeqlabError("wrong", where="a.conll:3", expected="x", remedy="do y")
    assert str(error) == "a.conll:3: wrong\n  expected: x\n  remedy: do y"
    assert str(SeqlabError("wrong")) == "wrong"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({"file": "a.conll"}, "a.conll"),
        ({"file": "a.conll", "line": 3}, "a.conll:3"),
        ({"file": "a.conll", "line": 3, "column": 7, "where": "x"}, "a.conll:3:7"),
        ({"where": "corpus.files.train"}, "corpus.files.train"),
    ],
)
def test_the_place_contains_what_is_known(place, expected):
    assert SeqlabError("wrong", **place).where == expected


def test_a_corpus_error_has_a_file_line_and_column():
    error = CorpusError(
        "empty token", file="a.conll", line=3, column=1, expected="a token", received="''", remedy="write it"
    )
    assert isinstance(error, SeqlabError)
    assert str(error) == "a.conll:3:1: empty token\n  expected: a token\n  received: ''\n  remedy: write it"
    assert (error.file, error.line, error.column) == ("a.conll", 3, 1)
