from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parents[1] / "serving"))

from tiny_taggers import SENTENCES, load_once, tiny_export

from seqlab.cli import build_parser
from seqlab.errors import SeqlabError
from seqlab.tags import convert_tags


class Standard(io.TextIOWrapper):
    """Standard input that holds some bytes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))


@pytest.fixture
def in_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the tiny exports as models, which are loaded once per test session."""
    monkeypatch.setattr(tf.saved_model, "load", load_once)
    for kind in ("ner", "pos"):
        (tmp_path / "models" / kind).mkdir(parents=True)
        (tmp_path / "models" / kind / "export").symlink_to(tiny_export(kind))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_tag(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str, stdin: bytes = b""
) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    args: Any = build_parser().parse_args(["tag", *arguments])
    monkeypatch.setattr(sys, "stdin", Standard(stdin))
    status = args.run(args)
    return (status, *capsys.readouterr())


def test_a_line_of_standard_input(in_repository, monkeypatch, capsys) -> None:
    status, out, err = run_tag(monkeypatch, capsys, stdin=b"Marie Curie was born in Warsaw .\n")
    assert (status, err) == (0, "")
    assert out.count("\n") == 1
    assert "[" in out


def test_files_keep_their_order_in_every_length(in_repository, monkeypatch, capsys) -> None:
    lines = [" ".join(["word"] * (1 + 7 * i % 40)) for i in range(150)]
    Path("one.txt").write_text("\n".join(lines[:100]) + "\n", encoding="utf-8")
    Path("two.txt").write_text("\n".join(lines[100:]), encoding="utf-8")
    status, out, _ = run_tag(monkeypatch, capsys, "--format", "json", "--task", "pos", "one.txt", "two.txt")
    assert status == 0
    assert [json.loads(line)["text"] for line in out.splitlines()] == lines


def test_conll_and_html(in_repository, monkeypatch, capsys) -> None:
    _, out, _ = run_tag(
        monkeypatch, capsys, "--task", "pos", "--format", "conll", stdin=b"It rains.\n\none\n"
    )
    assert [line.partition("\t")[0] for line in out.splitlines()] == ["It", "rains", ".", "", "", "one", ""]
    _, out, _ = run_tag(monkeypatch, capsys, "--task", "pos", "--format", "html", stdin=b"a < b\n")
    assert out.startswith("<!DOCTYPE html>")
    assert "&lt;" in out
    assert out.endswith("</html>\n")


def test_tokenised_input(in_repository, monkeypatch, capsys) -> None:
    arguments = ("--tokenized", "--format", "conll")
    _, out, _ = run_tag(monkeypatch, capsys, *arguments, stdin=b"don't stop.\n")
    assert [line.partition("\t")[0] for line in out.splitlines()] == ["don't", "stop.", ""]


def test_one_bad_line_does_not_end_the_stream(in_repository, monkeypatch, capsys) -> None:
    stdin = b"first\nbad \xff\nbell \x07\n" + b"x" * 100_000 + b"\n\nlast\n"
    status, out, err = run_tag(monkeypatch, capsys, "--format", "json", stdin=stdin)
    assert status == 1
    assert [json.loads(line).get("error", "tagged") for line in out.splitlines()] == [
        "tagged",
        "not UTF-8",
        "a control character",
        "a word is too long",
        "tagged",
        "tagged",
    ]
    assert [line for line in err.splitlines() if line.startswith("error")] == [
        "error: stdin:2:5: not UTF-8",
        "error: stdin:3:6: a control character",
        "error: stdin:4:1: a word is too long",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("text", ["[one LOC]", "", "", "[one LOC]"]),
        ("conll", ["one\tB-LOC", "", "", "# error: not UTF-8", "", "one\tB-LOC", ""]),
        ("html", ["<p>", "<p></p>", '<p class="problem">not UTF-8</p>', "<p>"]),
    ],
)
def test_every_line_has_a_place_in_the_output(
    in_repository, monkeypatch, capsys, name: str, expected: list[str]
) -> None:
    status, out, _ = run_tag(monkeypatch, capsys, "--format", name, stdin=b"one\n\nbad \xff\none\n")
    lines = out.splitlines()
    if name == "html":
        lines = ["<p>" if "one" in line else line for line in lines if line.startswith("<p")]
    assert (status, [re.sub("PER|LOC", "LOC", line) for line in lines]) == (1, expected)


