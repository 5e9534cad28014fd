from __future__ import annotations

import sys

from seqlab.corpora.download_progress import download_progress, no_progress


def test_without_a_terminal_there_is_a_line_for_each_tenth(capsys):
    with download_progress("train.conll") as report:
        for done in range(0, 1001, 10):
            report(done, 1000)
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == ""
    assert lines[0] == "train.conll: 0 of 1,000 bytes (0%)"
    assert lines[1] == "train.conll: 100 of 1,000 bytes (10%)"
    assert lines[-1] == "train.conll: 1,000 of 1,000 bytes (100%)"
    assert len(lines) == 11


def test_without_a_known_size_there_is_one_line(capsys):
    with download_progress("train.conll") as report:
        report(0, None)
        report(70_000, None)
    assert capsys.readouterr().err.splitlines() == ["train.conll: 0 bytes"]


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    with download_progress("train.conll") as report:
        report(500, 1000)
        report(1000, 1000)
    assert "train.conll" in capsys.readouterr().err


def test_no_progress_says_nothing(capsys):
    no_progress(1, 2)
    assert capsys.readouterr() == ("", "")
