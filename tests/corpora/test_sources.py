from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from seqlab.corpora.downloads import MIRROR_VARIABLE, FilesUnavailableError
from seqlab.corpora.sources import corpus_by_name, fetch_corpus, fetch_source, list_corpora
from seqlab.corpus.splits import read_split
from seqlab.errors import CorpusError, SeqlabError

EXAMPLE = Path(__file__).parents[2] / "data" / "example"
FILES = {
    **{split: str(EXAMPLE / f"{split}.conll") for split in ("train", "dev", "test")},
    "columns": ["token", "upos", "xpos", "ner"],
    "separator": "\t",
    "comment_prefix": "# ",
    "tag_scheme": "IOB2",
}


def fetch(name, directory, task_columns=None, **changed):
    arguments = {
        "sample": {"sentences": 100, "seed": 1},
        "files": FILES,
        "mirror": None,
        "downloads": directory.parent / "downloads",
        "dev_share": 0.1,
        "tag_repair": False,
        "task_columns": task_columns or {"ner": "ner", "pos": "upos"},
    }
    return fetch_source(name, directory, **(arguments | changed))


def test_the_sample_corpus_is_labelled_synthetic_and_the_same_for_the_same_seed(tmp_path):
    first, again = fetch("sample", tmp_path / "a"), fetch("sample", tmp_path / "b")
    other = fetch("sample", tmp_path / "c", sample={"sentences": 100, "seed": 2})
    assert first["synthetic"] is True
    assert "synthetic" in first["title"]
    assert first["digest"] == again["digest"] != other["digest"]
    assert len(list(read_split(tmp_path / "a", "train", tag_column="ner"))) == 80


def test_the_repositorys_example_files_read_in_both_columns(tmp_path):
    manifest = fetch("files", tmp_path / "raw")
    assert manifest["tag_schemes"] == {"ner": "IOB2"}
    for column in ("ner", "upos"):
        assert all(
            list(read_split(tmp_path / "raw", split, tag_column=column)) for split in ("train", "dev", "test")
        )


def test_a_missing_column_says_which_tasks_would_run_before_anything_is_made(tmp_path):
    message = (
        r"no column 'ner' for the task ner\n  expected: one of upos\n.*\n  remedy: set tasks: \[pos\], or"
    )
    with pytest.raises(SeqlabError, match=message):
        fetch("files", tmp_path / "raw", files={**FILES, "columns": ["token", "upos"]})
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name_suggests_near_ones(tmp_path):
    with pytest.raises(SeqlabError, match=r"corpus.name: unknown corpus\n(.*\n)*.*did you mean sample"):
        fetch("sampel", tmp_path / "raw")


def test_a_named_corpus_that_lacks_a_task_is_refused_before_any_download(tmp_path):
    with pytest.raises(SeqlabError, match=r"the corpus wnut17 has no column 'upos' for the task pos"):
        fetch("wnut17", tmp_path / "raw", mirror=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_corpus_that_stood_there(tmp_path):
    fetch("sample", tmp_path / "raw")
    before = (tmp_path / "raw" / "corpus.json").read_text()
    with pytest.raises(SeqlabError):
        fetch("sample", tmp_path / "raw", sample={"sentences": 3, "seed": 1})
    with pytest.raises(SeqlabError):
        fetch("files", tmp_path / "raw", files={**FILES, "dev": str(tmp_path / "nowhere")})
    assert (tmp_path / "raw" / "corpus.json").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


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
    assert message.startswith("corpus.name: unknown corpus\n  expected: sample, files, conll2003, ")
    assert "or a Universal Dependencies treebank such as ud/en_ewt\n  received: 'conll2004'" in message
    assert "remedy: did you mean conll2003" in message


def test_a_name_near_no_other_gets_none():
    with pytest.raises(CorpusError, match="remedy: `seqlab corpora` lists them all"):
        corpus_by_name("☃☃☃☃☃☃☃☃☃☃")


def test_a_treebank_for_testing_alone_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="cannot be trained and tested on") as caught:
        fetch_corpus(corpus_by_name("ud/akk_riao"), tmp_path / "raw", downloads=tmp_path / "downloads")
    assert "received: test only" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_without_network_and_mirror_the_offline_corpora_are_told(wnut17, tmp_path, monkeypatch):
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    with pytest.raises(
        FilesUnavailableError, match=r"or set corpus\.name to sample or files, which need no network"
    ):
        fetch_corpus(wnut17, tmp_path / "raw", downloads=tmp_path / "downloads", sleep=lambda pause: None)


def test_what_was_there_stays_when_fetching_fails(wnut17, tmp_path, monkeypatch):
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/train.conll").write_text("before")
    with pytest.raises(FilesUnavailableError):
        fetch_corpus(wnut17, tmp_path / "raw", downloads=tmp_path / "downloads", sleep=lambda pause: None)
    assert (tmp_path / "raw/train.conll").read_text() == "before"


def test_a_corpus_comes_whole_twice_the_same(wnut17, tmp_path, loopback_mirror, monkeypatch):
    monkeypatch.setenv(MIRROR_VARIABLE, loopback_mirror.address)
    first = fetch_corpus(wnut17, tmp_path / "first/raw", downloads=tmp_path / "first/downloads")
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
        "train.conll",
    }


def test_the_licence_notice_is_logged_at_download(wnut17, tmp_path, loopback_mirror, caplog):
    corpus = dataclasses.replace(wnut17, notice="Ask before you use it.")
    fetch_corpus(corpus, tmp_path / "raw", downloads=tmp_path / "downloads", mirror=loopback_mirror.address)
    assert caplog.messages.count("Ask before you use it.") == 1


def test_listing_needs_no_tensorflow():
    code = (
        "import sys; from seqlab.corpora.sources import list_corpora; list_corpora(); "
        "print([name for name in ('tensorflow', 'tensorflow_datasets') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
