from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.corpus.conll import ConllLayout, check_tag_column, count_sentences, read_conll, write_conll
from seqlab.corpus.sentence import Sentence
from seqlab.errors import CorpusError


@pytest.fixture
def read(tmp_path):
    def read_text(text, *, columns=("token", "upos", "ner"), tag_column="ner", **arguments):
        path = tmp_path / "my.conll"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        arguments = {"display_name": "my.conll"} | arguments
        return list(read_conll(path, columns=columns, tag_column=tag_column, **arguments))

    return read_text


def pairs(sentences):
    return [list(zip(sentence.tokens, sentence.tags, strict=True)) for sentence in sentences]


def message(read, text, **arguments):
    with pytest.raises(CorpusError) as caught:
        read(text, **arguments)
    return str(caught.value)


def test_sentences_know_their_tokens_tags_and_places(read):
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
def test_what_stands_around_sentences_does_not_matter(read, text):
    assert pairs(read(text)) == [[("a", "O")], [("b", "O")]]


def test_a_token_may_be_the_comment_sign(read):
    assert pairs(read("#\tNOUN\tO\n# 1\tNUM\tO\n")) == [[("#", "O"), ("# 1", "O")]]


def test_without_a_comment_prefix_nothing_is_a_comment(read):
    text = "# a comment\nb\tX\tO\n"
    assert "my.conll:1: wrong number of columns" in message(read, text, comment_prefix=None)


def test_between_spaces_a_comment_is_told_from_a_token_by_its_place_and_width(read):
    text = "# sent_id = 1\n# NOUN O\n# X\n"
    assert "my.conll:3: wrong number of columns" in message(read, text, separator=" ")
    assert pairs(read("# sent_id = 1\n# NOUN O\na X O\n", separator=" ")) == [[("#", "O"), ("a", "O")]]


def test_no_break_spaces_marks_and_directions_stay_in_tokens(read):
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


def test_columns_that_nobody_wants(read):
    columns = ("_", "token", "_", "ner")
    assert pairs(read("1\ta\t\tO\n", columns=columns)) == [[("a", "O")]]


def test_a_sentence_of_ten_thousand_tokens(read):
    (sentence,) = read("a\tX\tO\n" * 10_000)
    assert len(sentence.tokens) == 10_000


def test_a_sentence_without_end_is_refused(read):
    assert message(read, "\na\tX\tO\na\tX\tO\na\tX\tO\n", max_sentence_tokens=2) == (
        "my.conll:2: the sentence is too long\n"
        "  expected: at most 2 tokens before the next blank line\n"
        "  received: more\n"
        "  remedy: put a blank line after each sentence"
    )


def test_wrong_number_of_columns(read):
    assert message(read, "From\tADP\n") == (
        "my.conll:1: wrong number of columns\n"
        "  expected: 3 columns (token, upos, ner) between tabs\n"
        "  received: 2: 'From\\tADP'\n"
        "  remedy: name the file's columns in order"
    )


def test_a_number_of_columns_that_changes_midway(read):
    assert message(read, "a\tX\tO\n\nb\tX\tO\nc\tX\tO\tO\n") == (
        "my.conll:4: wrong number of columns\n"
        "  expected: 3 columns (token, upos, ner) between tabs\n"
        "  received: 4: 'c\\tX\\tO\\tO'\n"
        "  remedy: write this line as those before it"
    )


def test_spaces_where_tabs_are_declared(read):
    assert message(read, "From ADP O\n") == (
        "my.conll:1: wrong number of columns\n"
        "  expected: 3 columns (token, upos, ner) between tabs\n"
        "  received: 1: 'From ADP O'\n"
        "  remedy: the line holds spaces and no tab: set the separator to ' ' or 'whitespace' if all do"
    )


def test_tabs_where_spaces_are_declared(read):
    assert message(read, "From\tADP\tO\n", separator=" ") == (
        "my.conll:1: wrong number of columns\n"
        "  expected: 3 columns (token, upos, ner) between single spaces\n"
        "  received: 1: 'From\\tADP\\tO'\n"
        "  remedy: the line holds tabs: set the separator to a tab if all do, or to 'whitespace'"
    )


def test_runs_of_spaces_where_single_ones_are_declared(read):
    text = message(read, "From  ADP O\n", separator=" ")
    assert "remedy: several spaces follow each other: set the separator to 'whitespace'" in text


@pytest.mark.parametrize(
    ("text", "separator", "first_line"),
    [
        ("a\tX\tO\nb \tX\tO\n", "\t", "my.conll:2:1: space beside the column token"),
        ("a\tX\t O\n", "\t", "my.conll:1:5: space beside the column ner"),
        ("a X\t O\n", " ", "my.conll:1:3: tab beside the column upos"),
    ],
)
def test_tabs_beside_spaces(read, text, separator, first_line):
    received = message(read, text, separator=separator)
    assert received.startswith(first_line + "\n  expected: columns between ")
    assert "remedy: remove it, or set the separator to 'whitespace'" in received


