from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqlab.corpus import blocks
from seqlab.corpus.blocks import read_sentences, scan_blocks
from seqlab.corpus.conll import ConllLayout, check_tag_column, find_layout
from seqlab.corpus.sentence import Sentence
from seqlab.errors import CorpusError


@pytest.fixture
def read(tmp_path):
    def read_text(
        text,
        *,
        columns=("token", "upos", "ner"),
        separator="\t",
        comment_prefix="# ",
        tag_column="ner",
        **arguments,
    ):
        path = tmp_path / "my.conll"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        layout = ConllLayout(columns, separator, comment_prefix)
        scanned = scan_blocks(path, layout=layout, display_name="my.conll")
        return list(read_sentences(scanned, tag_column=tag_column, **arguments))

    return read_text


def pairs(sentences):
    return [list(zip(sentence.tokens, sentence.tags, strict=True)) for sentence in sentences]


def message(read, text, **arguments):
    with pytest.raises(CorpusError) as caught:
        read(text, **arguments)
    return str(caught.value)


def test_sentences_have_tokens_tags_and_a_place(read):
    sentences = read("# sent_id = 1\nAnn\tPROPN\tB-PER\nran\tVERB\tO\n\nYes\tINTJ\tO\n")
    assert sentences == [
        Sentence(("Ann", "ran"), ("B-PER", "O"), "my.conll", 2),
        Sentence(("Yes",), ("O",), "my.conll", 5),
    ]


def test_another_column_gives_other_tags(read):
    assert pairs(read("Ann\tPROPN\tB-PER\n", tag_column="upos")) == [[("Ann", "PROPN")]]


@pytest.mark.parametrize(
    "text",
    [
        "a\tX\tO\n\nb\tX\tO\n\n",
        "a\tX\tO\n\nb\tX\tO",
        "\n\na\tX\tO\n\n\n\nb\tX\tO\n\n\n",
        "\ufeffa\tX\tO\r\n\r\nb\tX\tO\r\n",
        "a\tX\tO  \n  \nb\tX\tO \n",
        "# comment\n\na\tX\tO\n# in between\n\n# before\nb\tX\tO\n# after\n",
        "-DOCSTART-\t-X-\tO\n\na\tX\tO\n-DOCSTART-\t-X-\tO\nb\tX\tO\n",
        "-DOCSTART-\n\na\tX\tO\n\n-DOCSTART-\tO\n\nb\tX\tO\n",
    ],
    ids=[
        "plain",
        "no last line end",
        "blank lines",
        "BOM and CRLF",
        "spaces",
        "comments",
        "docstart",
        "bare docstart",
    ],
)
def test_sentences_do_not_depend_on_the_lines_around_them(read, text):
    assert pairs(read(text)) == [[("a", "O")], [("b", "O")]]


def test_a_token_can_be_the_comment_sign(read):
    assert pairs(read("#\tNOUN\tO\n# 1\tNUM\tO\n")) == [[("#", "O"), ("# 1", "O")]]


def test_without_a_comment_prefix_there_are_no_comments(read):
    text = "# a comment\nb\tX\tO\n"
    assert "my.conll:1: wrong number of columns" in message(read, text, comment_prefix=None)


def test_with_spaces_the_place_and_width_of_a_line_make_it_a_comment(read):
    text = "# sent_id = 1\n# NOUN O\n# X\n"
    assert "my.conll:3: wrong number of columns" in message(read, text, separator=" ")
    assert pairs(read("# sent_id = 1\n# NOUN O\na X O\n", separator=" ")) == [[("#", "O"), ("a", "O")]]


def test_tokens_keep_no_break_spaces_combining_marks_and_direction_marks(read):
    tokens = ["10\u00a0000", "e\u0301te\u0301", "\u200fשלום", "नमस्ते", "👩\u200d💻", "a b"]
    (sentence,) = read("".join(f"{token}\tX\tO\n" for token in tokens))
    assert list(sentence.tokens) == tokens


def test_no_break_spaces_do_not_separate_columns(read):
    ((first, *_), *_) = pairs(read("  10\u00a0000 \t NUM\tO \t\n", separator="whitespace"))
    assert first == ("10\u00a0000", "O")


@pytest.mark.parametrize("separator", ["\t", "tab", " ", "space", "whitespace"])
def test_separators(read, separator):
    mark = "\t" if separator in ("\t", "tab") else " "
    assert pairs(read(f"a{mark}X{mark}O\n", separator=separator)) == [[("a", "O")]]


