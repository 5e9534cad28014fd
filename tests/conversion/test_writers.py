"""What is written can be read again; texts with aligned spans come back as they were."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.conversion.conll_records import read_conll
from seqlab.conversion.json_records import read_json
from seqlab.conversion.records import Reading
from seqlab.conversion.sentences import ConvertedSentence, make_sentences
from seqlab.conversion.writers import write_sentences
from seqlab.corpus.conll import ConllLayout
from seqlab.errors import CorpusError
from seqlab.text.text_tokenizer import TextTokenizer
from seqlab.text.tokenizer_rules import tokenizer_rules

LAYOUT = ConllLayout(("token", "ner"))
TOKENIZER = TextTokenizer(tokenizer_rules())
TEXT = st.lists(
    st.sampled_from(
        ["Marie", "Dr.", "U.S.", "😀", "don't", "(x)", "Zürich", "a-b", ",", "10:30", "\u00a0", "#", "日本"]
    )
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    max_size=12,
).flatmap(lambda parts: st.sampled_from([" ", "", "  ", "\n", "\t"]).map(lambda blank: blank.join(parts)))


@st.composite
def records(draw):
    """Texts with spans that begin and end where tokens do, and do not overlap."""
    made = []
    for text in draw(st.lists(TEXT, min_size=1, max_size=4)):
        found = TOKENIZER([text])
        edges = draw(st.lists(st.integers(0, len(found.tokens)), unique=True).map(sorted))
        spans = [
            [
                int(found.starts[first]),
                int(found.ends[last - 1]),
                draw(st.sampled_from(["PER", "LOC", "A-B", "日"])),
            ]
            for first, last in zip(edges[::2], edges[1::2], strict=False)
        ]
        if found.tokens and "-DOCSTART-" not in found.tokens:
            made.append({"text": text, "label": spans})
    return made


def convert(path, reader, target):
    reading = Reading("ner")
    found = list(make_sentences(reader(path, reading), reading=reading))
    assert reading.warnings.listed == []
    assert not any(isinstance(sentence, CorpusError) for sentence in found)
    return "".join(write_sentences(found, target, column="ner"))


@settings(max_examples=60, deadline=None)
@given(records(), st.sampled_from(["jsonl", "doccano", "label-studio"]))
def test_json_to_conll_to_json_gives_equal_spans(tmp_path_factory, made, target):
    folder = tmp_path_factory.mktemp("files")
    first, second, third = (folder / name for name in ("a.jsonl", "b.conll", "c.json"))
    first.write_text("".join(json.dumps(record) + "\n" for record in made))
    second.write_text(convert(first, read_json, "conll"), newline="")
    if not made:
        return
    third.write_text(convert(second, lambda path, _: read_conll(path, LAYOUT), target))
    back = list(read_json(third, Reading("ner")))
    expected = [sorted((start, end, label) for start, end, label in record["label"]) for record in made]
    assert [[(start, end, label) for label, start, end in record.spans] for record in back] == expected
    for record, original in zip(back, made, strict=True):
        for start, end, _ in original["label"]:
            assert re.split(r"[\s\0]+", record.text[start:end]) == re.split(
                r"[\s\0]+", original["text"][start:end]
            )


SENTENCE = ConvertedSentence(
    ["😀", "Oslo", "!"], {"ner": ["O", "B-LOC", "O"]}, "😀 Oslo!", [0, 2, 6], [1, 6, 7], "a", 1, "x"
)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("conll", "# id = x\n# text = 😀 Oslo!\n😀\tO\nOslo\tB-LOC\n!\tO\n\n"),
        ("jsonl", '{"id": "x", "text": "😀 Oslo!", "spans": [{"label": "LOC", "start": 2, "end": 6}]}\n'),
        ("doccano", '{"id": "x", "text": "😀 Oslo!", "label": [[2, 6, "LOC"]]}\n'),
    ],
)
def test_formats(target, expected):
    assert "".join(write_sentences([SENTENCE], target, column="ner")) == expected


def test_label_studio_counts_in_utf16_units():
    tasks = json.loads("".join(write_sentences([SENTENCE, SENTENCE], "label-studio", column="ner")))
    (result,) = tasks[1]["predictions"][0]["result"]
    assert result["value"] == {"start": 3, "end": 7, "text": "Oslo", "labels": ["LOC"]}
    assert json.loads("".join(write_sentences([], "label-studio", column="ner"))) == []
