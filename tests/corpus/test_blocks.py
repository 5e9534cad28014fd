from __future__ import annotations

from seqlab.corpus.blocks import Block, scan_blocks
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


def test_scanning_goes_on_after_errors_and_marks_what_lost_lines(tmp_path):
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


def test_all_problems_of_a_row_are_named(tmp_path):
    first, second = scan(tmp_path, b"\tX \tO\n")
    assert isinstance(first, CorpusError)
    assert [(error.column, error.what) for error in (first, second)] == [
        (1, "empty token"),
        (2, "space beside the column upos"),
    ]
