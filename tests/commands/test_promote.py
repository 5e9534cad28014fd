from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from seqlab.commands import promote as command
from seqlab.tracking.registry import Promotion


def run_promote(
    monkeypatch: pytest.MonkeyPatch, done: Promotion, *arguments: str
) -> tuple[int, dict[str, Any]]:
    """Exit status, and what was asked of the registry."""
    asked: dict[str, Any] = {}

    def promote(root: Path, **options: Any) -> Promotion:
        asked.update(options)
        return done

    monkeypatch.setattr(command, "promote", promote)
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["promote", *arguments])
    return args.run(args), asked


def test_the_first_champion(monkeypatch, capsys) -> None:
    done = Promotion("seqlab-ner", "3", "test/span_f1", 0.91239)
    assert run_promote(monkeypatch, done) == (0, {"name": "seqlab-ner", "alias": "candidate", "force": False})
    assert capsys.readouterr().out == "seqlab-ner: version 3 is the champion (test/span_f1 0.9124)\n"


@pytest.mark.parametrize(("score", "shown"), [(0.5, "0.5000"), (None, "not tested")])
def test_the_champion_before_is_told(monkeypatch, capsys, score: float | None, shown: str) -> None:
    done = Promotion("seqlab-pos", "3", "test/token_accuracy", 0.9, champion="1", champion_score=score)
    status, asked = run_promote(monkeypatch, done, "--task", "pos", "--version", "3", "--force")
    assert (status, asked) == (0, {"name": "seqlab-pos", "alias": "3", "force": True})
    assert (
        f"is the champion (test/token_accuracy 0.9000); it was version 1 ({shown})\n"
        in capsys.readouterr().out
    )