def test_ignored_columns(read):
    columns = ("_", "token", "_", "ner")
    assert pairs(read("1\ta\t\tO\n", columns=columns)) == [[("a", "O")]]


def test_a_sentence_of_ten_thousand_tokens(read):
    (sentence,) = read("a\tX\tO\n" * 10_000)
    assert len(sentence.tokens) == 10_000


def test_a_sentence_that_is_too_long_raises(read, monkeypatch):
    monkeypatch.setattr(blocks, "MAX_SENTENCE_TOKENS", 2)
    assert message(read, "\na\tX\tO\na\tX\tO\na\tX\tO\n") == (
        "my.conll:2: the sentence is too long\n"
        "  expected: at most 2 tokens before the next blank line\n"
        "  received: more\n"
        "  remedy: put a blank line after each sentence"
    )


def test_wrong_number_of_columns(read):
    assert message(read, "From\tADP\n") == (
        "my.conll:1: wrong number of columns\n"
        "  expected: 3 columns (token, upos, ner) separated by tabs\n"
        "  received: 2: 'From\\tADP'\n"
        "  remedy: name all columns of the file in order"
    )


def test_a_number_of_columns_that_changes(read):
    assert message(read, "a\tX\tO\n\nb\tX\tO\nc\tX\tO\tO\n") == (
        "my.conll:4: wrong number of columns\n"
        "  expected: 3 columns (token, upos, ner) separated by tabs\n"
        "  received: 4: 'c\\tX\\tO\\tO'\n"
        "  remedy: write this line like the lines before it"
    )


def test_spaces_instead_of_tabs(read):
    assert message(read, "From ADP O\n") == (
        "my.conll:1: wrong number of columns\n"
        "  expected: 3 columns (token, upos, ner) separated by tabs\n"
        "  received: 1: 'From ADP O'\n"
        "  remedy: if all lines have 3 columns separated by single spaces, set the separator to 'space'"
    )


def test_tabs_instead_of_spaces(read):
    assert message(read, "From\tADP\tO\n", separator=" ") == (
        "my.conll:1: wrong number of columns\n"
        "  expected: 3 columns (token, upos, ner) separated by single spaces\n"
        "  received: 1: 'From\\tADP\\tO'\n"
        "  remedy: if all lines have 3 columns separated by tabs, set the separator to 'tab'"
    )


def test_runs_of_spaces_instead_of_single_spaces(read):
    text = message(read, "From  ADP O\n", separator=" ")
    assert "3 columns separated by runs of spaces and tabs, set the separator to 'whitespace'" in text


@pytest.mark.parametrize(
    ("text", "separator", "first_line"),
    [
        ("a\tX\tO\nb \tX\tO\n", "\t", "my.conll:2:1: space beside column token"),
        ("a\tX\t O\n", "\t", "my.conll:1:5: space beside column ner"),
        ("a X\t O\n", " ", "my.conll:1:3: tab beside column upos"),
    ],
)
def test_tabs_beside_spaces(read, text, separator, first_line):
    received = message(read, text, separator=separator)
    assert received.startswith(first_line + "\n  expected: columns separated by ")
    assert "remedy: remove it, or set the separator to 'whitespace'" in received


def test_empty_token(read):
    assert message(read, "a\tX\tO\n\tX\tO\n") == (
        "my.conll:2:1: empty token\n"
        "  expected: at least one character\n"
        "  received: '\\tX\\tO'\n"
        "  remedy: add the missing value, or name the column '_' to ignore it"
    )


def test_empty_tag(read):
    assert message(read, "a\tX\t\n").startswith("my.conll:1:5: empty tag in column ner\n")


def test_invalid_tag(read):
    assert message(read, "Ann\tX\tB-PER\nran\tX\tVERB\n", tag_scheme="IOB2") == (
        "my.conll:2:7: invalid tag in column ner (IOB2)\n"
        "  expected: O, or one of B, I, a hyphen and an entity type (IOB2)\n"
        "  received: 'VERB'\n"
        "  remedy: fix the tags, or set tag_repair to read them like the CoNLL evaluation script"
    )


def test_invalid_transition_names_both_tags(read):
    assert message(read, "a\tX\tB-PER\n# c\nb\tX\tI-LOC\n", tag_scheme="BIO") == (
        "my.conll:3:5: invalid transition in column ner (IOB2)\n"
        "  expected: B-LOC, or I-LOC after B-LOC or I-LOC\n"
        "  received: I-LOC after B-PER\n"
        "  remedy: fix the tags, or set tag_repair to read them like the CoNLL evaluation script"
    )