def test_empty_token(read):
    assert message(read, "a\tX\tO\n\tX\tO\n") == (
        "my.conll:2:1: empty token\n"
        "  expected: at least one character\n"
        "  received: '\\tX\\tO'\n"
        "  remedy: write it, or name the column '_' to ignore it"
    )


def test_empty_tag(read):
    assert message(read, "a\tX\t\n").startswith("my.conll:1:5: empty tag in column ner\n")


def test_invalid_tag(read):
    assert message(read, "Ann\tX\tB-PER\nran\tX\tVERB\n", tag_scheme="IOB2") == (
        "my.conll:2:7: invalid tag in column ner (IOB2)\n"
        "  expected: O, or one of B, I, a hyphen and an entity type (IOB2)\n"
        "  received: 'VERB'\n"
        "  remedy: mend the tags, or set tag_repair to read them as the CoNLL evaluation script would"
    )


def test_invalid_transition_names_both_tags(read):
    assert message(read, "a\tX\tB-PER\n# c\nb\tX\tI-LOC\n", tag_scheme="BIO") == (
        "my.conll:3:5: invalid transition in column ner (IOB2)\n"
        "  expected: B-LOC, or I-LOC after B-LOC or I-LOC\n"
        "  received: I-LOC after B-PER\n"
        "  remedy: mend the tags, or set tag_repair to read them as the CoNLL evaluation script would"
    )


def test_a_scheme_other_than_declared_is_named(read):
    text = message(read, "a X  O\nb X  I-PER\n", tag_scheme="IOB2", separator="whitespace")
    assert text.startswith("my.conll:2:6: invalid transition in column ner (IOB2)\n")
    assert "remedy: this sentence is valid in IOB1: set tag_scheme if all are, or mend" in text


def test_repair_is_done_where_it_is_asked_for_and_told(read):
    told = []
    (sentence, _) = read(
        "a\tX\tI-PER\nb\tX\tI-LOC\n\nc\tX\tO\n",
        tag_scheme="IOB2",
        tag_repair=True,
        on_repair=lambda sentence, repairs: told.append((sentence.line, repairs)),
    )
    assert sentence.tags == ("B-PER", "B-LOC")
    assert told == [(1, 2)]


def test_what_no_repair_can_read_stays_an_error(read):
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


def test_unknown_tag_column_is_refused_before_reading(tmp_path):
    with pytest.raises(
        CorpusError,
        match=r"the corpus has no such tag column\n  expected: one of upos, ner\n  received: 'pos'",
    ):
        read_conll(tmp_path / "none", columns=["token", "upos", "_", "ner"], tag_column="pos")


def test_a_corpus_without_tags():
    with pytest.raises(CorpusError, match=r"corpus x: the corpus.*\n  expected: a corpus with a tag column"):
        check_tag_column("ner", ["token"], where="corpus x")


@pytest.mark.parametrize("columns", [("form", "ner"), ("token", "ner", "ner"), ()])
def test_columns_that_are_not_named_well(columns):
    with pytest.raises(
        CorpusError, match=r"columns: the columns are not named well\n  expected: .*one of them token"
    ):
        ConllLayout(columns)


def test_unknown_separator():
    with pytest.raises(CorpusError, match=r"unknown separator\n  expected: a tab, .*\n  received: ','"):
        ConllLayout(("token", "ner"), ",")


def test_the_path_is_the_name_where_no_other_is_given(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("a\n")
    with pytest.raises(CorpusError, match=rf"^{path}:1: wrong number"):
        list(read_conll(path, columns=["token", "ner"], tag_column="ner"))


def test_counting(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("a\tO\n\n\nb\tO\nc\tI-PER\n")
    assert count_sentences(path, columns=["token", "ner"]) == 2
    with pytest.raises(CorpusError, match=r"a\.conll:1: wrong number of columns"):
        count_sentences(path, columns=["token"])


def test_writing_gives_a_file_that_reads_the_same(tmp_path):
    sentences = [Sentence(("#", "10\u00a0000"), ("O", "B-X")), Sentence(("a b",), ("O",))]
    path = tmp_path / "out" / "a.conll"
    assert write_conll(path, sentences) == 2
    assert path.read_bytes() == "#\tO\n10\u00a0000\tB-X\n\na b\tO\n\n".encode()
    assert pairs(read_conll(path, columns=["token", "ner"], tag_column="ner")) == pairs(sentences)


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("before")
    with pytest.raises(ValueError, match="cannot be written as a CoNLL line"):
        write_conll(path, [Sentence(("a",), ("O",)), Sentence(("b\tc",), ("O",))])
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


FIELD = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zs"]), min_size=1, max_size=6).filter(
    lambda field: field != "-DOCSTART-" and not field.startswith("\ufeff")
)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.lists(st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=5), min_size=1, max_size=5))
def test_any_tokens_are_read_as_they_were_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("round-trip") / "a.conll"
    sentences = [Sentence(*map(tuple, zip(*sentence, strict=True))) for sentence in rows]
    write_conll(path, sentences)
    assert pairs(read_conll(path, columns=["token", "ner"], tag_column="ner")) == pairs(sentences)