def test_json_lines_name_their_file_and_a_dash_is_standard_input(in_repository, monkeypatch, capsys) -> None:
    Path("a.txt").write_text("one\n\n", encoding="utf-8")
    Path("folder").mkdir()
    Path("folder", "b.txt.gz").write_bytes(gzip.compress(b"two\nbell \x07\n"))
    arguments = ("--format", "json", "a.txt", "-", "folder")
    _, out, err = run_tag(monkeypatch, capsys, *arguments, stdin=b"three\n")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["file"], row["line"], row.get("text")) for row in rows] == [
        ("a.txt", 1, "one"),
        ("a.txt", 2, ""),
        ("-", 1, "three"),
        ("folder/b.txt.gz", 1, "two"),
        ("folder/b.txt.gz", 2, None),
    ]
    assert "folder/b.txt.gz:2:6: a control character" in err
    Path("folder", "c.jsonl").write_text("{}\n")
    with pytest.raises(SeqlabError, match=r"c.jsonl: only lines of text[\s\S]*seqlab tag folder --output"):
        run_tag(monkeypatch, capsys, "folder")


def test_tag_schemes(in_repository, monkeypatch, capsys) -> None:
    written = {}
    for scheme in ("IOB2", "BIOES"):
        arguments = ("--format", "conll", "--tokenized", "--tag-scheme", scheme)
        _, out, _ = run_tag(monkeypatch, capsys, *arguments, stdin=SENTENCES[0].encode())
        written[scheme] = [line.split("\t")[1] for line in out.splitlines() if line]
    _, out, _ = run_tag(monkeypatch, capsys, "--format", "conll", "--tokenized", stdin=SENTENCES[0].encode())
    assert [line.split("\t")[1] for line in out.splitlines() if line] == written["IOB2"]
    assert tuple(written["IOB2"]) == convert_tags(written["BIOES"], source="BIOES", target="IOB2")
    assert written["IOB2"] != written["BIOES"]
    with pytest.raises(SeqlabError, match=r"do not encode spans[\s\S]*leave out --tag-scheme"):
        run_tag(monkeypatch, capsys, "--task", "pos", "--tag-scheme", "IOB2", stdin=b"a\n")


@pytest.mark.parametrize("stdin", [b"", b"\n  \n\n"])
def test_no_text(in_repository, monkeypatch, capsys, stdin: bytes) -> None:
    with pytest.raises(SeqlabError, match=r"standard input: there is no text to tag[\s\S]*seqlab tag"):
        run_tag(monkeypatch, capsys, stdin=stdin)


def test_no_such_file(in_repository, monkeypatch, capsys) -> None:
    with pytest.raises(SeqlabError, match=r"missing\.txt: no such file"):
        run_tag(monkeypatch, capsys, "missing.txt")


def test_no_model_yet(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SeqlabError, match=r"models/ner/export: there is no exported model[\s\S]*dvc repro"):
        run_tag(monkeypatch, capsys, stdin=b"a\n")


def test_a_model_of_the_other_task(in_repository, monkeypatch, capsys) -> None:
    with pytest.raises(SeqlabError, match=r"belongs to another task[\s\S]*--task pos"):
        run_tag(monkeypatch, capsys, "--task", "ner", "--model", "models/pos/export", stdin=b"a\n")


def test_a_model_by_its_path_brings_its_task(in_repository, monkeypatch, capsys) -> None:
    _, by_task, _ = run_tag(monkeypatch, capsys, "--task", "pos", stdin=SENTENCES[0].encode())
    for path in ("models/pos/export", "models/pos"):
        _, by_path, _ = run_tag(monkeypatch, capsys, "--model", path, stdin=SENTENCES[0].encode())
        assert by_path == by_task


def test_a_model_of_an_incompatible_version(in_repository, monkeypatch, capsys) -> None:
    other = in_repository / "other"
    shutil.copytree(tiny_export("ner"), other)
    config = json.loads((other / "config.json").read_text(encoding="utf-8"))
    (other / "config.json").write_text(json.dumps({**config, "format_version": 99}), encoding="utf-8")
    with pytest.raises(SeqlabError, match=r"incompatible version of seqlab[\s\S]*export it again"):
        run_tag(monkeypatch, capsys, "--model", "other", stdin=b"a\n")


