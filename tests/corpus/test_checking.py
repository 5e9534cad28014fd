from __future__ import annotations

import pytest

from seqlab.cli import main
from seqlab.corpus.checking import check_files, format_report
from seqlab.corpus.conll import ConllLayout
from seqlab.errors import CorpusError

A_TAG = "expected O, or one of B, I, a hyphen and an entity type (IOB2)"
SCHEMES = {"ner": "IOB2"}


@pytest.fixture
def check(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def check_texts(*texts, columns=("token", "ner"), separator="\t", tag_schemes=SCHEMES, name="{}.conll"):
        paths = [name.format(letter) for letter in "abc"[: len(texts)]]
        for path, text in zip(paths, texts, strict=True):
            (tmp_path / path).write_bytes(text if isinstance(text, bytes) else text.encode())
        return check_files(paths, layout=ConllLayout(columns, separator), tag_schemes=tag_schemes)

    return check_texts


def lines(files):
    return format_report(files).split("\n")


def test_the_report_has_a_line_for_each_error_and_ends_with_counts(check):
    files = check(
        b"a\tB-X\nb\tI-Y\nc\tI-Y\nd\tQ\ne\tI-Y\n\n"
        b"f\n\tO\ng\tI-X\nh\tPER\n\nn\0\tO\n\xe9\tO\nx y\tO \ni\tI-X\n"
    )
    assert lines(files) == [
        "a.conll:2:3: invalid transition in column ner (IOB2), expected B-Y, or I-Y after B-Y or I-Y, "
        "received I-Y after B-X; fix the tags, or set tag_repair to read them like the CoNLL evaluation "
        "script",
        f"a.conll:4:3: invalid tag in column ner (IOB2), {A_TAG}, received 'Q'",
        "a.conll:7: wrong number of columns, expected 2 columns (token, ner) separated by tabs, "
        "received 1: 'f'; name all columns of the file in order",
        r"a.conll:8:1: empty token, expected at least one character, received '\tO'; "
        "add the missing value, or name the column '_' to ignore it",
        f"a.conll:10:3: invalid tag in column ner (IOB2), {A_TAG}, received 'PER'",
        "a.conll:12:2: NUL in the text, expected text in UTF-8 with LF or CRLF at the end of each line, "
        "received '\\x00'; remove it, or if the file is in UTF-16: iconv -f UTF-16 -t UTF-8 a.conll",
        "a.conll:13:1: the text is not UTF-8, expected text in UTF-8, "
        "received byte 0xE9, which is 'é' in Latin-1; "
        "if the file is in Latin-1, convert it: iconv -f ISO-8859-1 -t UTF-8 a.conll",
        "a.conll: 3 sentences, 9 tokens",
        "7 errors, 0 warnings",
    ]


def test_a_clean_file(check):
    assert lines(check("a\tB-X\n")) == ["a.conll: 1 sentence, 1 token", "0 errors, 0 warnings"]


def test_duplicate_sentences_within_and_across_files(check):
    assert lines(check("a\tO\n\nb\tO\n\na\tO\n\na\tO\n", "c\tO\n\nb\tO\n\na\tO\n")) == [
        "a.conll:5: warning: duplicate sentences in this file, received 2 of 4, starting here",
        "b.conll:3: warning: sentences that are also in a.conll, received 2 of 3 distinct sentences, "
        "starting here; remove them from one file: scores on sentences seen in training are too high",
        "a.conll: 4 sentences, 4 tokens",
        "b.conll: 3 sentences, 3 tokens",
        "0 errors, 2 warnings",
    ]


def test_tags_that_only_one_file_contains(check):
    what = "warning: tag in column ner that no other file contains, received"
    assert lines(check("a\tB-X\n\nb\tB-Y\n", "c\tB-X\n\nd\tB-Z\ne\tI-Z\nf\tI-Z\n"))[:3] == [
        f"a.conll:3: {what} B-Y, 1 time, starting here; check its spelling",
        f"b.conll:3: {what} B-Z, 1 time, starting here",
        f"b.conll:4: {what} I-Z, 2 times, starting here",
    ]


@pytest.mark.parametrize("token", ["cafÃ©", "donâ€™t", "lost\ufffd", "\ufeffthe", "\u0092s"])
def test_suspicious_encodings(check, token):
    (checked,) = check(f"Ünïcode\tO\n{token}\tO\n")
    (warning,) = checked.warnings.listed
    assert (warning.line, warning.column, warning.what) == (2, 1, "suspicious encoding")
    assert repr(token) in warning.received


def test_unusually_long_sentences(check):
    usual = "".join(f"a{i}\tO\nb\tO\n\n" for i in range(200))
    report = lines(check(usual + "c\tO\n" * 101 + "\n" + "d\tO\n" * 100))
    assert report[0].startswith(
        "a.conll:601: warning: unusually long sentence, expected at most 100 tokens, "
        "because 99 % of the sentences have at most 2, received 101 tokens"
    )
    assert report[-1] == "0 errors, 1 warning"
    assert lines(check("".join(f"a{i}\tO\n\n" for i in range(99)) + "c\tO\n" * 101))[-1] == report[-1]


def test_the_check_continues_after_a_file_that_cannot_be_read(check):
    check("a\tO\n")
    files = check_files(["none.conll", "a.conll"], layout=ConllLayout(("token", "ner")), tag_schemes={})
    assert [str(error) for error in files[0].errors.listed] == [
        "none.conll: no such file\n  remedy: check the path"
    ]
    assert [checked.lengths for checked in files] == [[], [1]]


def test_a_folder_stands_for_its_files(check, tmp_path):
    check("a\tO\n", "b\tO\n")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "empty").mkdir()
    layout = ConllLayout(("token", "ner"))
    files = check_files([tmp_path, tmp_path / "empty"], layout=layout, tag_schemes={})
    assert [checked.file for checked in files[:2]] == [f"{tmp_path}/a.conll", f"{tmp_path}/b.conll"]
    assert [error.what for error in files[2].errors.listed] == ["this is a folder"]


