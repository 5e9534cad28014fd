from __future__ import annotations

import errno
import gzip
import os
import shutil

import pytest
import zstandard

from seqlab.corpora.own_files import copy_files
from seqlab.corpus.manifest import read_manifest
from seqlab.corpus.splits import in_share, read_split
from seqlab.errors import CorpusError, SeqlabError

COLUMNS = ["token", "upos", "ner"]
TRAIN = "".join(f"word{i}\tNOUN\t{'B-X' if i % 3 else 'O'}\n\n" for i in range(200))
CONLLU = "1\ta\tl\tADP\tX\t_\t0\troot\t_\t_\n"


@pytest.fixture
def own(tmp_path):
    """A folder with somebody's files."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "train.txt").write_text(TRAIN)
    (folder / "dev.txt").write_text("\ufeffdev\tNOUN\tO\r\n")
    (folder / "test.txt").write_text("test\tVERB\tB-X\n")
    return folder


@pytest.fixture
def raw(tmp_path):
    return tmp_path / "data" / "raw"


def copy(own, raw, **changes):
    paths = {split: str(own / f"{split}.txt") for split in ("train", "dev", "test")}
    return copy_files(raw, **(paths | {"columns": COLUMNS, "tag_scheme": "BIO"} | changes))


def tokens(raw, split):
    return [sentence.tokens for sentence in read_split(raw, split, tag_column="upos")]


def test_files_are_copied_as_they_are(own, raw):
    manifest = copy(own, raw)
    assert (raw / "dev.conll").read_bytes() == (own / "dev.txt").read_bytes()
    assert read_manifest(raw) == manifest
    assert manifest["name"] == "files"
    assert manifest["tag_schemes"] == {"ner": "IOB2"}
    assert manifest["splits"]["dev"]["files"][0]["source"] == str(own / "dev.txt")
    assert tokens(raw, "dev") == [("dev",)]
    assert len(tokens(raw, "train")) == 200


def test_without_a_scheme_no_column_spells_spans(own, raw):
    assert copy(own, raw, tag_scheme=None)["tag_schemes"] == {}


def test_errors_name_the_files_as_the_user_does(own, raw, monkeypatch):
    (own / "test.txt").write_text("a\tX\tO\n\nb\tX\tI-Y\n")
    monkeypatch.chdir(own.parent)
    copy(own, raw, test="own/test.txt")
    with pytest.raises(CorpusError, match=r"^own/test\.txt:3:5: invalid transition in column ner"):
        list(read_split(raw, "test", tag_column="ner"))
    assert tokens(raw, "test") == [("a",), ("b",)]


def test_repairs_are_made_and_told_where_the_corpus_says_so(own, raw):
    (own / "test.txt").write_text("a\tX\tI-Y\n")
    copy(own, raw, tag_repair=True)
    told = []
    (sentence,) = read_split(raw, "test", tag_column="ner", on_repair=lambda *repair: told.append(repair))
    assert sentence.tags == ("B-Y",)
    assert told == [(sentence, 1)]


def test_a_folder_is_a_split_of_several_files(own, raw):
    folder = own / "parts"
    folder.mkdir()
    (folder / "b.conll.gz").write_bytes(gzip.compress(b"b\tX\tO\n"))
    (folder / "a.conll").write_text("a\tX\tO")
    (folder / "c.conll.zst").write_bytes(zstandard.compress(b"c\tX\n"))
    (folder / ".hidden").write_text("no corpus")
    files = copy(own, raw, dev=str(folder))["splits"]["dev"]["files"]
    assert [file["file"] for file in files] == ["dev-0000.conll", "dev-0001.conll.gz", "dev-0002.conll.zst"]
    sentences = read_split(raw, "dev", tag_column="ner")
    assert [next(sentences).tokens for _ in range(2)] == [("a",), ("b",)]
    with pytest.raises(CorpusError, match=r"parts/c\.conll\.zst:1: wrong number of columns"):
        next(sentences)


@pytest.mark.parametrize("dev", [None, "", "train.txt"])
def test_dev_is_cut_from_train_where_there_is_none(own, raw, dev, monkeypatch):
    monkeypatch.chdir(own)
    copy(own, raw, dev=dev, dev_share=0.2, seed=3)
    train, cut = tokens(raw, "train"), tokens(raw, "dev")
    assert sorted(train + cut) == sorted(tuple(row.split("\t")[:1]) for row in TRAIN.split("\n\n")[:-1])
    assert 25 <= len(cut) <= 55
    again, other = raw.parent / "again", raw.parent / "other"
    copy(own, again, dev=dev, dev_share=0.2, seed=3)
    copy(own, other, dev=dev, dev_share=0.2, seed=4)
    assert tokens(again, "dev") == cut
    assert tokens(other, "dev") != cut


def test_a_share_that_takes_nothing_is_refused(own, raw):
    (own / "train.txt").write_text("a\tX\tO\n")
    copy(own, raw, dev=None, dev_share=1e-9)
    with pytest.raises(
        CorpusError,
        match=r"corpus\.dev_share: no sentence of train is left for dev\n.*\n  received: 1e-09",
    ):
        tokens(raw, "dev")


def test_a_share_depends_on_tokens_and_seed_alone():
    sentences = [(f"word{i}", "ran") for i in range(2000)]
    taken = [sentence for sentence in sentences if in_share(sentence, seed=1, share=0.25)]
    assert 430 <= len(taken) <= 570
    assert taken == [sentence for sentence in sentences if in_share(list(sentence), seed=1, share=0.25)]
    assert not any(in_share(sentence, seed=1, share=0.0) for sentence in sentences)
    assert all(in_share(sentence, seed=1, share=1.0) for sentence in sentences)


def test_conllu_is_known_by_its_ending(own, raw):
    for split in ("train", "dev", "test"):
        (own / f"{split}.conllu.gz").write_bytes(gzip.compress(CONLLU.encode()))
    paths = {split: str(own / f"{split}.conllu.gz") for split in ("train", "dev", "test")}
    manifest = copy(own, raw, **paths)
    assert (manifest["format"], manifest["columns"]) == ("conllu", ["token", "upos", "xpos"])
    assert manifest["tag_schemes"] == {}
    assert [sentence.tags for sentence in read_split(raw, "train", tag_column="upos")] == [("ADP",)]


def test_formats_are_not_mixed(own, raw):
    (own / "a.conllu").write_text(CONLLU)
    with pytest.raises(
        CorpusError, match=r"corpus\.files: the formats are mixed\n.*\n  received: a\.conllu and dev\.txt"
    ):
        copy(own, raw, train=str(own / "a.conllu"))


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_a_missing_file_names_the_parameter_and_the_path(own, raw, split, monkeypatch):
    monkeypatch.chdir(own)
    with pytest.raises(
        CorpusError,
        match=rf"corpus\.files\.{split}: no such file or folder\n  received: x\.conll, which is {own}/x",
    ):
        copy(own, raw, **{split: "x.conll"})


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_path_that_is_not_set(own, raw, split):
    with pytest.raises(
        CorpusError, match=rf"corpus\.files\.{split}: the path is empty\n  expected: a file or a folder"
    ):
        copy(own, raw, **{split: ""})


def test_an_empty_folder(own, raw):
    (own / "empty").mkdir()
    with pytest.raises(CorpusError, match=r"corpus\.files\.dev: the folder has no files"):
        copy(own, raw, dev=str(own / "empty"))


def test_a_failure_leaves_the_corpus_that_was_there(own, raw):
    copy(own, raw)
    before = {path.name: path.read_bytes() for path in raw.iterdir()}
    (own / "train.txt.gz").write_bytes(gzip.compress(TRAIN.encode())[:-9])
    with pytest.raises(CorpusError, match="the compressed file is truncated or corrupt"):
        copy(own, raw, train=str(own / "train.txt.gz"))
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == before
    assert [path.name for path in raw.parent.iterdir()] == ["raw"]


def test_a_file_that_changes_while_it_is_copied(own, raw, monkeypatch):
    def copy_and_change(source, target):
        target.write_bytes(source.read_bytes())
        source.write_text("changed")

    monkeypatch.setattr(shutil, "copyfile", copy_and_change)
    with pytest.raises(CorpusError, match=r"train\.txt: the file changed while it was copied"):
        copy(own, raw)
    assert not raw.exists()


def test_a_column_that_the_corpus_does_not_have(own, raw):
    copy(own, raw)
    with pytest.raises(CorpusError) as caught:
        read_split(raw, "train", tag_column="xpos")
    assert str(caught.value) == (
        "corpus files: the corpus has no such tag column\n"
        "  expected: one of upos, ner\n"
        "  received: 'xpos'\n"
        "  remedy: set the task's column to one of them, or remove the task"
    )


def test_a_split_that_the_corpus_does_not_have(own, raw):
    copy(own, raw)
    with pytest.raises(
        CorpusError, match=r"no such split\n  expected: one of train, dev, test\n  received: 'val'"
    ):
        read_split(raw, "val", tag_column="ner")


def test_the_same_file_for_train_and_test_is_said(tmp_path, caplog):
    path = tmp_path / "all.conll"
    path.write_text("EU\tB-ORG\n\n" * 20, encoding="utf-8")
    paths = dict.fromkeys(("train", "dev", "test"), str(path))
    caplog.set_level("WARNING", logger="seqlab")
    copy_files(tmp_path / "raw", **paths, columns=["token", "ner"], dev_share=0.5)
    assert "train and test both contain all.conll: the test score will be too high" in caplog.text


def test_a_named_pipe_and_a_loop_of_links_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for name, message in (("pipe", "neither a file nor a folder"), ("loop", "no such file or folder")):
        paths = dict.fromkeys(("train", "dev", "test"), str(tmp_path / name))
        with pytest.raises(CorpusError, match=rf"corpus\.files\.train: {message}"):
            copy_files(tmp_path / "raw", **paths, columns=["token", "ner"])


def test_a_full_disk_is_no_unreadable_file(tmp_path, monkeypatch):
    def copyfile(source, target):
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    path = tmp_path / "all.conll"
    path.write_text("EU\tB-ORG\n\n", encoding="utf-8")
    monkeypatch.setattr("shutil.copyfile", copyfile)
    paths = dict.fromkeys(("train", "dev", "test"), str(path))
    with pytest.raises(SeqlabError, match=r"train\.conll: no space is left on the disk[\s\S]*dvc gc"):
        copy_files(tmp_path / "raw", **paths, columns=["token", "ner"])
    assert [path.name for path in tmp_path.iterdir()] == ["all.conll"]
