from __future__ import annotations

import fcntl
import gzip
import io
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from tiny_taggers import SENTENCES, tiny_export

from seqlab.errors import SeqlabError
from seqlab.serving.folders.block_tagger import Model, TaggedBlock, read_model
from seqlab.serving.folders.file_formats import Block, cut_blocks, find_input_files
from seqlab.serving.folders.folder_tagging import STATE, Totals, tag_folder
from seqlab.serving.folders.workers import Workers, local_workers
from seqlab.serving.tagging.onnx_tagger import OnnxTagger
from seqlab.serving.tagging.stream import tag_stream
from seqlab.serving.tagging.tag_formats import as_dict, tag_format
from seqlab.serving.tagging.text_lines import LONGEST_LINE, read_text_lines

LINES = SENTENCES * 4 + ["", "last"]
TEXT = "\n".join(LINES).encode() + b"\n"
ROWS_IN_BLOCK = 5


@pytest.fixture(scope="module")
def model() -> Model:
    return read_model(tiny_export("ner"))


def streamed(data: bytes, *, name: str = "text", file: str = "in.txt") -> str:
    """What `seqlab tag` prints for the lines."""
    out = io.StringIO()
    lines = read_text_lines(io.BytesIO(data), name=file)
    tag_stream(OnnxTagger(tiny_export("ner")), lines, tag_format=tag_format(name, colours=False), out=out)
    return out.getvalue()


def tag(source: Path, output: Path, model: Model, workers: Workers | None = None, **options: Any) -> Totals:
    workers = workers or local_workers(model, processes=1)
    return tag_folder(source, output, model=model, workers=workers, block_rows=ROWS_IN_BLOCK, **options)


def write_all_formats(folder: Path) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.txt").write_bytes(TEXT)
    (folder / "a.txt.gz").write_bytes(gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]))
    (folder / "deep" / "b.zst").write_bytes(zstandard.compress(TEXT[:50]) + zstandard.compress(TEXT[50:]))
    records = b"".join(b'{"id": 1.50, "text": %b }\n' % json.dumps(line).encode() for line in LINES)
    (folder / "c.jsonl").write_bytes(records)
    (folder / "deep" / "er" / "c.jsonl.gz").write_bytes(gzip.compress(records))
    table = pa.table({"id": range(len(LINES)), "text": LINES}).replace_schema_metadata({"by": "us"})
    pq.write_table(table, folder / "d.parquet", row_group_size=7)
    (folder / "empty.txt").touch()
    (folder / "empty.txt.gz").write_bytes(gzip.compress(b""))
    pq.write_table(table.slice(0, 0), folder / "empty.parquet")
    (folder / ".hidden").write_text("not for us")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and STATE not in path.parts
    }


def test_every_format_is_tagged_into_itself_in_order(model: Model, tmp_path: Path) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    write_all_formats(source)
    totals = tag(source, output, model)
    assert contents(output).keys() == contents(source).keys() - {".hidden"}
    assert (totals.rows, totals.texts, totals.invalid) == (6 * len(LINES), 6 * (len(LINES) - 1), 0)
    expected = streamed(TEXT)
    assert (output / "a.txt").read_text("utf-8") == expected
    assert gzip.decompress((output / "a.txt.gz").read_bytes()).decode() == expected
    with (output / "deep" / "b.zst").open("rb") as file:
        stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        assert stream.read().decode() == expected
    tagged = [as_dict(text) for text in OnnxTagger(tiny_export("ner")).tag(LINES)]
    fields = [{name: row[name] for name in ("tokens", "spans")} for row in tagged]
    for line, text, added in zip(
        (output / "c.jsonl").read_text("utf-8").splitlines(), LINES, fields, strict=True
    ):
        assert line.startswith(f'{{"id": 1.50, "text": {json.dumps(text)}, "ner": ')  # as it was, and more
        assert json.loads(line)["ner"] == added
    assert gzip.decompress((output / "deep/er/c.jsonl.gz").read_bytes()) == (output / "c.jsonl").read_bytes()
    table = pq.read_table(output / "d.parquet")
    assert table["id"].to_pylist() == list(range(len(LINES)))
    assert table["ner"].to_pylist() == [{**added, "error": None} for added in fields]
    assert table.schema.metadata[b"by"] == b"us"
    empty = pq.read_table(output / "empty.parquet")
    assert (empty.num_rows, empty.schema) == (0, table.schema)
    assert (
        (output / "empty.txt").read_bytes() == gzip.decompress((output / "empty.txt.gz").read_bytes()) == b""
    )
    assert list((output / STATE).rglob("*.parts")) == []