def test_conllu_files(check):
    (checked,) = check("1\ta\tl\tADP\tX\t_\t0\troot\t_\t_\n2\tb\n", name="{}.conllu")
    assert [error.line for error in checked.errors.listed] == [2]
    assert checked.tags["upos"] == {"ADP": 1}


@pytest.mark.parametrize(
    ("text", "separator", "message"),
    [
        (
            "From ADP IN O\n",
            "\t",
            "this looks like 4 columns separated by single spaces, "
            "expected 4 columns (token, upos, xpos, ner) separated by tabs; "
            "set corpus.files.separator to 'space' (or --separator space)",
        ),
        (
            "From   ADP  IN\tO\nthe    DET  DT\tO\n",
            "\t",
            "this looks like 4 columns separated by runs of spaces and tabs, "
            "expected 4 columns (token, upos, xpos, ner) separated by tabs; "
            "set corpus.files.separator to 'whitespace' (or --separator whitespace)",
        ),
        (
            "From\tADP\tIN\tO\n",
            " ",
            "this looks like 4 columns separated by tabs, "
            "expected 4 columns (token, upos, xpos, ner) separated by single spaces; "
            "set corpus.files.separator to 'tab' (or --separator tab)",
        ),
        (
            "From\tO\n",
            "\t",
            "this looks like 2 columns separated by tabs, "
            "expected 4 columns (token, upos, xpos, ner) separated by tabs; "
            "list the 2 columns in corpus.files.columns (or --columns)",
        ),
        (
            "From O\n",
            "\t",
            "this looks like 2 columns separated by single spaces, "
            "expected 4 columns (token, upos, xpos, ner) separated by tabs; "
            "set corpus.files.separator to 'space' (or --separator space) and "
            "list the 2 columns in corpus.files.columns (or --columns)",
        ),
        (
            "1\tFrom\tfrom\tADP\tIN\t_\t2\tcase\t_\t_\n",
            "\t",
            "this looks like 10 columns separated by tabs, "
            "expected 4 columns (token, upos, xpos, ner) separated by tabs; "
            "add .conllu to the file's name if it is CoNLL-U, or "
            "list the 10 columns in corpus.files.columns (or --columns)",
        ),
    ],
)
def test_a_file_in_another_layout_is_one_error_with_the_settings_that_fit(check, text, separator, message):
    columns = ("token", "upos", "xpos", "ner")
    report = lines(check("# id: 1\n" + text * 100, columns=columns, separator=separator))
    assert report == [f"a.conll:2: {message}", "a.conll: 0 sentences, 0 tokens", "1 error, 0 warnings"]


def test_a_few_lines_that_fit_do_not_hide_another_layout(check):
    report = lines(check("From ADP O\n" * 50 + "a\tO\n\n", "b\tO\n"))
    assert report[0].startswith("a.conll:1: this looks like 3 columns separated by single spaces, ")
    assert report[1:] == [
        "a.conll: 1 sentence, 1 token",
        "b.conll: 1 sentence, 1 token",
        "1 error, 0 warnings",
    ]


def test_errors_of_one_kind_are_summarised_after_twenty(check):
    report = lines(check("".join(f"{'word ' * (i % 7)}end\n" for i in range(332)) + "a\tQ\n"))
    assert len(report) == 24
    assert all(": wrong number of columns, " in line for line in report[:20])
    assert report[20].startswith("a.conll:333:3: invalid tag in column ner (IOB2), ")
    assert report[21:] == [
        "a.conll: wrong number of columns: and 312 more of this kind",
        "a.conll: 1 sentence, 1 token",
        "333 errors, 0 warnings",
    ]


def test_a_scheme_for_an_unknown_column():
    with pytest.raises(
        CorpusError, match=r"tag_schemes: .*unknown column\n  expected: columns among token, ner\n.*pos"
    ):
        check_files([], layout=ConllLayout(("token", "ner")), tag_schemes={"pos": "IOB2"})


def test_the_command_reports_another_layout_once_and_reads_folders(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.txt").write_text("From ADP IN O\n" * 30)
    options = ["--columns", "token,upos,xpos,ner"]
    assert main(["check", "own", *options]) == 1
    output = capsys.readouterr().out.splitlines()
    assert len(output) == 3
    assert "set corpus.files.separator to 'space' (or --separator space)" in output[0]
    assert main(["check", "own", *options, "--separator", "space"]) == 0
