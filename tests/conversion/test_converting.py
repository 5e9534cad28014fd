from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path

import pytest
import yaml

from seqlab.conversion.converting import convert_files, find_sources
from seqlab.conversion.summary import format_conversions, format_parameters
from seqlab.corpora.own_files import copy_files
from seqlab.corpus.conll import ConllLayout
from seqlab.corpus.splits import read_split
from seqlab.errors import CorpusError
from seqlab.params import FilesParams

LAYOUT = ConllLayout(("token", "ner"))
MARIE = '{"text": "Marie Curie", "label": [[0, 11, "PER"]]}\n'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def convert(*names, output="out.conll", **options):
    for name in [name for name in names if not Path(name).exists()]:
        Path(name).write_text(MARIE)
    sources = find_sources([Path(name) for name in names])
    return convert_files(sources, Path(output), layout=LAYOUT, max_per_kind=5, **options)


def test_one_file_into_one_file():
    (conversion,) = convert("a.jsonl", output="new/b.conll")
    assert Path("new/b.conll").read_text() == "Marie\tB-PER\nCurie\tI-PER\n\n"
    assert (conversion.sentences, conversion.tokens, conversion.columns) == (1, 2, ("ner",))
    assert conversion.span_columns == ["ner"]


def test_several_files_into_a_folder():
    convert("train.jsonl", "test.jsonl.txt", output="out")
    assert sorted(path.name for path in Path("out").iterdir()) == ["test.conll", "train.conll"]
    with pytest.raises(CorpusError, match="two files would be written under one name"):
        convert("a.jsonl", "a.json", output="out")


def test_a_folder_stands_for_its_files():
    Path("in").mkdir()
    Path("in/train.jsonl").write_text(MARIE)
    Path("in/.hidden").write_text("x")
    (conversion,) = convert("in", output="out")
    assert conversion.output == Path("out/train.conll")


def test_formats_are_recognised():
    Path("x.txt").write_text('\n[{"text": "a"}]')
    Path("y.txt").write_text("a\tO\n")
    for name in ("a.jsonl", "a.csv", "a.ann", "a.spacy", "a.arrow", "a.parquet", "a.conll"):
        Path(name).write_text("x")
    names = ["x.txt", "y.txt", "a.jsonl", "a.csv", "a.ann", "a.spacy", "a.arrow", "a.parquet", "a.conll"]
    assert [source.format for source in find_sources([Path(name) for name in names])] == [
        *("json", "conll", "json", "csv", "brat", "spacy", "dataset", "parquet", "conll")
    ]
    (source,) = find_sources([Path("y.txt")], source_format="predictions")
    assert source.format == "predictions"


def test_from_conll_the_default_is_json_and_to_names_another():
    Path("a.conll").write_text("Oslo\tB-LOC\n")
    convert("a.conll", output="b.jsonl")
    assert json.loads(Path("b.jsonl").read_text())["spans"] == [{"label": "LOC", "start": 0, "end": 4}]
    convert("a.conll", output="c.jsonl", target="doccano")
    assert json.loads(Path("c.jsonl").read_text())["label"] == [[0, 4, "LOC"]]
    with pytest.raises(CorpusError, match="there is no such column\n  expected: ner\n  received: pos"):
        convert("a.conll", output="c.jsonl", column="pos")


def test_what_cannot_be_read_is_left_out_and_reported():
    Path("a.jsonl").write_text(MARIE + '{"text":"" x\n' + '{"tokens": ["x"], "pos_tags": ["X"]}\n' + MARIE)
    (conversion,) = convert("a.jsonl")
    assert conversion.sentences == 2
    assert format_conversions([conversion], max_per_kind=5).split("\n") == [
        "a.jsonl:2: this is not JSON: Expecting ',' delimiter: line 1 column 12 (char 11)",
        "  expected: one JSON object per line, or one array",
        "a.jsonl:3: left out: a sentence with other columns than the first one: pos",
        "  expected: ner",
        "a.jsonl -> out.conll: 2 sentences, 4 tokens",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.jsonl: there is no sentence to write"),
        ("{", "a.jsonl:1: this is not JSON"),
        ('{"text": " ", "spans": []}', "a.jsonl:1: left out: a text without tokens"),
    ],
)
def test_a_file_is_not_replaced_by_nothing(content, message):
    Path("a.jsonl").write_text(content)
    Path("out.conll").write_text("old")
    with pytest.raises(CorpusError, match=message):
        convert("a.jsonl")
    assert Path("out.conll").read_text() == "old"


