from __future__ import annotations

import hashlib
import json

import pytest

from seqlab.corpus.manifest import read_manifest, write_manifest
from seqlab.errors import CorpusError


@pytest.fixture
def directory(tmp_path):
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.conll").write_text(f"{split}\tO\n")
    return tmp_path


def write(directory, **changes):
    files = {split: {f"{split}.conll": f"~/{split}"} for split in ("train", "dev", "test")}
    arguments = {"name": "x", "columns": ["token", "ner"], "files": files, "tag_schemes": {"ner": "IOB2"}}
    return write_manifest(directory, **(arguments | changes))


def test_a_written_manifest_can_be_read(directory):
    manifest = write(directory, title="X", licence="CC0-1.0", synthetic=True, comment_prefix=None)
    assert read_manifest(directory) == manifest
    sha256 = hashlib.sha256(b"dev\tO\n").hexdigest()
    assert manifest["splits"]["dev"] == {
        "sha256": sha256,
        "bytes": 6,
        "files": [{"file": "dev.conll", "sha256": sha256, "bytes": 6, "source": "~/dev"}],
        "share": None,
    }
    assert {key: manifest[key] for key in ("name", "title", "licence", "synthetic", "format", "columns")} == {
        "name": "x",
        "title": "X",
        "licence": "CC0-1.0",
        "synthetic": True,
        "format": "conll",
        "columns": ["token", "ner"],
    }
    assert manifest["tag_schemes"] == {"ner": "IOB2"}


def test_the_digest_depends_only_on_the_content(directory):
    digest = write(directory)["digest"]
    assert write(directory, title="another")["digest"] == digest
    shared = write(directory, shares={"dev": {"seed": 1, "share": 0.1, "taken": True}})["digest"]
    (directory / "test.conll").write_text("tost\tO\n")
    assert len({digest, shared, write(directory)["digest"]}) == 3


def test_a_split_of_several_files(directory):
    files = {
        "train": {"train.conll": "a", "dev.conll": "b"},
        "dev": {"dev.conll": "b"},
        "test": {"test.conll": "c"},
    }
    train = write(directory, files=files)["splits"]["train"]
    assert train["bytes"] == 14
    assert [file["source"] for file in train["files"]] == ["a", "b"]
    assert train["sha256"] not in {file["sha256"] for file in train["files"]}


def test_a_missing_manifest_raises_and_names_the_stage_that_writes_it(tmp_path):
    with pytest.raises(
        CorpusError, match=r"corpus\.json: no corpus in this folder\n  remedy: run the download stage"
    ):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (b"{", "received: Expecting property name"),
        (b"\xff", "received: "),
        (b"[]", "received: JSON of type list"),
        (json.dumps({"name": "x"}).encode(), "received: JSON without citation, columns,"),
    ],
)
def test_an_invalid_manifest_raises(tmp_path, content, received):
    (tmp_path / "corpus.json").write_bytes(content)
    with pytest.raises(CorpusError, match="not a corpus manifest") as caught:
        read_manifest(tmp_path)
    assert received in str(caught.value)
