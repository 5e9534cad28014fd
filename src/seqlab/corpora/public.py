"""Corpora by name: which there are, and how one comes to lie in a folder, verified and whole."""

from __future__ import annotations

import difflib
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from seqlab.atomic import replaced_directory
from seqlab.corpora.catalogue import STANDALONE_CORPORA, Corpus
from seqlab.corpora.mirror import fetch_sources, mirror_base
from seqlab.corpora.treebanks import universal_dependencies_corpora, universal_ner_corpora
from seqlab.corpus.manifest import write_manifest
from seqlab.errors import CorpusError
from seqlab.tags import validate_tags

_SPLITS = ("train", "dev", "test")
_UNSPECIFIED = "_"


def list_corpora() -> tuple[Corpus, ...]:
    """Give all corpora that have a name: those that stand alone, Universal NER's, then the UD treebanks."""
    return (*STANDALONE_CORPORA, *universal_ner_corpora(), *universal_dependencies_corpora())


def corpus_by_name(name: str) -> Corpus:
    """Find a corpus.

    Raises:
        CorpusError: there is none of that name. The message gives names that are near.
    """
    corpora = {corpus.name: corpus for corpus in list_corpora()}
    if name in corpora:
        return corpora[name]
    near = difflib.get_close_matches(name, corpora, n=3, cutoff=0.5)
    suggestion = f"did you mean {' or '.join(near)}? " if near else ""
    families = [corpus.name for corpus in corpora.values() if not corpus.name.startswith("ud/")]
    raise CorpusError(
        "no corpus has this name",
        where="corpus.name",
        expected=f"{', '.join(families)}, or a Universal Dependencies treebank as ud/en_ewt",
        received=repr(name),
        remedy=f"{suggestion}`seqlab corpora` lists them all",
    )


def fetch_corpus(
    name: str | Corpus,
    directory: Path,
    *,
    mirror: str | None = None,
    downloads: Path | None = None,
    dev_share: float = 0.1,
    seed: int = 1,
    tag_repair: bool = False,
    announce: Callable[[str], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Fetch a corpus, prepare it with its TensorFlow Datasets builder, and write it as CoNLL files.

    The folder comes to hold `train.conll`, `dev.conll`, `test.conll` (columns between tabs), `corpus.json`,
    and the prepared dataset under `tfds`. It is replaced as a whole, and only when all went well.

    Args:
        name: the corpus's name, or a row of one's own.
        directory: the folder to make.
        mirror: see `mirror_base`.
        downloads: where fetched files are kept, a mirror themselves; beside `directory` where None.
        dev_share: the expected part of train's sentences that become dev, where the corpus has no dev.
        seed: chooses those sentences.
        tag_repair: repair invalid sequences of tags when the files are read.
        announce: called with what must be said of the licence; prints on stderr where None.
        sleep: waits between two attempts at a download, in seconds.

    Returns:
        The manifest.

    Raises:
        CorpusError: no such corpus; or one that is not downloaded; or files that cannot be had, or are not
            the pinned ones, or cannot be read; or one without a train or test split.
    """
    corpus = name if isinstance(name, Corpus) else corpus_by_name(name)
    _require_splits(corpus)
    paths = fetch_sources(
        corpus.sources,
        downloads or directory.parent / "downloads",
        mirror=mirror_base(mirror),
        offline_corpora=[other.name for other in STANDALONE_CORPORA if not other.sources],
        sleep=sleep,
    )
    say = announce or _print_notice
    if corpus.notice:
        say(corpus.notice)
    with replaced_directory(directory) as made:
        columns, splits, num_invalid = _prepare(corpus, paths, made)
        if num_invalid and not tag_repair:
            schemes = " and ".join(sorted(set(corpus.tag_schemes.values())))
            say(
                f"{corpus.name} holds tags that are not valid in {schemes}, in {num_invalid} of its "
                "sentences: reading them needs tag_repair"
            )
        files = {split: {f"{split}.conll": f"{corpus.name}/{split}.conll"} for split in splits}
        shares: dict[str, Mapping[str, Any]] = {}
        if "dev" not in splits:
            files["dev"] = files["train"]
            for split in ("train", "dev"):
                shares[split] = {"seed": seed, "share": dev_share, "taken": split == "dev"}
        return write_manifest(
            made,
            name=corpus.name,
            columns=columns,
            files={split: files[split] for split in _SPLITS},
            tag_schemes=corpus.tag_schemes,
            tag_repair=tag_repair,
            shares=shares,
            title=corpus.title,
            licence=corpus.licence,
            homepage=corpus.homepage,
            citation=corpus.citation,
        )


def _print_notice(notice: str) -> None:
    print(notice, file=sys.stderr, flush=True)


def _require_splits(corpus: Corpus) -> None:
    if not corpus.sources:
        raise CorpusError(
            f"the corpus {corpus.name} is not downloaded",
            where="corpus.name",
            remedy=f"`seqlab.corpora.sources.fetch_source` makes {corpus.name}",
        )
    there = {source.split for source in corpus.sources}
    if "" not in there and not {"train", "test"} <= there:
        raise CorpusError(
            f"the corpus {corpus.name} cannot be trained and tested on",
            where="corpus.name",
            expected="train and test",
            received=f"{' and '.join(sorted(there))} alone",
            remedy="take another treebank of the language: `seqlab corpora` lists them",
        )


def _prepare(corpus: Corpus, paths: Mapping[str, Path], made: Path) -> tuple[list[str], list[str], int]:
    """Prepare the dataset and write its splits.

    Give the columns' names as they are to be read, `_` for those that say nothing; the splits; and the number
    of sentences with tags that are not valid in their scheme.
    """
    from seqlab.corpora.builders.preparation import make_builder, prepare_dataset, read_examples

    with tempfile.TemporaryDirectory(dir=made.parent, prefix=f"{made.name}.") as scratch:
        builder = make_builder(corpus, files=paths, data_dir=made / "tfds", scratch=Path(scratch))
        splits = [split for split in _SPLITS if split in prepare_dataset(builder, scratch=Path(scratch))]
    telling: set[str] = set()
    num_invalid = 0
    for split in splits:
        with (made / f"{split}.conll").open("w", encoding="utf-8", newline="\n") as stream:
            for example in read_examples(builder, split):
                _write_example(stream, corpus, example)
                telling |= {name for name in corpus.columns if set(example[name]) != {_UNSPECIFIED}}
                num_invalid += any(
                    validate_tags(example[column], scheme=scheme) is not None
                    for column, scheme in corpus.tag_schemes.items()
                )
    return [name if name in telling else _UNSPECIFIED for name in corpus.columns], splits, num_invalid


def _write_example(stream: TextIO, corpus: Corpus, example: Mapping[str, Any]) -> None:
    if example["sent_id"]:
        stream.write(f"# sent_id = {example['sent_id']}\n")
    for row in zip(*(example[column] for column in corpus.columns), strict=True):
        stream.write("\t".join(row) + "\n")
    stream.write("\n")
