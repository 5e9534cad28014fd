"""Arbitrary bytes give sentences or an error with a line, nothing else."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.corpus.checking import check_files, format_report
from seqlab.corpus.conll import read_conll
from seqlab.corpus.conllu import read_conllu
from seqlab.errors import CorpusError

PIECES = [
    b"\t",
    b"\n",
    b"\r\n",
    b"\r",
    b" ",
    b"\0",
    b"#",
    b"# ",
    b"-DOCSTART-",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xc3",
]
PIECES += [
    b"a",
    b"O",
    b"B-X",
    b"I-Y",
    b"-",
    b"1",
    b"1-2",
    b"1.1",
    "é\u00a0\u2028".encode(),
    b"a\tO\n",
    b"\n\n",
]
CONTENT = st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join))
FUZZ = settings(derandomize=True, max_examples=250, deadline=None)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "a.conll"


def read_all(sentences):
    """Read to the end or to an error; both must say where."""
    found, failure = [], None
    try:
        found.extend(sentences)
    except CorpusError as error:
        failure = error
    assert found or failure
    assert all(sentence.line >= 1 and all(sentence.tokens) and all(sentence.tags) for sentence in found)
    assert failure is None or (failure.line and str(failure).startswith(f"my.conll:{failure.line}"))


@FUZZ
@given(
    content=CONTENT,
    separator=st.sampled_from(["\t", " ", "whitespace"]),
    comment_prefix=st.sampled_from(["# ", "#", None]),
    tag_scheme=st.sampled_from([None, "IOB1", "IOB2", "BIOES"]),
    tag_repair=st.booleans(),
)
def test_read_conll(path, content, separator, comment_prefix, tag_scheme, tag_repair):
    path.write_bytes(content)
    sentences = read_conll(
        path,
        columns=["token", "ner"],
        tag_column="ner",
        separator=separator,
        comment_prefix=comment_prefix,
        tag_scheme=tag_scheme,
        tag_repair=tag_repair,
        display_name="my.conll",
        max_sentence_tokens=5,
    )
    read_all(sentences)


@FUZZ
@given(content=CONTENT, packed=st.sampled_from([".gz", ".zst"]))
def test_read_what_only_calls_itself_compressed(path, content, packed):
    packed_path = path.with_suffix(packed)
    packed_path.write_bytes(content)
    with suppress(CorpusError):
        list(read_conll(packed_path, columns=["token", "ner"], tag_column="ner"))


@FUZZ
@given(
    st.lists(
        st.lists(
            st.sampled_from([b"1", b"2", b"1-2", b"0.1", b"a", b"_", b"X", b"", b"\xff"]),
            min_size=9,
            max_size=11,
        )
        .map(b"\t".join)
        .flatmap(lambda line: st.sampled_from([line, b"1\ta" + line, b"", b"# x"])),
        max_size=8,
    ).map(b"\n".join)
)
def test_read_conllu(path, content):
    path.write_bytes(content)
    read_all(read_conllu(path, tag_column="upos", display_name="my.conll"))


@FUZZ
@given(CONTENT, CONTENT)
def test_check(path, first, second):
    other = path.with_name("b.conll")
    path.write_bytes(first)
    other.write_bytes(second)
    report = check_files([path, other], columns=["token", "ner"], tag_schemes={"ner": "IOB2"})
    assert format_report(report).endswith(f"{len(report.errors)} errors, {len(report.warnings)} warnings")
    for checked in report.files:
        assert checked.sentences or any(error.file == checked.file for error in report.errors)
