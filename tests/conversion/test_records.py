from __future__ import annotations

import json

import pytest

from seqlab.conversion.records import (
    CharacterSpan,
    Reading,
    TextRecord,
    TokenRecord,
    column_name,
    is_known_field,
    parse_record,
)
from seqlab.errors import CorpusError

MARIE = "Marie Curie was born in Warsaw."
SPANS = (CharacterSpan("PER", 0, 11), CharacterSpan("LOC", 24, 30))
TASK = {
    "id": 3,
    "data": {"text": MARIE},
    "annotations": [
        {"was_cancelled": True, "result": []},
        {
            "was_cancelled": False,
            "result": [
                {
                    "type": "labels",
                    "value": {"start": 0, "end": 11, "text": "Marie Curie", "labels": ["PER"]},
                },
                {"type": "labels", "value": {"start": 24, "end": 30, "text": "Warsaw", "labels": ["LOC"]}},
                {"type": "relation", "from_id": "a", "to_id": "b"},
            ],
        },
    ],
    "predictions": [{"result": []}],
}


def parse(value, reading=None):
    return parse_record(
        json.loads(json.dumps(value)), file="a.jsonl", line=7, reading=reading or Reading("ner")
    )


@pytest.mark.parametrize(
    "value",
    [
        {"text": MARIE, "label": [[0, 11, "PER"], [24, 30, "LOC"]]},  # doccano
        {"text": MARIE, "labels": [[0, 11, "PER"], [24, 30, "LOC"]]},
        {"data": MARIE, "label": [[0, 11, "PER"], [24, 30, "LOC"]]},
        {  # doccano with relations
            "text": MARIE,
            "entities": [
                {"id": 1, "label": "PER", "start_offset": 0, "end_offset": 11},
                {"id": 2, "label": "LOC", "start_offset": 24, "end_offset": 30},
            ],
            "relations": [],
        },
        {  # Prodigy
            "text": MARIE,
            "tokens": [{"text": "Marie", "start": 0, "end": 5, "id": 0}],
            "spans": [
                {"start": 0, "end": 11, "label": "PER", "token_start": 0},
                {"start": 24, "end": 30, "label": "LOC"},
            ],
            "answer": "accept",
        },
        {  # seqlab tag --format json
            "line": 1,
            "text": MARIE,
            "tokens": [{"text": "Marie", "start": 0, "end": 5, "tag": "B-PER", "probability": 0.9}],
            "spans": [
                {
                    "type": "PER",
                    "text": "Marie Curie",
                    "start": 0,
                    "end": 11,
                    "start_token": 0,
                    "end_token": 2,
                },
                {"type": "LOC", "text": "Warsaw", "start": 24, "end": 30, "start_token": 5, "end_token": 6},
            ],
        },
        [MARIE, {"entities": [[0, 11, "PER"], [24, 30, "LOC"]]}],  # spaCy 2
        {**TASK, "id": ""},  # Label Studio
        {  # Label Studio JSON-MIN
            "text": MARIE,
            "label": [
                {"start": 0, "end": 11, "text": "Marie Curie", "labels": ["PER"]},
                {"start": 24, "end": 30, "text": "Warsaw", "labels": ["LOC"]},
            ],
        },
    ],
)
def test_texts_with_spans(value):
    reading = Reading("ner")
    assert parse(value, reading) == TextRecord(MARIE, SPANS, "a.jsonl", 7)
    assert reading.warnings.listed == []


def test_tokens_with_tags():
    record = parse(
        {"id": 5, "tokens": ["EU", "rejects"], "ner_tags": ["B-ORG", "O"], "pos_tags": ["NNP", "VBZ"]}
    )
    columns = {"ner": ("B-ORG", "O"), "pos": ("NNP", "VBZ")}
    assert record == TokenRecord(("EU", "rejects"), columns, "a.jsonl", 7, "5")
    assert parse({"words": ["a"], "tags": ["O"]}).columns == {"ner": ("O",)}


