"""Where a corpus comes from: made here, a team's own files, or fetched by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqlab.atomic import replaced_directory
from seqlab.corpora.own_files import copy_files
from seqlab.corpus.manifest import write_manifest
from seqlab.errors import CorpusError
from seqlab.sample import COLUMNS, write_sample


def fetch_source(
    name: str,
    directory: Path,
    *,
    sample: Mapping[str, Any],
    files: Mapping[str, Any],
    mirror: str | None,
    downloads: Path,
    dev_share: float,
    tag_repair: bool,
    task_columns: Mapping[str, str],
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Put the corpus `name` into `directory`, with its manifest; what was there stays until all went well.

    Args:
        name: `sample`, `files`, or a name of the registry.
        directory: where to write, as `data/raw`.
        sample: `sentences` and `seed` of the sample corpus.
        files: what `copy_files` takes and is not named here.
        mirror: a base below which copies of public files lie, or None.
        downloads: the folder that keeps what was fetched.
        dev_share: the part of train's sentences that become dev, where the corpus has no dev.
        tag_repair: repair invalid sequences of tags when the files are read.
        task_columns: by task, the column that it wants.
        say: told about progress.

    Returns:
        The manifest.

    Raises:
        SeqlabError: the corpus cannot be had, there is none of that name, or it lacks a task's column.
    """
    if name == "files":
        require_columns(name, files["columns"], task_columns)
        return copy_files(directory, **files, dev_share=dev_share, tag_repair=tag_repair)
    if name == "sample":
        require_columns(name, COLUMNS, task_columns)
        return _make_sample(directory, say=say, **sample)
    # The registry's builders are only wanted for public corpora.
    from seqlab.corpora.public import corpus_by_name, fetch_corpus

    corpus = corpus_by_name(name)
    require_columns(name, corpus.columns, task_columns)
    return fetch_corpus(
        corpus,
        directory,
        mirror=mirror,
        downloads=downloads,
        dev_share=dev_share,
        tag_repair=tag_repair,
        announce=say,
    )


def require_columns(name: str, columns: Sequence[str], task_columns: Mapping[str, str]) -> None:
    """Make sure that a corpus has every task's column, before anything is made of it.

    Raises:
        CorpusError: a column is missing; says which tasks would run and what to set.
    """
    tags = [column for column in columns if column != "token"]
    able = [task for task, column in task_columns.items() if column in tags]
    for task, column in task_columns.items():
        if column not in tags:
            raise CorpusError(
                f"the corpus {name} has no column {column!r} for the task {task}",
                where=f"{task}.column",
                expected=f"one of {', '.join(tags)}",
                received=column,
                remedy=(f"set tasks: [{', '.join(able)}], or " if able else "")
                + f"set {task}.column to one of them",
            )


def _make_sample(directory: Path, *, sentences: int, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    def progress(done: int, total: int) -> None:
        if done * 10 // total > progress_tenths[0]:
            progress_tenths[0] = done * 10 // total
            say(f"made {done} of {total} sentences")

    progress_tenths = [0]
    with replaced_directory(directory) as made:
        found = write_sample(made, sentences=sentences, seed=seed, progress=progress)
        source = f"sample (seed {seed}, {sentences} sentences)"
        return write_manifest(
            made,
            name="sample",
            columns=COLUMNS,
            files={
                split: {described["file"]: f"{source}, {described['file']}"}
                for split, described in found["splits"].items()
            },
            tag_schemes={"ner": "IOB2"},
            title="seqlab sample corpus (synthetic)",
            licence="Apache-2.0",
            synthetic=True,
        )
