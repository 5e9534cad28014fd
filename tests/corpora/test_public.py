from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from seqlab.corpora.mirror import MIRROR_VARIABLE, FilesUnavailableError
from seqlab.corpora.public import corpus_by_name, fetch_corpus, list_corpora
from seqlab.errors import CorpusError


@pytest.fixture
def wnut17(publish):
    """The corpus with made-up files, its origin an address at which nobody is."""
    corpus = corpus_by_name("wnut17")
    sources = tuple(
        publish(f"http://127.0.0.1:9/{source.split}.conll", f"{source.split}\tO\n\n", source.split)
        for source in corpus.sources
    )
    return dataclasses.replace(corpus, sources=sources)


def test_names_are_unique_and_all_are_listed():
    names = [corpus.name for corpus in list_corpora()]
    assert len(names) == len(set(names))
    assert {"sample", "files", "conll2003", "conll2002/es", "conll2002/nl", "wnut17"} <= set(names)
    assert {"uner_en_ewt", "uner_da_ddt", "ud/en_ewt", "ud/cs_pdt"} <= set(names)


def test_an_unknown_name_gets_near_ones():
    with pytest.raises(CorpusError) as caught:
        corpus_by_name("conll2004")
    message = str(caught.value)
    assert message.startswith("corpus.name: no corpus has this name\n  expected: sample, files, conll2003, ")
    assert "or a Universal Dependencies treebank as ud/en_ewt\n  received: 'conll2004'" in message
    assert "remedy: did you mean conll2003" in message


def test_a_name_near_no_other_gets_none():
    with pytest.raises(CorpusError, match="remedy: `seqlab corpora` lists them all"):
        corpus_by_name("☃☃☃☃☃☃☃☃☃☃")


@pytest.mark.parametrize("name", ["sample", "files"])
def test_what_is_not_downloaded_cannot_be_fetched(name, tmp_path):
    with pytest.raises(CorpusError, match=f"the corpus {name} is not downloaded"):
        fetch_corpus(name, tmp_path / "raw")


def test_a_treebank_for_testing_alone_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="cannot be trained and tested on") as caught:
        fetch_corpus("ud/akk_riao", tmp_path / "raw")
    assert "received: test alone" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_without_network_and_mirror_the_offline_corpora_are_told(wnut17, tmp_path, monkeypatch):
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    with pytest.raises(
        FilesUnavailableError, match=r"or set corpus\.name to sample or files, which need no network"
    ):
        fetch_corpus(wnut17, tmp_path / "raw", sleep=lambda pause: None)


def test_what_was_there_stays_when_fetching_fails(wnut17, tmp_path, monkeypatch):
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/train.conll").write_text("before")
    with pytest.raises(FilesUnavailableError):
        fetch_corpus(wnut17, tmp_path / "raw", sleep=lambda pause: None)
    assert (tmp_path / "raw/train.conll").read_text() == "before"


def test_a_corpus_comes_whole_twice_the_same(wnut17, tmp_path, loopback_mirror, monkeypatch):
    monkeypatch.setenv(MIRROR_VARIABLE, loopback_mirror.address)
    first = fetch_corpus(wnut17, tmp_path / "first/raw")
    loopback_mirror.requests.clear()
    monkeypatch.delenv(MIRROR_VARIABLE)
    second = fetch_corpus(wnut17, tmp_path / "second/raw", downloads=tmp_path / "first/downloads")
    assert first == second
    assert loopback_mirror.requests == []
    contents = [
        {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
        for folder in (tmp_path / "first/raw", tmp_path / "second/raw")
    ]
    assert contents[0] == contents[1]
    assert {path.name for path in (tmp_path / "first/raw").iterdir()} == {
        "corpus.json",
        "dev.conll",
        "test.conll",
        "tfds",
        "train.conll",
    }


def test_the_licence_s_word_is_said_at_download(wnut17, tmp_path, loopback_mirror, capsys):
    corpus = dataclasses.replace(wnut17, notice="Ask before you use it.")
    fetch_corpus(corpus, tmp_path / "raw", mirror=loopback_mirror.address)
    assert capsys.readouterr().err.count("Ask before you use it.") == 1


def test_listing_needs_no_tensorflow():
    code = (
        "import sys; from seqlab.corpora.public import list_corpora; list_corpora(); "
        "print([name for name in ('tensorflow', 'tensorflow_datasets') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
