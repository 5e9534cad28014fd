from __future__ import annotations

import pytest

from seqlab.corpora.joining import UniversalNerLayout, join_by_id, join_in_order
from seqlab.corpus.blocks import scan_blocks
from seqlab.corpus.conll import ConllLayout
from seqlab.errors import CorpusError


@pytest.fixture
def blocks(tmp_path):
    def read(name, *sentences):
        """Sentences as `id: tokens`."""
        path = tmp_path / name
        with path.open("w") as stream:
            for identity, _, tokens in (sentence.partition(": ") for sentence in sentences):
                if identity:
                    stream.write(f"# sent_id = {identity}\n")
                stream.writelines(f"{token}\tO\n" for token in tokens.split())
                stream.write("\n")
        return list(scan_blocks(path, layout=ConllLayout(("token", "ner")), display_name=name))

    return read


def joined(pairs):
    return [
        (word.metadata("sent_id"), annotation.metadata("sent_id"), word.column("token"))
        for word, annotation in pairs
    ]


def message(pairs):
    with pytest.raises(CorpusError) as caught:
        list(pairs)
    return str(caught.value)


def test_ids_join_in_the_order_of_the_words(blocks):
    pairs = join_by_id(blocks("ud", "a: Ann ran", "b: Yes"), blocks("ner", "b: Yes", "a: Ann ran"))
    assert joined(pairs) == [("a", "a", ("Ann", "ran")), ("b", "b", ("Yes",))]


def test_sentences_join_in_order_whatever_their_ids(blocks):
    pairs = join_in_order(blocks("ud", "a: Ann ran", "b: Yes"), blocks("ner", "x: Ann ran", "y: Yes"))
    assert joined(pairs) == [("a", "x", ("Ann", "ran")), ("b", "y", ("Yes",))]


@pytest.mark.parametrize("join", [join_by_id, join_in_order])
def test_tokens_must_agree(blocks, join):
    assert message(join(blocks("ud", "a: Yes", "b: Ann ran"), blocks("ner", "a: Yes", "b: Ann runs"))) == (
        "ner:6: the tokens of a sentence differ, starting at token 2\n"
        "  expected: 'ran', as at ud:6\n"
        "  received: 'runs'\n"
        "  remedy: the two files are different versions: use the commits that belong together"
    )


@pytest.mark.parametrize(
    ("words", "annotations", "expected", "received"),
    [
        ("Ann ran", "Ann", "'ran', as at ud:3", "the end of the sentence"),
        ("Ann", "Ann ran", "the end of the sentence, as at ud:2", "'ran'"),
    ],
)
def test_a_sentence_that_ends_early_is_told(blocks, words, annotations, expected, received):
    text = message(join_in_order(blocks("ud", f"a: {words}"), blocks("ner", f"a: {annotations}")))
    assert f"  expected: {expected}\n  received: {received}\n" in text


def test_each_sentence_needs_its_counterpart(blocks):
    one, two = ("a: Yes",), ("a: Yes", "b: No")
    assert "ud:5: a sentence has no counterpart" in message(
        join_by_id(blocks("ud", *two), blocks("ner", *one))
    )
    assert "ner:5: a sentence has no counterpart" in message(
        join_by_id(blocks("ud", *one), blocks("ner", *two))
    )
    assert "received: b" in message(join_by_id(blocks("ud", *one), blocks("ner", *two)))


def test_one_file_must_not_be_longer(blocks):
    one, two = ("a: Yes",), ("a: Yes", "b: No")
    longer_words = message(join_in_order(blocks("ud", *two), blocks("ner", *one)))
    longer_annotations = message(join_in_order(blocks("ud", *one), blocks("ner", *two)))
    assert "ud:5: a sentence has no counterpart" in longer_words
    assert "ner:5: a sentence has no counterpart" in longer_annotations
    assert "received: sentence 2" in longer_annotations


def test_ids_must_be_there_and_be_unique(blocks):
    good = ("a: Yes",)
    without = message(join_by_id(blocks("ud", *good), blocks("ner", ": Yes")))
    twice = message(join_by_id(blocks("ud", *good), blocks("ner", "a: Yes", "a: Yes")))
    assert "ner:1: a sentence has no id" in without
    assert "ner:5: a sentence has a duplicate id" in twice
    assert "received: a, as in line 2" in twice


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
        "x.iob2:1: this line is not a word with a tag\n"
        "  expected: 1, a word and a tag, separated by tabs\n"
        f"  received: {row!r}\n"
        "  remedy: number the words of each sentence from 1, and put a blank line after each sentence"
    )
