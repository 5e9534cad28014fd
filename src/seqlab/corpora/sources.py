"""Getting a corpus into a folder: the sample, a team's own files, or a public corpus by name."""

from __future__ import annotations

import difflib
import logging
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqlab.atomic import replaced_directory
from seqlab.corpora.catalogue import STANDALONE_CORPORA, Corpus
from seqlab.corpora.downloads import fetch_sources
from seqlab.corpora.own_files import copy_files
from seqlab.corpora.treebanks import universal_dependencies_corpora, universal_ner_corpora
from seqlab.corpus.manifest import SPLITS, write_manifest
from seqlab.errors import CorpusError
from seqlab.sample import COLUMNS, write_sample
from seqlab.tags import validate_tags

logger = logging.getLogger(__name__)

_UNSPECIFIED = "_"


def list_corpora() -> tuple[Corpus, ...]:
    """Return all corpora that are available by name: standalone ones, Universal NER, then UD treebanks."""
    return (*STANDALONE_CORPORA, *universal_ner_corpora(), *universal_dependencies_corpora())


def corpus_by_name(name: str) -> Corpus:
    """Find a corpus.

    Raises:
        CorpusError: there is no corpus of that name; suggests similar names.
    """
    corpora = {corpus.name: corpus for corpus in list_corpora()}
    if name in corpora:
        return corpora[name]
    near = difflib.get_close_matches(name, corpora, n=3, cutoff=0.5)
    suggestion = f"did you mean {' or '.join(near)}? " if near else ""
    families = [corpus.name for corpus in corpora.values() if not corpus.name.startswith("ud/")]
    raise CorpusError(
        "unknown corpus",
        where="corpus.name",
        expected=f"{', '.join(families)}, or a Universal Dependencies treebank such as ud/en_ewt",
        received=repr(name),
        remedy=f"{suggestion}`seqlab corpora` lists them all",
    )


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
) -> dict[str, Any]:
    """Write the corpus `name` and its manifest into `directory`, replaced only if everything succeeds.

    Args:
        name: `sample`, `files`, or the name of a public corpus.
        directory: the folder to write, `data/raw`.
        sample: `sentences` and `seed` of the sample corpus.
        files: the arguments of `copy_files` that are not listed here.
        mirror: the base of a mirror of public files, or None.
        downloads: the folder that keeps downloaded files.
        dev_share: share of train's sentences that become dev if the corpus has no dev split.
        tag_repair: repair invalid tag sequences when the files are read.
        task_columns: the tag column of each task.

    Returns:
        The manifest.

    Raises:
        SeqlabError: the corpus is not available, its name is unknown, or it lacks a task's column.
    """
    if name == "files":
        _require_columns(name, files["columns"], task_columns)
        return copy_files(directory, **files, dev_share=dev_share, tag_repair=tag_repair)
    if name == "sample":
        _require_columns(name, COLUMNS, task_columns)
        return _make_sample(directory, **sample)
    corpus = corpus_by_name(name)
    _require_columns(name, corpus.columns, task_columns)
    return fetch_corpus(
        corpus, directory, mirror=mirror, downloads=downloads, dev_share=dev_share, tag_repair=tag_repair
    )


