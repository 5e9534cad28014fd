from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "serving"))

from tiny_taggers import tiny_export

from seqlab.commands import card
from seqlab.errors import SeqlabError


def run_card(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    card.add_parser(parser.add_subparsers())
    args = parser.parse_args(["card", *arguments])
    status: int = args.run(args)
    return status


def test_the_card_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(tiny_export("ner") / "config.json", tmp_path)
    (tmp_path / "model_card.md").write_text("# A tagger\n", encoding="utf-8")
    assert run_card("--model", str(tmp_path)) == 0
    assert capsys.readouterr().out == "# A tagger\n"


def test_an_export_without_a_card(tmp_path: Path) -> None:
    shutil.copy(tiny_export("ner") / "config.json", tmp_path)
    with pytest.raises(SeqlabError, match=r"model_card\.md: the export has no model card\n  remedy: export"):
        run_card("--model", str(tmp_path))


def test_no_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SeqlabError, match=r"models/pos/export: there is no exported model"):
        run_card("--task", "pos")
