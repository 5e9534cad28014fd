from __future__ import annotations

from pathlib import Path

import pytest

from seqlab.cli import main
from seqlab.corpus.check_report import format_report
from seqlab.corpus.checking import check_files
from seqlab.corpus.conll import ConllLayout
from seqlab.errors import CorpusError
from seqlab.tags import spans_to_tags

A_TAG = "O, or one of B, I, a hyphen and an entity type (IOB2)"
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


def findings(files):
    """Return the report without the tables and counts at its end."""
    found = lines(files)
    return found[: next(i for i, line in enumerate(found) if line.startswith(("column ", "a.conll: ")))]


def test_the_report_has_a_line_for_each_error_and_ends_with_counts(check):
    files = check(
        b"a\tB-X\nb\tI-Y\nc\tI-Y\nd\tQ\ne\tI-Y\n\n"
        b"f\n\tO\ng\tI-X\nh\tPER\n\nn\0\tO\n\xe9\tO\nx y\tO \ni\tI-X\n"
    )
    assert lines(files) == [
        "a.conll:2:3: invalid transition in column ner (IOB2): I-Y after B-X",
        "  expected: B-Y, or I-Y after B-Y or I-Y",
        "  remedy: fix the tags, or set tag_repair to read them like the CoNLL evaluation script",
        "a.conll:4:3: invalid tag in column ner (IOB2): 'Q'",
        f"  expected: {A_TAG}",
        "  remedy: fix the tags, or set tag_repair to read them like the CoNLL evaluation script",
        "a.conll:10:3: invalid tag in column ner (IOB2): 'PER'",
        "a.conll:7: wrong number of columns: 1: 'f'",
        "  expected: 2 columns (token, ner) separated by tabs",
        "  remedy: name all columns of the file in order",
        r"a.conll:8:1: empty token: '\tO'",
        "  expected: at least one character",
        "  remedy: add the missing value, or name the column '_' to ignore it",
        r"a.conll:12:2: NUL in the text: '\x00'",
        "  expected: text in UTF-8 with LF or CRLF at the end of each line",
        "  remedy: remove it, or if the file is in UTF-16: iconv -f UTF-16 -t UTF-8 a.conll",
        "a.conll:13:1: the text is not UTF-8: byte 0xE9, which is 'é' in Latin-1",
        "  expected: text in UTF-8",
        "  remedy: if the file is in Latin-1, convert it: iconv -f ISO-8859-1 -t UTF-8 a.conll",
        "column ner, IOB2: 2 entity types, 5 spans in 3 of 3 sentences",
        "  X  3   I-X 2, B-X 1",
        "  Y  2   I-Y 3",
        "a.conll: 3 sentences, 9 tokens",
        "7 errors, 0 warnings",
    ]


def test_a_clean_file(check):
    assert lines(check("a\tB-X\n")) == [
        "column ner, IOB2: 1 entity type, 1 span in 1 of 1 sentence",
        "  X  1   B-X 1",
        "a.conll: 1 sentence, 1 token",
        "0 errors, 0 warnings",
    ]


def test_duplicate_sentences_within_and_across_files(check):
    files = check("a\tO\n\nb\tO\n\na\tO\n\na\tO\n", "c\tO\n\nb\tO\n\na\tO\n")
    assert findings(files) == [
        "a.conll:5: warning: duplicate sentences in this file: 2 of 4, starting here",
        "b.conll:3: warning: sentences that are also in a.conll: 2 of 3 distinct sentences, starting here",
        "  remedy: remove them from one file: scores on sentences seen in training are too high",
    ]
    assert lines(files)[-1] == "0 errors, 2 warnings"


