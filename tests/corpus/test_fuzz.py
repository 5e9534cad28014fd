"""Arbitrary bytes yield sentences or an error with a line, and nothing else."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.corpus import blocks
from seqlab.corpus.blocks import read_sentences, scan_blocks
from seqlab.corpus.check_report import format_report
from seqlab.corpus.checking import check_files
from seqlab.corpus.conll import ConllLayout
from seqlab.corpus.conllu import ConlluLayout
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
    """Read to the end or to the first error; sentences and errors must have a line."""
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
    layout = ConllLayout(("token", "ner"), separator, comment_prefix)
    scanned = scan_blocks(path, layout=layout, display_name="my.conll")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "MAX_SENTENCE_TOKENS", 5)
        read_all(read_sentences(scanned, tag_column="ner", tag_scheme=tag_scheme, tag_repair=tag_repair))


@FUZZ
@given(content=CONTENT, packed=st.sampled_from([".gz", ".zst"]))
def test_read_files_that_are_not_compressed(path, content, packed):
    packed_path = path.with_suffix(packed)
    packed_path.write_bytes(content)
    with suppress(CorpusError):
        list(scan_blocks(packed_path, layout=ConllLayout(("token", "ner"))))


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
    scanned = scan_blocks(path, layout=ConlluLayout("upos"), display_name="my.conll")
    read_all(read_sentences(scanned, tag_column="upos"))


@FUZZ
@given(CONTENT, CONTENT)
def test_check(path, first, second):
    other = path.with_name("b.conll")
    path.write_bytes(first)
    other.write_bytes(second)
    files = check_files([path, other], layout=ConllLayout(("token", "ner")), tag_schemes={"ner": "IOB2"})
    assert format_report(files).endswith(("warning", "warnings"))
    assert all(checked.lengths or checked.errors.listed for checked in files)