def test_tags_that_are_numbers_need_names():
    value = {"tokens": ["EU", "x"], "ner_tags": [1, 0]}
    reading = Reading("ner", tag_names={"ner_tags": ["O", "B-ORG"]})
    assert parse(value, reading).columns == {"ner": ("B-ORG", "O")}
    with pytest.raises(CorpusError, match=r"a.jsonl:7: .*\n  expected: text in ner_tags; the names of tags"):
        parse(value)
    with pytest.raises(CorpusError, match="received: 2"):
        parse({"tokens": ["EU"], "ner_tags": [2]}, reading)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "expected: a record is a JSON object\n  received: 3"),
        ({}, "received: the fields of an empty object"),
        ({"url": "x"}, "received: the fields url"),
        ({"text": "x", "label": "POS"}, "received: the label 'POS' of the whole text"),
        ({"text": "x", "spans": {"a": 1}}, "expected: a list of spans"),
        ({"text": "x", "spans": [[0, 1]]}, r"expected: spans as \[start, end, label\]"),
        ({"text": "x", "spans": [[0.0, 1, "A"]]}, r"expected: spans as \[start, end, label\]"),
        ({"text": "x", "spans": [[False, True, "A"]]}, r"expected: spans as \[start, end, label\]"),
        ({"text": "x", "spans": [{"start": "/p", "end": 1, "label": "A"}]}, "expected: spans as"),
        ({"text": "x", "spans": [[0, 1, " "]]}, "expected: a label of at least one character"),
        (
            {"tokens": ["a"], "tags": ["O", "O"]},
            "expected: as many values in tags as tokens, 1\n  received: 2",
        ),
        ({"tokens": ["a"], "tags": [None]}, "expected: text in tags"),
        ({"text": "\ud800"}, "received: half a surrogate pair"),
        ({"tokens": ["\udc00"], "tags": ["O"]}, "received: half a surrogate pair"),
        ({"data": {"a": "x", "b": "y"}}, "expected: a task whose data has one text, or a field named text"),
    ],
)
def test_errors(value, message):
    with pytest.raises(CorpusError, match=rf"^a.jsonl:7: the record cannot be read\n(.|\n)*{message}"):
        parse(value)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({"text": "x"}, "a text without a field of spans: all its tags are O"),
        ({"text": "x", "spans": [], "answer": "reject"}, "left out: the annotator rejected the text"),
        ({"text": "x", "spans": [[0, 1, "First Name"]]}, "blanks in a label are underscores"),
        ({"text": "x", "spans": [[0, 1, ["A", "B"]]]}, "a span with several labels: the first is taken"),
        (
            {"text": "ab", "spans": [{"start": 0, "end": 1, "label": "A", "text": "b"}]},
            "left out: the text at a span's offsets differs",
        ),
        ({"data": {"text": "x"}}, "a text without annotations: all its tags are O"),
        (
            {"data": {"text": "x"}, "annotations": [{"result": []}, {"result": []}]},
            "more than one annotation: the first is taken",
        ),
        (
            {"data": {"text": "x"}, "annotations": [{"result": [{"type": "choices", "value": {}}]}]},
            "left out: a result that is no span",
        ),
    ],
)
def test_warnings(value, what):
    reading = Reading("ner")
    parse(value, reading)
    assert [warning.what for warning in reading.warnings.listed] == [what]


def test_offsets_in_utf16_units_are_recognised_by_the_text_of_the_span():
    reading = Reading("ner")
    text = "😀 in 😀 Oslo"
    span = {"start": text.encode("utf-16-le").index("Oslo".encode("utf-16-le")) // 2, "label": "LOC"}
    span |= {"end": span["start"] + 4, "text": "Oslo"}
    assert span["start"] == text.index("Oslo") + 2
    record = parse({"text": text, "spans": [span]}, reading)
    assert record.spans == (CharacterSpan("LOC", text.index("Oslo"), len(text)),)
    assert reading.warnings.counts == {"offsets in UTF-16 units are converted": 1}


def test_label_studio_counts_in_utf16_units_where_both_readings_are_possible():
    result = {"value": {"start": 2, "end": 3, "text": "a", "labels": ["X"]}}
    task = {"data": {"text": "😀aa"}, "annotations": [{"result": [result]}]}
    assert parse(task).spans == (CharacterSpan("X", 1, 2),)
    assert parse({"text": "😀aa", "spans": [result["value"]]}).spans == (CharacterSpan("X", 2, 3),)


def test_offsets_of_hypertext_are_the_global_ones():
    value = {"start": "/p[1]", "end": "/p[1]", "labels": ["LOC"], "globalOffsets": {"start": 24, "end": 30}}
    task = {"data": {"text": MARIE}, "annotations": [{"result": [{"value": value}]}]}
    assert parse(task).spans == SPANS[1:]


def test_names_of_columns():
    names = {"ner_tags": "ner", "pos_tags": "pos", "tags": "X", "labels": "X", "upos": "upos", "text": ""}
    assert {name: column_name(name, "X") for name in names} == names
    assert is_known_field("ner_tags")
    assert is_known_field("text")
    assert not is_known_field("image")