@pytest.mark.parametrize("name", ["conll", "json", "html"])
def test_the_formats_of_lines(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.gz").write_bytes(gzip.compress(TEXT))
    tag(tmp_path / "in", tmp_path / "out", read_model(tiny_export("ner"), format=name))
    tagged = gzip.decompress((tmp_path / "out" / "a.gz").read_bytes()).decode()
    expected = streamed(TEXT, name=name, file="a.gz")
    assert re.sub("<title>.*?</title>", "<title>seqlab</title>", tagged) == expected


class StopError(Exception):
    """The end of a process."""


def stopping_workers(model: Model, *, after: int, tagged: list[tuple[str, int]]) -> Workers:
    """Workers that yield the results of each window of three blocks backwards, and stop after some blocks."""
    local = local_workers(model, processes=1)

    def work(blocks: Iterable[Block]) -> Iterator[TaggedBlock]:
        waiting: list[TaggedBlock] = []
        for result in local(blocks):
            waiting.append(result)
            if len(waiting) == 3:
                yield from take(waiting)
        yield from take(waiting)

    def take(waiting: list[TaggedBlock]) -> Iterator[TaggedBlock]:
        while waiting:
            if len(tagged) == after:
                raise StopError
            result = waiting.pop()
            tagged.append((result.file_name, result.number))
            yield result

    return work


def test_a_stopped_run_goes_on_where_it_stopped(model: Model, tmp_path: Path, capsys) -> None:
    source = tmp_path / "in"
    write_all_formats(source)
    (source / "bad.txt").write_bytes(TEXT + b"bad \xff\n")
    whole = tag(source, tmp_path / "whole", model)
    num_blocks = sum(len(list(cut_blocks(file, rows=ROWS_IN_BLOCK))) for file in find_input_files(source))
    assert num_blocks > 40
    tagged: list[tuple[str, int]] = []
    for after in range(7, num_blocks, 7):
        with pytest.raises(StopError):
            tag(source, tmp_path / "out", model, stopping_workers(model, after=after, tagged=tagged))
    totals = tag(source, tmp_path / "out", model, stopping_workers(model, after=-1, tagged=tagged))
    assert len(tagged) == len(set(tagged)) == num_blocks
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert totals == whole
    assert totals.invalid == 1
    again = tag(source, tmp_path / "out", model, stopping_workers(model, after=0, tagged=[]))
    assert again == totals


def test_what_a_killed_process_left_behind(model: Model, tmp_path: Path) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    (source / "a.txt").write_bytes(TEXT)
    with pytest.raises(StopError):
        tag(source, output, model, stopping_workers(model, after=3, tagged=[]))
    parts = output / STATE / "parts" / "a.txt.parts"
    half = parts / "00000001"
    half.write_bytes(half.read_bytes()[:-1])
    (parts / ".00000004.x1").write_bytes(b"half a part")
    (parts / "joined").write_bytes(b"half a file")
    (output / STATE / "finished.jsonl").write_text('{"file": "a.tx')
    tag(source, output, model)
    assert (output / "a.txt").read_text("utf-8") == streamed(TEXT)
    tag(source, output, model, stopping_workers(model, after=0, tagged=[]))


def test_a_file_that_has_changed_is_tagged_again(model: Model, tmp_path: Path) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("a.txt", "b.txt"):
        (source / name).write_bytes(TEXT)
    with pytest.raises(StopError):  # a.txt is finished, b.txt is not
        tag(source, output, model, stopping_workers(model, after=8, tagged=[]))
    for name in ("a.txt", "b.txt"):
        (source / name).write_bytes(b"new\n" + TEXT)
    tag(source, output, model)
    assert set(contents(output).values()) == {streamed(b"new\n" + TEXT).encode()}


def test_invalid_rows_keep_their_place(model: Model, tmp_path: Path, capsys) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    lines = b"one\nbad \xff\n" + b"x" * (LONGEST_LINE + 5) + b"\nlast"
    (source / "a.txt").write_bytes(lines)
    records = [
        b'{"text": "one"}',
        b"[1]",
        b"{",
        b'{"text": null}',
        b'{"text": "a", "ner": 1}',
        b'{"text": "\\ud800"}',
        b'{"text": "a\\u0007"}',
        b'{"text": "%b"}' % (b"a " * LONGEST_LINE),
        b'{"text": "%b"}' % (b"a " * 9 * LONGEST_LINE),
        b"{}",
        b'{"text": "last"}',
    ]
    (source / "b.jsonl").write_bytes(b"\n".join(records))
    pq.write_table(pa.table({"text": ["one", None, "a\x07", "last"]}), source / "c.parquet")
    totals = tag(source, output, model)
    assert (output / "a.txt").read_text("utf-8") == streamed(lines)
    found = [json.loads(line) for line in (output / "b.jsonl").read_text("utf-8").splitlines()]
    errors = [row.get("error") or (row["ner"] == 1 and "kept") or row["ner"].get("error") for row in found]
    assert errors == [
        None,
        "there is no text",
        "not a JSON object",
        "there is no text",
        "kept",
        "the text is not Unicode",
        "a control character",
        "the text is too long",
        "the line is too long",
        "there is no text",
        None,
    ]
    assert found[3]["text"] is None
    column = pq.read_table(output / "c.parquet")["ner"].to_pylist()
    assert [row["error"] for row in column] == [None, "there is no text", "a control character", None]
    assert column[1]["tokens"] is None
    err = capsys.readouterr().err
    assert (totals.invalid, err.count("error: ")) == (13, 2 + 13)  # streamed() reports two
    for where in (
        "a.txt:2:5: not UTF-8",
        "b.jsonl:5: there is already a field `ner`",
        "c.parquet:3:2: a control",
    ):
        assert where in err


def test_processes_tag_as_one_does(model: Model, tmp_path: Path) -> None:
    source = tmp_path / "in"
    write_all_formats(source)
    tag(source, tmp_path / "one", model)
    tag(source, tmp_path / "two", model, local_workers(model, processes=2))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_another_model_is_refused(model: Model, tmp_path: Path) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    (source / "a.txt").write_bytes(TEXT)
    tag(source, output, model)
    changed = Model({**model.files, "tagger.json": model.files["tagger.json"] + b" "})
    with pytest.raises(
        SeqlabError, match=r"started with a different model[\s\S]*remedy: name another folder"
    ):
        tag(source, output, changed)
    with pytest.raises(
        SeqlabError, match=r"started with a different format\n  expected: format text\n  received: format j"
    ):
        tag(source, output, read_model(tiny_export("ner"), format="json"))


def test_outputs_that_are_refused(model: Model, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.txt").write_bytes(TEXT)
    for output in (source, source / "out", tmp_path):
        with pytest.raises(SeqlabError, match="the output and the input contain each other"):
            tag(source, output, model)
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("precious")
    with pytest.raises(SeqlabError, match="exists and was not written by `seqlab tag`"):
        tag(source, other, model)
    assert (other / "a.txt").read_text() == "precious"
    (tmp_path / "busy" / STATE).mkdir(parents=True)
    with (tmp_path / "busy" / STATE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SeqlabError, match="another process is tagging into this folder"):
            tag(source, tmp_path / "busy", model)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.pdf",
            b"%PDF",
            r"a\.pdf: the format of the file is unknown[\s\S]*received: \.pdf[\s\S]*remedy: rename",
        ),
        ("a.parquet.gz", b"", r"a\.parquet\.gz: the format of the file is unknown"),
        ("a", b"", r"received: no suffix"),
        (".a.txt", b"", r"in: there is no file to tag"),
        ("a.gz", b"no gzip", r"a\.gz: the file cannot be read\n  received: BadGzipFile"),
        ("a.gz", gzip.compress(TEXT)[:-9], r"a\.gz: the file cannot be read\n  received: EOFError"),
        ("a.zst", b"no zstandard", r"a\.zst: the file cannot be read\n  received: ZstdError"),
        ("a.parquet", b"no parquet", r"a\.parquet: the file cannot be read\n  received: ArrowInvalid"),
    ],
)
def test_files_that_cannot_be_tagged(
    model: Model, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(content)
    with pytest.raises(SeqlabError, match=message):
        tag(tmp_path / "in", tmp_path / "out", model)


def test_columns_that_parquet_needs(model: Model, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for table, message in (
        ({"texts": ["a"]}, "there is no column `text` of strings[\\s\\S]*texts: string"),
        ({"text": [1]}, "there is no column `text` of strings[\\s\\S]*text: int64"),
        ({"text": ["a"], "ner": ["b"]}, "there is already a column `ner`"),
    ):
        pq.write_table(pa.table(table), source / "a.parquet")
        with pytest.raises(SeqlabError, match=message):
            tag(source, tmp_path / "out", model)
    assert not (tmp_path / "out").exists()


def test_an_export_without_spans_and_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "in"
    source.mkdir()
    pq.write_table(pa.table({"text": LINES}), source / "a.parquet")
    (source / "b.jsonl").write_text('{"text": "one"}\n{ }\n')
    shutil.copytree(tiny_export("pos"), tmp_path / "export", ignore=shutil.ignore_patterns("onnx"))
    for name, export in (("onnx", tiny_export("pos")), ("saved_model", tmp_path / "export")):
        tag(source, tmp_path / name, read_model(export))
    tables = [
        pq.read_table(tmp_path / name / "a.parquet")["pos"].to_pylist() for name in ("onnx", "saved_model")
    ]
    assert list(tables[0][0]) == ["tokens", "error"]
    tags = [[[token["tag"] for token in row["tokens"]] for row in table] for table in tables]
    assert tags[0] == tags[1]
    assert (tmp_path / "onnx" / "b.jsonl").read_text().splitlines()[
        1
    ] == '{"pos": {"error": "there is no text"}}'
