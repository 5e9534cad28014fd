from __future__ import annotations

import pytest

from seqlab.conversion.brat import read_brat
from seqlab.conversion.records import CharacterSpan, TextRecord


@pytest.fixture
def annotate(read, tmp_path):
    def read_annotations(annotations, text="Marie Curie was\r\nborn."):
        (tmp_path / "docs").mkdir()
        (tmp_path / "docs" / "a.txt").write_bytes(text.encode() if isinstance(text, str) else text)
        return read(lambda _, reading: read_brat(tmp_path / "docs", reading), "docs/a.ann", annotations)

    return read_annotations


def test_spans_and_what_is_ignored(annotate, tmp_path):
    records, errors, warnings = annotate(
        "T1\tPER 0 11\tMarie Curie\nT2\tX 0 5;12 15\tMarie was\nT3\tY 17 21\n"
        "R1\tA Arg1:T1 Arg2:T2\n#1\tNote T1\tx\n"
    )
    spans = (CharacterSpan("PER", 0, 11), CharacterSpan("Y", 17, 21))
    file = str(tmp_path / "docs" / "a.txt")
    assert records == [TextRecord("Marie Curie was\r\nborn.", spans, file, 0, "a")]
    assert errors == []
    assert warnings == [("left out: a span of several parts", r"'T2\tX 0 5;12 15\tMarie was'")]


def test_a_line_that_is_no_annotation(annotate):
    records, (error,), _ = annotate("T1\tPER 0 eleven\tMarie\n")
    assert records == []
    assert "a.ann:1: the annotation cannot be read" in error


def test_a_text_that_is_missing_or_elsewhere(annotate, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.ann").write_text("")
    (tmp_path / "more" / "b.txt").symlink_to(tmp_path / "secret")
    (tmp_path / "more" / "c.ann").write_text("")
    _, errors, _ = annotate("")
    assert errors == []
    from seqlab.conversion.records import Reading

    found = list(read_brat(tmp_path / "more", Reading("ner")))
    assert [error.what for error in found] == ["the text of the annotations is missing"] * 2


def test_a_text_in_another_encoding(annotate):
    _, (error,), _ = annotate("", text="é".encode("latin-1"))
    assert "the text is not UTF-8" in error
