from __future__ import annotations

import pytest

from seqlab.errors import CorpusError, SeqlabError, location


def test_every_part_stands_on_its_line_and_empty_ones_are_left_out():
    error = SeqlabError("wrong", where="a.conll:3", expected="x", remedy="do y")
    assert str(error) == "a.conll:3: wrong\n  expected: x\n  remedy: do y"
    assert str(SeqlabError("wrong")) == "wrong"


@pytest.mark.parametrize(
    ("place", "expected"),
    [(("a.conll",), "a.conll"), (("a.conll", 3), "a.conll:3"), (("a.conll", 3, 7), "a.conll:3:7")],
)
def test_a_place_is_written_as_far_as_it_is_known(place, expected):
    assert location(*place) == expected


def test_the_message_holds_the_place_and_all_parts():
    error = CorpusError(
        "empty token", file="a.conll", line=3, column=1, expected="a token", received="''", remedy="write it"
    )
    assert isinstance(error, SeqlabError)
    assert str(error) == "a.conll:3:1: empty token\n  expected: a token\n  received: ''\n  remedy: write it"
    assert (error.file, error.line, error.column) == ("a.conll", 3, 1)


def test_a_parameter_can_be_the_place():
    assert str(CorpusError("no such file", where="corpus.files.train")) == "corpus.files.train: no such file"