def test_an_invalid_sentence_that_is_valid_in_another_scheme(read):
    text = message(read, "a X  O\nb X  I-PER\n", tag_scheme="IOB2", separator="whitespace")
    assert text.startswith("my.conll:2:6: invalid transition in column ner (IOB2)\n")
    assert "remedy: this sentence is valid in IOB1: set tag_scheme if all are, or fix" in text


def test_repairs_are_reported(read):
    repaired = []
    (sentence, _) = read(
        "a\tX\tI-PER\nb\tX\tI-LOC\n\nc\tX\tO\n",
        tag_scheme="IOB2",
        tag_repair=True,
        on_repair=lambda sentence, repairs: repaired.append((sentence.line, repairs)),
    )
    assert sentence.tags == ("B-PER", "B-LOC")
    assert repaired == [(1, 2)]


def test_an_unreadable_tag_raises_in_spite_of_repair(read):
    text = message(read, "a\tX\tI-PER\nb\tX\tLOC\n", tag_scheme="IOB2", tag_repair=True)
    assert text.startswith("my.conll:2:5: invalid tag in column ner (IOB2)\n")
    assert "received: 'LOC'" in text


def test_latin_1(read):
    text = message(read, "a\tX\tO\ncafé\tX\tO\n".encode("latin-1"))
    assert text.startswith("my.conll:2:4: the text is not UTF-8\n")


def test_nul(read):
    assert message(read, b"a\tX\tO\nb\0\tX\tO\n").startswith("my.conll:2:2: NUL in the text\n")


@pytest.mark.parametrize(
    ("text", "line"), [("", 1), ("\n\n", 2), ("# nothing but this\n", 1), ("-DOCSTART-\tX\tO\n", 1)]
)
def test_no_sentences(read, text, line):
    received = message(read, text)
    assert received.startswith(f"my.conll:{line}: no sentences\n")
    assert "expected: at least one line with a token and its tags" in received


def test_unknown_tag_column():
    with pytest.raises(
        CorpusError,
        match=r"the corpus has no such tag column\n  expected: one of upos, ner\n  received: 'pos'",
    ):
        check_tag_column("pos", ["token", "upos", "_", "ner"])


def test_a_corpus_without_tags():
    with pytest.raises(CorpusError, match=r"corpus x: the corpus.*\n  expected: a corpus with a tag column"):
        check_tag_column("ner", ["token"], where="corpus x")


@pytest.mark.parametrize("columns", [("form", "ner"), ("token", "ner", "ner"), ()])
def test_invalid_column_names(columns):
    with pytest.raises(CorpusError, match=r"columns: invalid column names\n  expected: .*one of them token"):
        ConllLayout(columns)


def test_unknown_separator():
    with pytest.raises(CorpusError, match=r"unknown separator\n  expected: a tab, .*\n  received: ','"):
        ConllLayout(("token", "ner"), ",")


@pytest.mark.parametrize(
    ("texts", "separator", "found"),
    [
        (["a X O", "b Y O"], "\t", (" ", 3)),
        (["a  X O", "b Y   O"], "\t", ("whitespace", 3)),
        (["a\tX\tO", "b c\tY\tO"], " ", ("\t", 3)),
        (["a\tX\t", "b\tY\t"], "whitespace", ("\t", 3)),
        (["a\tX O"], " ", ("whitespace", 3)),
        (["a X O"] * 9 + ["-DOCSTART- O"], "\t", (" ", 3)),
        (["one", "two"], "\t", None),
        (["one two", "three", "four five six"], "\t", None),
    ],
)
def test_finding_the_layout_of_lines(texts, separator, found):
    assert find_layout(texts, ConllLayout(("token", "upos", "ner"), separator)) == found


def test_errors_use_the_path_without_a_display_name(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("a\n")
    (error,) = scan_blocks(path, layout=ConllLayout(("token", "ner")))
    assert str(error).startswith(f"{path}:1: wrong number")


FIELD = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zs"]), min_size=1, max_size=6).filter(
    lambda field: field != "-DOCSTART-" and not field.startswith("\ufeff")
)


@settings(
    derandomize=True,
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=5), min_size=1, max_size=5))
def test_any_tokens_are_read_as_they_were_written(read, rows):
    text = "".join("".join(f"{token}\t{tag}\n" for token, tag in sentence) + "\n" for sentence in rows)
    assert pairs(read(text, columns=("token", "ner"))) == rows
