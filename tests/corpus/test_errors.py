from __future__ import annotations

import pytest

from seqlab.corpus.errors import CorpusError, location
from seqlab.errors import SeqlabError


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
