from __future__ import annotations

import pytest

from seqlab.corpus.conllu import read_conllu, scan_conllu
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
def path(tmp_path):
    return tmp_path / "a.conllu"


def test_words_are_read_and_ranges_and_empty_nodes_are_not(path):
    path.write_text(TEXT)
    first, second = read_conllu(path, tag_column="upos", display_name="my.conllu")
    assert first.tokens == ("vamos", "nos", "a", "el", "#", "10 000")
    assert first.tags == ("VERB", "PRON", "ADP", "DET", "SYM", "NOUN")
    assert (first.file, first.line) == ("my.conllu", 5)
    assert (second.tokens, second.line) == (("sí",), 16)


def test_the_other_tags(path):
    path.write_text(TEXT)
    assert [sentence.tags for sentence in read_conllu(path, tag_column="xpos")][1] == ("I",)


def test_comments_are_kept_as_provenance(path):
    path.write_text(TEXT)
    blocks = list(scan_conllu(path))
    assert [block.metadata("sent_id") for block in blocks] == ["d-1", "d-2"]
    assert blocks[0].metadata("text") == "vámonos al # mar"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "1\ta\tl\tX\n",
            "my.conllu:1: wrong number of columns\n  expected: the 10 columns of CoNLL-U between tabs",
        ),
        (
            ROW.format(id=1, token="", upos="X"),
            "my.conllu:1:3: empty token\n  expected: at least one character, '_'",
        ),
        (ROW.format(id=1, token="a", upos=""), "my.conllu:1:7: empty field in column upos\n"),
        (
            ROW.format(id=2, token="a", upos="X"),
            "my.conllu:1:1: wrong word id\n  expected: 1, a range such as 1-2",
        ),
        (
            ROW.format(id="x", token="a", upos="X"),
            "received: 'x'\n  remedy: number each sentence's words from 1",
        ),
        (
            ROW.format(id=1, token="a", upos="_"),
            "my.conllu:1:7: no tag in column upos\n  expected: a tag for each",
        ),
        ("# text\n", "my.conllu:1: no sentences\n"),
    ],
)
def test_errors(path, text, expected):
    path.write_text(text)
    with pytest.raises(CorpusError) as caught:
        list(read_conllu(path, tag_column="upos", display_name="my.conllu"))
    assert expected in str(caught.value)


def test_scanning_names_one_problem_for_one_bad_line(path):
    path.write_text(ROW.format(id=1, token="a", upos="X") + "2\tb\n" + ROW.format(id=3, token="c", upos="X"))
    error, block = scan_conllu(path)
    assert isinstance(error, CorpusError)
    assert error.line == 2
    assert block.column("token") == ("a", "c")


def test_columns_that_are_no_tags_are_refused_at_once(path):
    with pytest.raises(
        CorpusError, match=r"no such tag column\n  expected: one of upos, xpos\n  received: 'ner'"
    ):
        read_conllu(path, tag_column="ner")