def test_a_model_of_the_registry(in_repository, monkeypatch, capsys) -> None:
    from seqlab.tracking import registry

    asked = []

    def fetch_export(root: Path, reference: str) -> Path:
        asked.append(reference)
        return tiny_export("pos")

    monkeypatch.setattr(registry, "fetch_export", fetch_export)
    for model in ("models:/seqlab-pos@champion", "0123456789abcdef"):
        assert run_tag(monkeypatch, capsys, "--model", model, stdin=b"a\n")[0] == 0
    assert asked == ["models:/seqlab-pos@champion", "0123456789abcdef"]


def test_one_line_needs_neither_tensorflow_nor_mlflow(in_repository) -> None:
    code = """
import sys
from seqlab.cli import main
status = main(["tag", "--format", "json"])
print(status, *({"tensorflow", "keras", "mlflow", "onnx"} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], input=SENTENCES[0], capture_output=True, text=True, check=True
    )
    assert (done.stderr, json.loads(done.stdout)["text"]) == ("0\n", SENTENCES[0])


def test_threads_change_nothing(in_repository, monkeypatch, capsys) -> None:
    stdin = "\n".join(SENTENCES).encode()
    _, one, _ = run_tag(monkeypatch, capsys, "--threads", "1", stdin=stdin)
    _, two, _ = run_tag(monkeypatch, capsys, "--threads", "2", stdin=stdin)
    assert one == two
    with pytest.raises(SystemExit):
        run_tag(monkeypatch, capsys, "--threads", "0", stdin=stdin)
    assert "at least 1 is expected, received 0" in capsys.readouterr().err


def test_quantised_weights(in_repository, monkeypatch, capsys) -> None:
    stdin = "\n".join(SENTENCES).encode()
    _, exact, _ = run_tag(monkeypatch, capsys, "--format", "json", stdin=stdin)
    _, rounded, _ = run_tag(monkeypatch, capsys, "--format", "json", "--int8", stdin=stdin)
    assert exact != rounded
    assert [json.loads(line)["text"] for line in rounded.splitlines()] == SENTENCES


def test_a_folder(in_repository, monkeypatch, capsys) -> None:
    (in_repository / "texts").mkdir()
    (in_repository / "texts" / "a.txt").write_text("\n".join(SENTENCES), encoding="utf-8")
    _, expected, _ = run_tag(monkeypatch, capsys, "texts/a.txt")
    arguments = ("texts", "--output", "tagged", "--threads", "1")
    assert run_tag(monkeypatch, capsys, *arguments) == (0, "", "")
    assert (in_repository / "tagged" / "a.txt").read_text("utf-8") == expected
    (in_repository / "texts" / "b.jsonl").write_text("{}\n")
    status, _, err = run_tag(monkeypatch, capsys, *arguments)
    assert (status, "b.jsonl:1: there is no text" in err) == (1, True)
    with pytest.raises(SeqlabError, match="started with a different model and task"):
        run_tag(monkeypatch, capsys, *arguments, "--task", "pos")


@pytest.mark.parametrize(
    "arguments",
    [("texts", "a.txt", "--output", "tagged"), ("texts", "--ray", "auto"), ("--output", "tagged")],
)
def test_a_folder_needs_an_output(in_repository, monkeypatch, capsys, arguments: tuple[str, ...]) -> None:
    (in_repository / "texts").mkdir()
    with pytest.raises(SeqlabError, match=r"belong together[\s\S]*seqlab tag texts --output tagged"):
        run_tag(monkeypatch, capsys, *arguments)


def test_the_speed_is_shown_on_a_terminal(in_repository, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    _, _, err = run_tag(monkeypatch, capsys, "--task", "pos", stdin=b"one two\nthree\n")
    assert re.fullmatch(r"\r\x1b\[K2 lines, 3 tokens, [\d,]+ tokens/s\n", err)


def test_colours_and_progress_are_for_terminals(in_repository, monkeypatch, capsys) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _, out, _ = run_tag(monkeypatch, capsys, "--task", "pos", stdin=b"one\n")
    assert "\x1b[" in out
    monkeypatch.setenv("NO_COLOR", "1")
    _, out, _ = run_tag(monkeypatch, capsys, "--task", "pos", stdin=b"one\n")
    assert "\x1b[" not in out