def test_tags_that_only_one_file_contains(check):
    what = "warning: tag in column ner that no other file contains:"
    files = check("a\tB-X\n\nb\tB-Y\n", "c\tB-X\n\nd\tB-Z\ne\tI-Z\nf\tI-Z\n")
    assert findings(files) == [
        f"a.conll:3: {what} B-Y, 1 time, starting here",
        "  remedy: check its spelling",
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
    assert report[:2] == [
        "a.conll:601: warning: unusually long sentence: 101 tokens",
        "  expected: at most 100 tokens, because 99 % of the sentences have at most 2",
    ]
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
    assert [error.what for error in files[2].errors.listed] == ["the folder has no files"]


def test_conllu_files(check):
    (checked,) = check("1\ta\tl\tADP\tX\t_\t0\troot\t_\t_\n2\tb\n", name="{}.conllu")
    assert [error.line for error in checked.errors.listed] == [2]
    assert checked.tags["upos"] == {"ADP": 1}


@pytest.mark.parametrize(
    ("text", "separator", "what", "remedy"),
    [
        (
            "From ADP IN O\n",
            "\t",
            "4 columns separated by single spaces",
            "set corpus.files.separator to 'space' (or --separator space)",
        ),
        (
            "From   ADP  IN\tO\nthe    DET  DT\tO\n",
            "\t",
            "4 columns separated by runs of spaces and tabs",
            "set corpus.files.separator to 'whitespace' (or --separator whitespace)",
        ),
        (
            "From\tADP\tIN\tO\n",
            " ",
            "4 columns separated by tabs",
            "set corpus.files.separator to 'tab' (or --separator tab)",
        ),
        (
            "From\tO\n",
            "\t",
            "2 columns separated by tabs",
            "list the 2 columns in corpus.files.columns (or --columns)",
        ),
        (
            "From O\n",
            "\t",
            "2 columns separated by single spaces",
            "set corpus.files.separator to 'space' (or --separator space) and "
            "list the 2 columns in corpus.files.columns (or --columns)",
        ),
        (
            "1\tFrom\tfrom\tADP\tIN\t_\t2\tcase\t_\t_\n",
            "\t",
            "10 columns separated by tabs",
            "add .conllu to the file's name if it is CoNLL-U, or "
            "list the 10 columns in corpus.files.columns (or --columns)",
        ),
    ],
)
def test_a_file_in_another_layout_is_one_error_with_the_settings_that_fit(
    check, text, separator, what, remedy
):
    columns = ("token", "upos", "xpos", "ner")
    (checked,) = check("# id: 1\n" + text * 100, columns=columns, separator=separator)
    (error,) = checked.errors.listed
    assert (error.line, error.what, error.remedy) == (2, f"this looks like {what}", remedy)
    assert error.expected.startswith("4 columns (token, upos, xpos, ner) separated by ")
    # With the right number of columns, the rest is checked as if the separator were set.
    assert sum(checked.lengths) == (100 * text.count("\n") if what.startswith("4") else 0)
    assert lines([checked])[-1].startswith("1 error, ")


def test_columns_of_another_number_are_named_by_what_they_contain(check):
    text = "".join(
        f"{i % 3 + 1}\tword{i}\t{'NOUN' if i % 2 else 'VERB'}\t{'B-PER' if i == 4 else 'O'}\n"
        for i in range(40)
    )
    (checked,) = check(text)
    (error,) = checked.errors.listed
    assert error.remedy == (
        "list the 4 columns in corpus.files.columns (or --columns), for example _,token,_,ner"
    )


def test_a_few_lines_that_fit_do_not_hide_another_layout(check):
    first, _ = check("From ADP O\n" * 50 + "a\tO\n\n", "b\tO\n")
    (error,) = first.errors.listed
    assert error.what == "this looks like 3 columns separated by single spaces"
    assert not first.tags


@pytest.mark.parametrize("scheme", ["IOB1", "BIOES", "BILOU"])
def test_a_file_in_another_scheme_is_one_error_and_the_rest_is_checked_in_that_scheme(check, scheme):
    spans = [("PER", 0, 3), ("LOC", 3, 4)]
    tags = spans_to_tags(spans, length=4, scheme=scheme)
    sentence = "".join(f"{token}\t{tag}\n" for token, tag in zip("abcd", tags, strict=True))
    (checked,) = check(f"{sentence}\n" * 40 + "e\tB-LOC\nf\tB-PER\ng\tX\n")
    error, *others = checked.errors.listed
    assert error.what == f"the tags in column ner look like {scheme}, not IOB2"
    assert error.line == (1 if scheme == "IOB1" else 2 + ("E" in scheme or "L" in scheme))
    assert error.remedy == f"set corpus.files.tag_scheme to {scheme} (or --tag-scheme {scheme})"
    assert "of 41 sentences with spans are invalid in IOB2" in error.received
    assert {finding.line for finding in others} <= {201, 202, 203}
    assert checked.spans["ner"]["PER"] >= 40


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        ("B_PER I_PER", "a hyphen after the prefix: B-PER, not B_PER"),
        ("PER-B PER-I", "the prefix before the type: B-PER, not PER-B"),
        ("b-PER i-PER", "capital prefixes: B-PER, not b-PER"),
        ("PER PER", "tags with prefixes: B-PER and I-PER, not PER"),
    ],
)
def test_tags_of_no_scheme_are_one_error_that_says_how_they_are_written(check, old, expected):
    first, second = old.split()
    (checked,) = check(f"a\t{first}\nb\t{second}\nc\tO\n\n" * 30)
    (error,) = checked.errors.listed
    assert error.what == "the tags in column ner belong to no tag scheme"
    assert error.expected == expected
    assert "60 of 60 tags other than O" in error.received
    assert f"column ner: {2 if first != second else 1} " not in lines([checked])[0]


