from __future__ import annotations

import types
import zipfile

import pytest

from seqlab.corpora.archives import UnsafeArchiveError
from seqlab.corpora.builders.pinned import FetchedFiles
from seqlab.errors import CorpusError


@pytest.fixture
def fetched(tmp_path):
    archive = tmp_path / "corpus.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("train.txt", "text")
    plain = tmp_path / "train.conll"
    plain.touch()
    files = {"https://e.org/corpus.zip": archive, "https://e.org/train.conll": plain}
    return FetchedFiles(files, tmp_path / "scratch")


def test_paths_come_in_the_nest_that_addresses_were_asked_in(fetched, tmp_path):
    train = tmp_path / "train.conll"
    url = "https://e.org/train.conll"
    assert fetched.download(url) == train
    assert fetched.download({"train": [url, url], "dev": url}) == {"train": [train, train], "dev": train}
    assert fetched.download(types.SimpleNamespace(url=url)) == train


def test_archives_are_unpacked_and_other_files_left(fetched, tmp_path):
    paths = fetched.download_and_extract({"a": "https://e.org/corpus.zip", "b": "https://e.org/train.conll"})
    assert (paths["a"] / "train.txt").read_text() == "text"
    assert paths["b"] == tmp_path / "train.conll"


def test_an_unsafe_archive_is_refused(fetched, tmp_path):
    with zipfile.ZipFile(tmp_path / "corpus.zip", "w") as zipped:
        zipped.writestr("../train.txt", "text")
    with pytest.raises(UnsafeArchiveError, match=r"a path leaves the folder: '\.\./train\.txt'"):
        fetched.download_and_extract("https://e.org/corpus.zip")


def test_an_address_that_no_table_names_is_refused(fetched):
    with pytest.raises(
        CorpusError, match=r"the builder wants a file .*\n  expected: one of https://e.org"
    ) as caught:
        fetched.download("https://e.org/other.conll")
    assert "received: https://e.org/other.conll" in str(caught.value)
