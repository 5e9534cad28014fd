"""Whatever a file contains, it is converted or an error says why."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.conversion.converting import Source, convert_files
from seqlab.conversion.summary import format_conversions
from seqlab.corpus.checking import check_files
from seqlab.corpus.conll import ConllLayout
from seqlab.errors import SeqlabError

LAYOUT = ConllLayout(("token", "ner"))
WORDS = st.sampled_from(
    ["", " ", "a", "B-X", "O", "-DOCSTART-", "\x1b[2J", "\ud800", "a\tb", "\n", "\u200b", "😀", "# a"]
)
NUMBERS = st.integers(-2, 9) | st.sampled_from([10**30, 0.5, True])
KEYS = st.sampled_from(
    [
        "id",
        "text",
        "data",
        "tokens",
        "words",
        "tags",
        "ner_tags",
        "label",
        "labels",
        "spans",
        "entities",
        "start",
        "end",
        "annotations",
        "result",
        "value",
        "answer",
    ]
)
VALUES = st.recursive(
    WORDS | NUMBERS | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | WORDS, inner, max_size=4),
    max_leaves=12,
)
SPANS = st.lists(st.tuples(NUMBERS, NUMBERS, WORDS), max_size=3)
TAGGED = st.fixed_dictionaries(
    {"tokens": st.lists(WORDS, max_size=3), "ner_tags": st.lists(WORDS, max_size=3)}
)
RECORDS = st.lists(
    VALUES | st.fixed_dictionaries({"text": WORDS, "spans": SPANS, "id": VALUES}) | TAGGED, max_size=4
)


def convert(name, content, format):
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder, name), Path(folder, "out.conll")
        path.write_bytes(content)
        path.with_suffix(".txt").write_bytes(content)
        for options in ({"sentences": "text"}, {"sentences": "lines", "misaligned": "drop"}):
            with suppress(SeqlabError):
                found = convert_files(
                    [Source("a", path, format)], output, layout=LAYOUT, max_per_kind=9, **options
                )
                assert format_conversions(found, max_per_kind=9).replace("\n", "").isprintable()
                layout = ConllLayout(("token", *found[0].columns))
                (checked,) = check_files([output], layout=layout, tag_schemes={})
                assert checked.errors.listed == []
                assert (len(checked.lengths), sum(checked.lengths)) == (found[0].sentences, found[0].tokens)


@settings(max_examples=150, deadline=None)
@given(RECORDS, st.booleans())
def test_json(records, is_array):
    text = json.dumps(records) if is_array else "\n".join(map(json.dumps, records))
    convert("a.json", text.encode(), "json")


@pytest.mark.parametrize(
    ("name", "format", "parts"),
    [
        (
            "a.csv",
            "csv",
            [
                "sentence_id,token,tag\n",
                "1,a,O\n",
                '"',
                ",",
                "\n",
                "\xff",
                ",b,B-X\n",
                "2,\t,O\n",
                "1,-DOCSTART-,O\n",
            ],
        ),
        (
            "a.ann",
            "brat",
            ["T1\tA 0 2\tx\n", "T2\t\x1b 1 9\tx\n", "T", "\n", "a", "\r", "#1\t", "T3\tB 5 6;7 8\n", "\xff"],
        ),
        (
            "a.json",
            "json",
            [
                '{"text":"a","spans":[]}\n',
                '{"text":',
                '"a"',
                "}",
                "[",
                "]",
                ",",
                "\n",
                '"spans":[[0,1,"X"]]',
                "\xff",
                "\ufeff",
            ],
        ),
    ],
)
def test_bytes(name, format, parts):
    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.sampled_from(parts), max_size=12))
    def check(chosen):
        content = "".join([parts[0], *chosen])
        convert(name, content.encode("utf-8" if "\ufeff" in content else "latin-1"), format)

    check()
