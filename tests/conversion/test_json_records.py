from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqlab.conversion.json_records as json_records
from seqlab.conversion.json_records import read_json
from seqlab.errors import CorpusError

TEXTS = [{"text": "a\nb", "spans": []}, {"text": '[]{}\\"', "spans": []}, {"text": "é😀", "spans": []}]


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(json.dumps(value) for value in TEXTS),
        "\ufeff" + "\r\n\r\n".join(json.dumps(value) for value in TEXTS) + "\r\n",
        json.dumps(TEXTS),
        "\ufeff \n" + json.dumps(TEXTS, indent=2, ensure_ascii=False) + "\n",
        "\n".join(json.dumps([value["text"], {"spans": []}]) for value in TEXTS),
    ],
)
def test_lines_and_arrays(read, content):
    records, errors, warnings = read(read_json, "a.json", content)
    assert [record.text for record in records] == [value["text"] for value in TEXTS]
    assert errors == warnings == []


def test_compressed(read):
    records, _, _ = read(read_json, "a.jsonl.gz", gzip.compress(json.dumps(TEXTS[0]).encode()))
    assert [record.text for record in records] == ["a\nb"]


def test_records_know_their_lines(read):
    records, _, _ = read(read_json, "a.json", json.dumps(TEXTS, indent=1))
    assert [record.line for record in records] == [2, 6, 10]
    records, _, _ = read(read_json, "a.json", "\n\n" + "\n".join(map(json.dumps, TEXTS)))
    assert [record.line for record in records] == [3, 4, 5]


def test_invalid_lines_are_errors_with_their_place_and_the_others_are_read(read):
    good = json.dumps(TEXTS[0])
    deep = "[" * 100_000
    records, errors, _ = read(
        read_json, "a.jsonl", f'{good}\n{{"text"\n\xff{good}\n{deep}\n{good}'.encode("latin-1")
    )
    assert [record.line for record in records] == [1, 5]
    assert [error.split("\n")[0] for error in errors] == [
        "a.jsonl:2: this is not JSON",
        "a.jsonl:3:1: the text is not UTF-8",
        "a.jsonl:4: this is not JSON",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, {]", "a.json:1: this is not JSON"),
        ('[{"text": "a", "spans": []}', "a.json:1: this is not JSON\n.*\n  received: the array does not end"),
        ("[\n" + "[" * 100_000, "a.json:2: this is not JSON\n.*\n  received: values nested too deeply"),
        (b'["\xff"]', "a.json: the text is not UTF-8"),
    ],
)
def test_a_damaged_array_is_an_error(read, content, message):
    with pytest.raises(CorpusError, match=message):
        read(read_json, "a.json", content)


def test_a_record_beyond_the_limit_is_an_error(read, monkeypatch):
    monkeypatch.setattr(json_records, "MAX_RECORD_BYTES", 1_000)
    monkeypatch.setattr("seqlab.corpus.lines._CHUNK_BYTES", 100)
    long = json.dumps({"text": "x" * 5_000, "spans": []})
    with pytest.raises(CorpusError, match="records of at most"):
        read(read_json, "a.json", f"[{long}]")
    with pytest.raises(CorpusError, match="the line is too long"):
        read(read_json, "a.jsonl", long)


@given(
    st.lists(
        st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=5)
    ),
    st.integers(1, 9),
    st.sampled_from([None, 1]),
)
def test_arrays_are_read_in_chunks_of_any_size(tmp_path_factory, values, size, indent):
    path = tmp_path_factory.mktemp("json") / "a.json"
    content = json.dumps(values, indent=indent)
    path.write_text(content)
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(json_records, "_read_text", lambda _: iter(chunks))
        assert [value for _, value in json_records._scan_array(path)] == values