def test_columns_in_another_order_are_one_error_that_names_the_column_with_spans(check):
    (checked,) = check("a\tB-X\tNOUN\nb\tO\tVERB\n\n" * 30, columns=("token", "upos", "ner"))
    (error,) = checked.errors.listed
    assert error.expected == "spans; column 2 contains some"
    assert error.remedy == "list the columns in their order: call column 2 ner"


def test_repeats_are_capped_in_the_whole_report(check):
    files = check(
        "a\tI-X\n\nb\tO\n\n" * 30 + "c\tB-X\n\n" * 60, "a\tI-X\n\nb\tO\n\n" * 30 + "c\tB-X\n\n" * 60
    )
    report = format_report(files, max_per_kind=3).split("\n")
    assert [line for line in report if "invalid transition" in line] == [
        f"a.conll:{line}:3: invalid transition in column ner (IOB2): I-X at the start of a sentence"
        for line in (1, 5, 9)
    ]
    assert "  and 57 more like this" in report
    assert report[-1] == "60 errors, 3 warnings"


def test_lines_of_all_widths_are_one_error(check):
    (checked,) = check("".join(f"{'word ' * (i % 7)}end\n" for i in range(332)) + "a\tQ\n")
    wide, tag = checked.errors.listed
    assert wide.what == "332 lines are not 2 columns separated by tabs"
    assert wide.received == "lines such as 'end'"
    assert tag.what == "invalid tag in column ner (IOB2)"


def test_no_line_of_a_report_is_wider_than_a_terminal(check):
    tags = [f"B-{'Type' * (i % 9 + 1)}{i}" for i in range(90)]
    text = "".join(f"token\t{tag}\tA{tag}\n\n" for tag in tags) + "x\tI-Y\tQ\n" + "y\n" + "z\tQ\tQ\n"
    files = check(text * 2, text, columns=("token", "ner", "upos"))
    assert max(map(len, lines(files))) <= 120
    assert any(line.startswith("column upos: 91 tags, ") for line in lines(files))


def test_rare_tags_are_named(check):
    text = "a\tNOUN\n\n" * 50 + "b\tVERB\n\n" * 20 + "c\tX\n\n" * 3
    files = check(text, columns=("token", "upos"), tag_schemes={})
    assert lines(files)[-5:-2] == [
        "column upos: 3 tags, 73 tokens",
        "  NOUN 50   VERB 20   X 3",
        "  rare tags, fewer than 20 times: X 3",
    ]


@pytest.mark.parametrize(
    ("name", "title", "command"),
    [
        ("my train.jsonl", "JSON Lines", "seqlab convert 'my train.jsonl' --output 'my train.conll'"),
        ("a.jsonl.gz", "JSON Lines", "seqlab convert a.jsonl.gz --output a.conll"),
        ("a.json", "JSON", "seqlab convert a.json --output a.conll"),
        ("a.csv", "CSV", "seqlab convert a.csv --output a.conll"),
        ("a.spacy", "spaCy's binary format", "seqlab convert a.spacy --output a.conll"),
        ("a.parquet", "Parquet", "seqlab convert a.parquet --output a.conll"),
        ("a.xlsx", "an Excel workbook", "save it as CSV, JSON Lines or CoNLL"),
        ("brat/a.ann", "a folder in brat's standoff format", "seqlab convert brat --output brat.conll"),
        ("data/dataset_dict.json", "a Hugging Face dataset", "seqlab convert data --output data-conll"),
    ],
)
def test_other_formats_are_recognised_with_the_command_that_converts_them(
    tmp_path, monkeypatch, name, title, command
):
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text("{}")
    given = path.parent if path.parent.name else path
    (checked,) = check_files([given], layout=ConllLayout(("token", "ner")), tag_schemes={})
    (error,) = checked.errors.listed
    assert (error.what, error.remedy) == (f"this is {title}, not CoNLL", command)


def test_the_current_folder_is_recognised_too(tmp_path, monkeypatch):
    (tmp_path / "letters").mkdir()
    monkeypatch.chdir(tmp_path / "letters")
    Path("a.ann").write_text("")
    (checked,) = check_files(["."], layout=ConllLayout(("token", "ner")), tag_schemes={})
    (error,) = checked.errors.listed
    assert error.remedy == f"seqlab convert {tmp_path}/letters --output {tmp_path}/letters.conll"


def test_json_lines_are_recognised_under_another_name(check):
    (checked,) = check('{"text": "a", "spans": []}\n' * 9)
    (error,) = checked.errors.listed
    assert error.what == "this is JSON Lines, not CoNLL"


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
    assert output[2] == "  remedy: set corpus.files.separator to 'space' (or --separator space)"
    assert output[-1] == "1 error, 0 warnings"
    assert main(["check", "own", *options, "--separator", "space"]) == 0