def fetch_corpus(
    corpus: Corpus,
    directory: Path,
    *,
    downloads: Path,
    mirror: str | None = None,
    dev_share: float = 0.1,
    seed: int = 1,
    tag_repair: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Download a public corpus, read it with its TensorFlow Datasets builder, and write it as CoNLL files.

    The folder gets `train.conll`, `dev.conll`, `test.conll` (tab-separated columns) and `corpus.json`. It is
    replaced as a whole, and only if everything succeeds.

    Args:
        corpus: the corpus's row of the catalogue.
        directory: the folder to write.
        downloads: the folder that keeps downloaded files; it has the layout of a mirror.
        mirror: see `fetch_sources`.
        dev_share: expected share of train's sentences that become dev if the corpus has no dev split.
        seed: selects those sentences.
        tag_repair: repair invalid tag sequences when the files are read.
        sleep: waits between two attempts at a download, in seconds.

    Returns:
        The manifest.

    Raises:
        CorpusError: files are not available, differ from their pins or cannot be read; or the corpus has no
            train or test split.
    """
    splits = {source.split for source in corpus.sources}
    if "" not in splits and not {"train", "test"} <= splits:
        raise CorpusError(
            f"the corpus {corpus.name} cannot be trained and tested on",
            where="corpus.name",
            expected="train and test",
            received=f"{' and '.join(sorted(splits))} only",
            remedy="use another treebank of the language: `seqlab corpora` lists them",
        )
    offline = [other.name for other in STANDALONE_CORPORA if not other.sources]
    paths = fetch_sources(corpus.sources, downloads, mirror=mirror, offline_corpora=offline, sleep=sleep)
    if corpus.notice:
        logger.warning(corpus.notice)
    with replaced_directory(directory) as made:
        columns, written, num_invalid = _write_splits(corpus, paths, made)
        if num_invalid and not tag_repair:
            logger.warning(
                "%s has invalid %s tags in %d sentences: set corpus.tag_repair to read them",
                corpus.name,
                " and ".join(sorted(set(corpus.tag_schemes.values()))),
                num_invalid,
            )
        files = {split: {f"{split}.conll": f"{corpus.name}/{split}.conll"} for split in written}
        shares: dict[str, Mapping[str, Any]] = {}
        if "dev" not in files:
            files["dev"] = files["train"]
            for split in ("train", "dev"):
                shares[split] = {"seed": seed, "share": dev_share, "taken": split == "dev"}
        return write_manifest(
            made,
            name=corpus.name,
            columns=columns,
            files={split: files[split] for split in SPLITS},
            tag_schemes=corpus.tag_schemes,
            tag_repair=tag_repair,
            shares=shares,
            title=corpus.title,
            licence=corpus.licence,
            homepage=corpus.homepage,
            citation=corpus.citation,
        )


def _write_splits(corpus: Corpus, paths: Mapping[str, Path], made: Path) -> tuple[list[str], list[str], int]:
    """Write the corpus's splits.

    Returns:
        The columns' names, `_` for columns without any value; the splits; and the number of sentences with
        tags that are invalid in their scheme.
    """
    from seqlab.corpora.builders import make_builder  # imports TensorFlow Datasets

    splits: list[str] = []
    used: set[str] = set()
    num_invalid = 0
    with tempfile.TemporaryDirectory(dir=made.parent, prefix=f"{made.name}.") as scratch:
        examples = make_builder(corpus, files=paths, scratch=Path(scratch)).examples()
        for split in sorted(examples, key=SPLITS.index):
            splits.append(split)
            with (made / f"{split}.conll").open("w", encoding="utf-8", newline="\n") as file:
                for example in examples[split]:
                    columns = {
                        name: example["tokens" if name == "token" else name] for name in corpus.columns
                    }
                    if example.get("idx"):
                        file.write(f"# sent_id = {example['idx']}\n")
                    file.writelines("\t".join(row) + "\n" for row in zip(*columns.values(), strict=True))
                    file.write("\n")
                    used |= {name for name, values in columns.items() if set(values) != {_UNSPECIFIED}}
                    num_invalid += any(
                        validate_tags(columns[name], scheme=scheme) is not None
                        for name, scheme in corpus.tag_schemes.items()
                    )
    return [name if name in used else _UNSPECIFIED for name in corpus.columns], splits, num_invalid


def _require_columns(name: str, columns: Sequence[str], task_columns: Mapping[str, str]) -> None:
    """Check that a corpus has every task's column, before anything is downloaded or written.

    Raises:
        CorpusError: a column is missing; names the tasks that would run and what to set.
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


def _make_sample(directory: Path, *, sentences: int, seed: int) -> dict[str, Any]:
    with replaced_directory(directory) as made:
        source = f"sample (seed {seed}, {sentences} sentences)"
        files = write_sample(made, sentences=sentences, seed=seed)
        return write_manifest(
            made,
            name="sample",
            columns=COLUMNS,
            files={split: {file: f"{source}, {file}"} for split, file in files.items()},
            tag_schemes={"ner": "IOB2"},
            title="seqlab sample corpus (synthetic)",
            licence="Apache-2.0",
            synthetic=True,
        )
