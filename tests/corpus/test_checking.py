from __future__ import annotations

import pytest

from seqlab.corpus.checking import check_files, format_report, run_check
from seqlab.errors import CorpusError

COLUMNS = ["token", "ner"]
A_TAG = "expected O, or one of B, I, a hyphen and an entity type (IOB2)"
LONE = "received {} of them, the first here"


@pytest.fixture
def check(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def check_texts(*texts, tag_schemes=None):
        paths = [f"{name}.conll" for name in "abc"[: len(texts)]]
        for path, text in zip(paths, texts, strict=True):
            (tmp_path / path).write_bytes(text if isinstance(text, bytes) else text.encode())
        return check_files(paths, columns=COLUMNS, tag_schemes=tag_schemes or {"ner": "IOB2"})

    return check_texts


def lines(report):
    return format_report(report).split("\n")


def test_every_problem_is_a_line_and_counts_come_last(check):
    report = check(
        b"a\tB-X\nb\tI-Y\nc\tI-Y\nd\tQ\ne\tI-Y\n\n"
        b"f\n\tO\ng\tI-X\nh\tPER\n\nn\0\tO\n\xe9\tO\nx y\tO \ni\tI-X\n"
    )
    assert lines(report) == [
        "a.conll:2:3: invalid transition in column ner (IOB2), expected B-Y, or I-Y after B-Y or I-Y, "
        "received I-Y after B-X",
        f"a.conll:4:3: invalid tag in column ner (IOB2), {A_TAG}, received 'Q'",
        "a.conll:7: wrong number of columns, expected 2 columns (token, ner) between tabs, received 1: 'f'",
        r"a.conll:8:1: empty token, expected at least one character, received '\tO'",
        f"a.conll:10:3: invalid tag in column ner (IOB2), {A_TAG}, received 'PER'",
        "a.conll:12:2: NUL in the text, expected text in UTF-8, its lines ended by LF or CRLF, "
        "received '\\x00'",
        "a.conll:13:1: the text is not UTF-8, expected text in UTF-8, "
        "received byte 0xE9, which is 'é' in Latin-1",
        "a.conll: 3 sentences, 9 tokens",
        "7 errors, 0 warnings",
    ]


def test_a_clean_file(check):
    assert lines(check("a\tB-X\n")) == ["a.conll: 1 sentences, 1 tokens", "0 errors, 0 warnings"]


def test_repeated_sentences_within_and_across_files(check):
    report = check("a\tO\n\nb\tO\n\na\tO\n\na\tO\n", "c\tO\n\nb\tO\n\na\tO\n")
    assert not report.errors
    assert lines(report)[:2] == [
        "a.conll:5: warning: sentences stand more than once in this file, received 2 of 4, the first here",
        "b.conll:3: warning: sentences stand in a.conll too, received 2 of 3 different ones, the first here",
    ]


def test_tags_that_only_one_file_has(check):
    report = check("a\tB-X\n\nb\tB-Y\n", "c\tB-X\n\nd\tB-Z\ne\tI-Z\nf\tI-Z\n")
    assert lines(report)[:3] == [
        "a.conll:3: warning: only this file has the tag B-Y in column ner, " + LONE.format(1),
        "b.conll:3: warning: only this file has the tag B-Z in column ner, " + LONE.format(1),
        "b.conll:4: warning: only this file has the tag I-Z in column ner, " + LONE.format(2),
    ]


@pytest.mark.parametrize("token", ["cafÃ©", "donâ€™t", "lost\ufffd", "\ufeffthe", "\u0092s"])
def test_suspicious_encodings(check, token):
    (warning,) = check(f"Ünïcode\tO\n{token}\tO\n").warnings
    assert (warning.line, warning.column, warning.what) == (2, 1, "suspicious encoding")
    assert repr(token) in warning.received


def test_sentences_far_longer_than_the_rest(check):
    usual = "".join(f"a{i}\tO\nb\tO\n\n" for i in range(200))
    report = check(usual + "c\tO\n" * 101 + "\n" + "d\tO\n" * 100)
    assert lines(report)[0] == (
        "a.conll:601: warning: a sentence far longer than the rest, expected at most 100 tokens, "
        "as 99 of 100 sentences have at most 2, received 101 tokens"
    )
    assert len(report.warnings) == 1


def test_long_sentences_are_remembered_among_thousands(check):
    report = check("x\tO\n" * 150 + "\n" + "".join(f"a{i}\tO\n\n" for i in range(1500)))
    assert [(warning.line, warning.received) for warning in report.warnings] == [(1, "150 tokens")]


def test_a_file_that_cannot_be_read_does_not_stop_the_check(check):
    check("a\tO\n")
    report = check_files(["none.conll", "a.conll"], columns=COLUMNS)
    assert [str(error) for error in report.errors] == ["none.conll: no such file\n  remedy: check the path"]
    assert [checked.sentences for checked in report.files] == [0, 1]


def test_conllu_files_are_read_as_such(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_text("1\ta\tl\tADP\tX\t_\t0\troot\t_\t_\n2\tb\n")
    report = check_files([path], columns=COLUMNS, tag_schemes={"ner": "IOB2"})
    assert [error.line for error in report.errors] == [2]
    assert report.files[0].tags["upos"] == {"ADP": 1}


@pytest.mark.parametrize(("text", "status"), [("a\tO\n", 0), ("a\tO\n\na\tO\n", 0), ("a\tI-X\n", 1), ("", 1)])
def test_the_exit_status_tells_errors_from_warnings(tmp_path, text, status):
    path = tmp_path / "a.conll"
    path.write_text(text)
    written = []
    assert run_check([path], columns=COLUMNS, tag_schemes={"ner": "IOB2"}, write=written.append) == status
    assert written[0].endswith("warnings")


def test_a_scheme_for_a_column_that_is_not_there():
    with pytest.raises(
        CorpusError, match=r"tag_schemes: .*not there\n  expected: columns among token, ner\n.*pos"
    ):
        check_files([], columns=COLUMNS, tag_schemes={"pos": "IOB2"})
