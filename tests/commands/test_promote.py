from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from seqlab.commands import promote as command
from seqlab.tracking.registry import Promotion
from seqlab.tracking.scored_version import ScoredVersion


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


def version(number: str, dev: float, test: float) -> ScoredVersion:
    return ScoredVersion(number, dev={"span_f1": dev}, test={"span_f1": test})


def test_the_first_champion(monkeypatch, capsys) -> None:
    done = Promotion("seqlab-ner", "span_f1", version("3", 0.91239, 0.9))
    expected = {"name": "seqlab-ner", "alias": "candidate", "best": False, "force": False}
    assert run_promote(monkeypatch, done) == (0, expected)
    assert capsys.readouterr().out == (
        "seqlab-ner: the champion is version 3 (span F1 0.9124 on dev, 0.9000 on test)\n"
    )


def test_the_champion_before_and_the_notes_are_shown(monkeypatch, capsys) -> None:
    notes = ("the difference on dev is within noise",)
    done = Promotion("seqlab-pos", "span_f1", version("3", 0.5, 0.4), version("1", 0.45, 0.41), notes)
    status, asked = run_promote(monkeypatch, done, "--task", "pos", "--version", "3", "--force")
    assert (status, asked) == (0, {"name": "seqlab-pos", "alias": "3", "best": False, "force": True})
    assert capsys.readouterr().out == (
        "seqlab-pos: the champion is version 3 (span F1 0.5000 on dev, 0.4000 on test)\n"
        "before: version 1 (span F1 0.4500 on dev, 0.4100 on test)\n"
        "note: the difference on dev is within noise\n"
    )


def test_the_best_and_a_number_exclude_each_other(monkeypatch, capsys) -> None:
    done = Promotion("seqlab-ner", "span_f1", version("3", 0.5, 0.4))
    assert run_promote(monkeypatch, done, "--best")[1]["best"] is True
    with pytest.raises(SystemExit):
        run_promote(monkeypatch, done, "--best", "--version", "3")
    assert "not allowed with argument" in capsys.readouterr().err
