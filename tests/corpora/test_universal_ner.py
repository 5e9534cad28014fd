from __future__ import annotations

import pytest

from seqlab.corpora.universal_ner import UniversalNerLayout
from seqlab.corpus.blocks import scan_blocks
from seqlab.errors import CorpusError


def scan(tmp_path, text):
    path = tmp_path / "x.iob2"
    path.write_text(text)
    return list(scan_blocks(path, layout=UniversalNerLayout(), display_name="x.iob2"))


def test_notes_may_be_there_or_not(tmp_path):
    first, second = scan(
        tmp_path,
        "# sent_id = a-1\n# text = Ann ran\n1\tAnn\tB-PER\t-\tstephen\n2\tran\tO\n\t\n1\t#\tO\t-\t-\n",
    )
    assert first.metadata("sent_id") == "a-1"
    assert first.column("token") == ("Ann", "ran")
    assert first.column("ner") == ("B-PER", "O")
    assert second.column("token") == ("#",)
    assert second.lines == [6]


@pytest.mark.parametrize("row", ["2\tAnn\tO", "1\tAnn", "1\t\tO", "1 Ann O"])
def test_other_lines_are_errors(tmp_path, row):
    (error,) = scan(tmp_path, row + "\n")
    assert isinstance(error, CorpusError)
    assert str(error) == (
        "x.iob2:1: not a word with its tag\n"
        "  expected: 1, a word and a tag between tabs\n"
        f"  received: {row!r}\n"
        "  remedy: number each sentence's words from 1, with a blank line after each sentence"
    )


def test_a_field_is_found_in_its_line():
    assert [UniversalNerLayout().column_of("10\tAnn\tB-PER\t-", index) for index in range(3)] == [1, 4, 8]
