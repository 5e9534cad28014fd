from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from seqlab.cli import COMMANDS, build_parser, main
from seqlab.commands.summary import summary_row

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def repository(tmp_path, monkeypatch):
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def test_every_command_has_help():
    text = build_parser().format_help()
    assert all(name in text for name in COMMANDS)


def test_summary_shows_scores_and_says_what_is_synthetic(repository, capsys):
    for task, scores in (
        ("ner", {"span_f1": 0.91234, "token_accuracy": 0.98}),
        ("pos", {"token_accuracy": 0.97}),
    ):
        write(repository / "metrics" / task / "corpus.json", {"corpus": "sample", "synthetic": True})
        write(repository / "metrics" / task / "evaluate.json", {"test": scores})
        write(repository / "models" / task / "run.json", {"run_id": "0123456789abcdef"})
    assert main(["summary"]) == 0
    text = capsys.readouterr().out
    assert "0.9123" in text
    assert "sample (synthetic)" in text
    assert "its scores say nothing about real text" in text
    assert "0123456789ab" in text
    assert "make ui" in text


def test_summary_says_what_is_missing(repository):
    row, corpora = summary_row("ner", root=repository)
    assert "missing" in row[3]
    assert "metrics/ner/corpus.json" in row[3]
    assert corpora == {}


@pytest.mark.parametrize("arguments", [["summary"], ["card"], ["promote"], ["tag"]])
def test_the_scores_of_another_commit_are_reported_by_every_command(repository, capsys, arguments):
    write(repository / "metrics" / "ner" / "corpus.json", {"corpus": "sample", "synthetic": True})
    write(
        repository / "metrics" / "ner" / "evaluate.json",
        {"test": {"token_accuracy": 0.5}, "run_id": "a" * 32},
    )
    write(repository / "models" / "ner" / "run.json", {"run_id": "b" * 32})
    main(arguments)
    printed = capsys.readouterr()
    assert "come from different runs" in printed.err
    assert "run `dvc checkout`" in printed.err
    if arguments == ["summary"]:  # the scores are shown with the run that made them
        assert "aaaaaaaaaaaa" in printed.out
        assert "bbbbbbbbbbbb" not in printed.out


def test_check_reads_its_columns_from_the_parameters_and_tells_every_problem(repository, capsys):
    bad = repository / "bad.conll"
    bad.write_text("a\tNOUN\tNN\tO\nb\tNOUN\tNN\n\nc\tNOUN\tNN\tI-PER\n\n", encoding="utf-8")
    assert main(["check", str(bad)]) == 1
    text = capsys.readouterr().out
    assert "bad.conll:2" in text
    assert "bad.conll:4:11" in text
    good = repository / "good.conll"
    good.write_text("a NOUN\n\n", encoding="utf-8")
    assert main(["check", str(good), "--columns", "token,upos", "--separator", "space"]) == 0


def test_check_finds_the_columns_that_contain_spans(repository, capsys):
    for name in ("a/a.conll", "a.conll"):
        path = repository / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("a\tNOUN\tB-NP\nb\tNOUN\tI-VP\n\n", encoding="utf-8")
        given = str(path.parent if "/" in name else path)
        assert main(["check", given, "--columns", "token,pos,chunk"]) == 1
        assert "invalid transition in column chunk (IOB2)" in capsys.readouterr().out
        assert main(["check", given, "--columns", "token,pos,chunk", "--span-columns", "pos"]) == 1
        assert "invalid tag in column pos (IOB2)" in capsys.readouterr().out


def test_corpora_shortens_no_licence_or_homepage(repository, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["corpora", "en_ewt", "--licence"]) == 0
    assert "…" not in capsys.readouterr().out


def test_corpora_lists_and_searches(repository, capsys):
    assert main(["corpora"]) == 0
    text = capsys.readouterr().out
    assert "sample" in text
    assert "conll2003" in text
    assert "ud/en_ewt" not in text
    assert main(["corpora", "en_ewt", "--licence"]) == 0
    text = capsys.readouterr().out
    assert "uner_en_ewt" in text
    assert "ud/en_ewt" in text
    assert "CC BY-SA" in text
    assert main(["corpora", "no such corpus"]) == 1


def test_an_error_for_the_user_has_no_traceback(repository, capsys):
    (repository / "params.yaml").unlink()
    assert main(["summary"]) == 1
    assert capsys.readouterr().err.startswith("error: params.yaml: the file does not exist")


def test_replay_with_nothing_pending(repository, capsys):
    assert main(["replay"]) == 0
    assert capsys.readouterr().out == "nothing is pending\n"


def test_ui_prints_where_each_tasks_runs_are_and_becomes_the_server(repository, capsys, monkeypatch):
    started = []
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(os, "execvpe", lambda file, arguments, environment: started.append(arguments))
    assert main(["ui", "--port", "5055"]) is None
    text = capsys.readouterr().out
    assert "ner runs: http://127.0.0.1:5055/#/experiments/" in text
    assert "127.0.0.1" in started[0]
    assert "5055" in started[0]
