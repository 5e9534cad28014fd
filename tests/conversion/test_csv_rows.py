from __future__ import annotations

import pytest

from seqlab.conversion.csv_rows import read_csv
from seqlab.errors import CorpusError


def rows(records):
    return [(record.tokens, dict(record.columns), record.line, record.id) for record in records]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_sentences_by_id(read, delimiter):
    text = "sentence_id,token,tag\n1,EU,B-ORG\n1,x,O\n2,y,O\n".replace(",", delimiter)
    records, _, _ = read(read_csv, "a.csv", text)
    assert rows(records) == [
        (("EU", "x"), {"ner": ("B-ORG", "O")}, 2, "1"),
        (("y",), {"ner": ("O",)}, 4, "2"),
    ]


def test_the_form_of_kaggles_corpus(read):
    text = '\ufeffSentence #,Word,POS,Tag\nSentence: 1,of,IN,O\n,London,NNP,B-geo\nSentence: 2,"""","""",O\n'
    records, _, _ = read(read_csv, "a.csv", text)
    assert rows(records) == [
        (("of", "London"), {"pos": ("IN", "NNP"), "ner": ("O", "B-geo")}, 2, "Sentence: 1"),
        (('"',), {"pos": ('"',), "ner": ("O",)}, 4, "Sentence: 2"),
    ]


def test_empty_rows_end_sentences(read):
    records, _, _ = read(read_csv, "a.csv", "token,ner\na,O\n\nb,O\n,\nc,O\n")
    assert [record.tokens for record in records] == [("a",), ("b",), ("c",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.csv:1: the header cannot be read"),
        ("a,b\n1,2\n", "a.csv:1: the header cannot be read"),
        ("token\na\n", "a.csv:1: the header cannot be read"),
        ("token,tag,tags\na,O,O\n", "a.csv:1: the header cannot be read"),
        ("token,tag\na,O\nb\n", "a.csv:3: the row cannot be read\n  expected: 2 fields in one line"),
        ('token,tag\n",O\nb,O\n"c,O\n', "a.csv:4: the row cannot be read\n(.|\n)*four quotation marks"),
        ("token,tag\na,\n", "a.csv:2: the record cannot be read\n  expected: a label"),
    ],
)
def test_errors(read, text, message):
    with pytest.raises(CorpusError, match=message):
        read(read_csv, "a.csv", text)
