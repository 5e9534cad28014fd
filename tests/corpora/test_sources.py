from __future__ import annotations

from pathlib import Path

import pytest

from seqlab.corpora.sources import fetch_source
from seqlab.corpus.splits import read_split
from seqlab.errors import SeqlabError

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
        "say": lambda text: None,
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
    with pytest.raises(
        SeqlabError, match=r"corpus.name: no corpus has this name\n(.*\n)*.*did you mean sample"
    ):
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
