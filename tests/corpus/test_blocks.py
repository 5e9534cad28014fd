from __future__ import annotations

import pytest

from seqlab.corpus.blocks import Block, column_of, scan_blocks
from seqlab.corpus.conll import ConllLayout
from seqlab.errors import CorpusError

LAYOUT = ConllLayout(("token", "upos", "ner"))


def scan(tmp_path, content):
    path = tmp_path / "a.conll"
    path.write_bytes(content)
    return list(scan_blocks(path, layout=LAYOUT, display_name="my.conll"))


def test_a_block_has_all_columns_and_its_comments(tmp_path):
    (block,) = scan(tmp_path, b"# lost\n\n# sent_id = a-1\n# text = A = b\n# note\na\tX\tO\nb\tY\tB-Z\n")
    assert isinstance(block, Block)
    assert block.column("token") == ("a", "b")
    assert block.column("upos") == ("X", "Y")
    assert block.lines == [6, 7]
    assert block.metadata("sent_id") == "a-1"
    assert block.metadata("text") == "A = b"
    assert block.metadata("note") is None
    assert not block.broken


def test_scanning_continues_after_errors_and_marks_blocks_with_missing_lines(tmp_path):
    bad_row, lost, bad_bytes, broken, whole = scan(
        tmp_path, b"a\tX\n\n\tX\tO\nb\tX\tO\n\xff\tX\tO\nc\tX\tO\n\nd\tX\tO\n"
    )
    assert [(error.line, error.what) for error in (bad_row, lost, bad_bytes)] == [
        (1, "wrong number of columns"),
        (3, "empty token"),
        (5, "the text is not UTF-8"),
    ]
    assert broken.broken
    assert broken.column("token") == ("b", "c")
    assert not whole.broken
    assert whole.column("token") == ("d",)


def test_all_errors_of_a_row_are_reported(tmp_path):
    first, second = scan(tmp_path, b"\tX \tO\n")
    assert isinstance(first, CorpusError)
    assert [(error.column, error.what) for error in (first, second)] == [
        (1, "empty token"),
        (2, "space beside column upos"),
    ]


@pytest.mark.parametrize(
    ("text", "fields", "columns"),
    [
        ("10\tAnn\tB-PER\t-", ["10", "Ann", "B-PER"], [1, 4, 8]),
        ("\tX\t\tX", ["", "X", "", "X"], [1, 2, 4, 5]),
        ("  a \t aa", ["a", "aa"], [3, 7]),
    ],
)
def test_the_column_of_a_field(text, fields, columns):
    assert [column_of(text, fields, index) for index in range(len(fields))] == columns
