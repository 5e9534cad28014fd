from __future__ import annotations

from seqlab.errors import SeqlabError


def test_every_part_stands_on_its_line_and_empty_ones_are_left_out():
    error = SeqlabError("wrong", where="a.conll:3", expected="x", remedy="do y")
    assert str(error) == "a.conll:3: wrong\n  expected: x\n  remedy: do y"
    assert str(SeqlabError("wrong")) == "wrong"
