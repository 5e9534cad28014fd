from __future__ import annotations

import pytest

from seqlab.corpus.blocks import read_sentences, scan_blocks
from seqlab.corpus.conllu import ConlluLayout
from seqlab.errors import CorpusError

TEXT = """\
# newdoc id = d
# sent_id = d-1
# text = vámonos al # mar
1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tvamos\tir\tVERB\tV\t_\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\tP\t_\t1\tobj\t_\t_
2.1\tgone\tgo\tVERB\tV\t_\t_\t_\t1:conj\t_
3-4\tal\t_\t_\t_\t_\t_\t_\t_\t_
3\ta\ta\tADP\tE\t_\t6\tcase\t_\t_
4\tel\tel\tDET\tD\t_\t6\tdet\t_\t_
5\t#\t#\tSYM\tS\t_\t6\tdep\t_\t_
6\t10 000\tmar\tNOUN\tN\t_\t1\tobl\t_\tSpaceAfter=No

# sent_id = d-2
0.1\tit\tit\tPRON\tP\t_\t_\t_\t0:root\t_
1\tsí\tsí\tINTJ\tI\t_\t0\troot\t_\t_
"""
ROW = "{id}\t{token}\tl\t{upos}\tX\t_\t0\troot\t_\t_\n"


@pytest.fixture
def scan(tmp_path):
    def scan_text(text, tag_column=None):
        path = tmp_path / "a.conllu"
        path.write_text(text)
        return scan_blocks(path, layout=ConlluLayout(tag_column), display_name="my.conllu")

    return scan_text


@pytest.fixture
def read(scan):
    def read_text(text, *, tag_column="upos"):
        return list(read_sentences(scan(text, tag_column), tag_column=tag_column))

    return read_text


def test_ranges_and_empty_nodes_are_ignored(read):
    first, second = read(TEXT)
    assert first.tokens == ("vamos", "nos", "a", "el", "#", "10 000")
    assert first.tags == ("VERB", "PRON", "ADP", "DET", "SYM", "NOUN")
    assert (first.file, first.line) == ("my.conllu", 5)
    assert (second.tokens, second.line) == (("sí",), 16)


def test_the_other_tags(read):
    assert read(TEXT, tag_column="xpos")[1].tags == ("I",)


def test_blocks_have_metadata(scan):
    blocks = list(scan(TEXT))
    assert [block.metadata("sent_id") for block in blocks] == ["d-1", "d-2"]
    assert blocks[0].metadata("text") == "vámonos al # mar"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "1\ta\tl\tX\n",
            "my.conllu:1: wrong number of columns\n  expected: the 10 columns of CoNLL-U separated by tabs",
        ),
        (
            ROW.format(id=1, token="", upos="X"),
            "my.conllu:1:3: empty token\n  expected: at least one character\n",
        ),
        (ROW.format(id=1, token="a", upos=""), "my.conllu:1:7: empty field in column upos\n"),
        (
            ROW.format(id=2, token="a", upos="X"),
            "my.conllu:1:1: wrong word id\n  expected: 1, a range such as 1-2",
        ),
        (
            ROW.format(id="x", token="a", upos="X"),
            "received: 'x'\n  remedy: number the words of each sentence from 1",
        ),
        (
            ROW.format(id=1, token="a", upos="_"),
            "my.conllu:1:7: no tag in column upos\n  expected: a tag for each",
        ),
        ("# text\n", "my.conllu:1: no sentences\n"),
    ],
)
def test_errors(read, text, expected):
    with pytest.raises(CorpusError) as caught:
        read(text)
    assert expected in str(caught.value)


def test_an_invalid_line_is_one_error(scan):
    error, block = scan(
        ROW.format(id=1, token="a", upos="_") + "2\tb\n" + ROW.format(id=3, token="c", upos="X")
    )
    assert isinstance(error, CorpusError)
    assert error.line == 2
    assert block.column("token") == ("a", "c")


@pytest.mark.parametrize("word_id", ["3-2", "2-2", "10-9"])
def test_a_range_that_does_not_rise_is_an_error(read, word_id):
    text = ROW.format(id=1, token="a", upos="DET") + ROW.format(id=word_id, token="b", upos="_")
    with pytest.raises(CorpusError, match=rf"my\.conllu:2:1: wrong word id[\s\S]*'{word_id}'"):
        read(text)