def test_a_file_that_cannot_be_read_to_its_end_replaces_nothing():
    Path("a.json").write_text(f"[{MARIE},")
    Path("out.conll").write_text("old")
    with pytest.raises(CorpusError, match="the array does not end"):
        convert("a.json")
    assert Path("out.conll").read_text() == "old"
    assert sorted(path.name for path in Path().iterdir()) == ["a.json", "out.conll"]


def test_the_input_is_not_overwritten():
    with pytest.raises(CorpusError, match="the output is the input"):
        convert("a.jsonl", output="./a.jsonl", target="jsonl")
    with pytest.raises(CorpusError, match=r"none.jsonl: no such file or folder"):
        find_sources([Path("none.jsonl")])
    Path("empty").mkdir()
    with pytest.raises(CorpusError, match="the folder has no files"):
        find_sources([Path("empty")])


@pytest.mark.timeout(30)
def test_a_named_pipe_is_an_error_and_nothing_waits():
    os.mkfifo("a.json")
    with pytest.raises(CorpusError, match=r"a.json: this is not a regular file"):
        find_sources([Path("a.json")])


def test_the_result_is_read_as_a_corpus():
    spans = [[0, 11, "PER"], [15, 21, "LOC"]]
    Path("train.jsonl").write_text(json.dumps({"text": "Marie Curie,\tin\nWarsaw.", "label": spans}) + "\n")
    (train, test) = convert("train.jsonl", "test.jsonl", output="out")
    params = yaml.safe_load(format_parameters([train, test], tag_scheme="IOB2"))
    copy_files(Path("raw"), **params["corpus"]["files"])
    sentences = list(read_split(Path("raw"), "test", tag_column="ner"))
    assert [sentence.tags for sentence in sentences] == [("B-PER", "I-PER")]


def test_memory_does_not_grow_with_the_file(monkeypatch):
    monkeypatch.setattr("seqlab.corpus.lines._CHUNK_BYTES", 4096)
    peaks = []
    for number in (1, 1, 3):
        Path("a.jsonl").write_text(MARIE * 800 * number)
        tracemalloc.start()
        convert("a.jsonl")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.5 * peaks[1]


def test_the_parameters_are_valid_and_name_the_splits():
    Path("conll").mkdir()
    conversions = convert("train.jsonl", "validation.jsonl", "test.jsonl", output="out")
    params = yaml.safe_load(format_parameters(conversions, tag_scheme="IOB2"))
    files = FilesParams.model_validate(params["corpus"]["files"])
    assert (files.train, files.dev, files.test) == (
        "out/train.conll",
        "out/validation.conll",
        "out/test.conll",
    )
    assert (params["tasks"], files.columns, files.tag_scheme) == (["ner"], ["token", "ner"], "IOB2")


def test_the_parameters_of_other_columns():
    Path("a.jsonl").write_text('{"tokens": ["a"], "pos_tags": ["X"], "chunk_tags": ["B-NP"]}\n')
    params = yaml.safe_load(format_parameters(convert("a.jsonl"), tag_scheme="IOB2"))
    assert params["tasks"] == ["ner", "pos"]
    assert (params["ner"], params["pos"]) == ({"column": "chunk"}, {"column": "pos"})
    assert params["corpus"]["files"]["dev"] == params["corpus"]["files"]["train"] == "out.conll"
