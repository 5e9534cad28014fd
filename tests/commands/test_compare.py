from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from seqlab.cli import build_parser, main

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders of predictions, `a` and `b`, beside no params.yaml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name, tag in (("a", "O"), ("b", "B-PER")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "test.conll").write_text(f"Ada B-PER {tag}\nruns O O\n\n" * 20, encoding="utf-8")
    return tmp_path


def test_the_terminal_shows_at_most_120_columns(folders, capsys):
    assert main(["compare", "a", "b", "--task", "ner", "--examples", "1"]) == 0
    text = capsys.readouterr().out
    assert "a difference between these two trainings" in text
    assert "+1.0000" in text
    assert "test sentence 1, better in B" in text
    assert "test sentence 2" not in text
    assert max(map(len, text.splitlines())) <= 120


def test_markdown(folders, capsys):
    assert main(["compare", "a", "b", "--task", "ner", "--markdown"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("## Comparison of ner\n")
    assert "| test | B − A | +1.0000 |" in text


def test_a_page(folders, capsys):
    assert main(["compare", "a", "b", "--task", "ner", "--html", "page.html"]) == 0
    assert capsys.readouterr().out == "page.html\n"
    assert "<td>B − A</td>" in (folders / "page.html").read_text(encoding="utf-8")


def test_a_name_of_nothing(folders, capsys):
    assert main(["compare", "a", "no-such-thing", "--task", "ner"]) == 1
    assert "no-such-thing: there is no such result" in capsys.readouterr().err


def test_the_commands_of_the_page_parse():
    page = (REPOSITORY / "docs" / "experiments.md").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", page, re.M | re.S))
    commands = re.findall(r"^seqlab ([^>\n]*)", blocks, re.M)
    assert len(commands) >= 4
    for command in commands:
        assert build_parser().parse_args(shlex.split(command)).run
