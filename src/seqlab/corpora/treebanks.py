"""Treebanks that are available by name.

`universal_ner.tsv` lists the Universal NER treebanks with the commit of the Universal Dependencies treebank
that each annotates. To add a language, add a row: names and commits of both repositories, the prefix of their
files, how sentences are matched (`sent_id` if both use the same ids, else `order`), and the git blob ids of
the six files (`git ls-tree -l <commit>`).

Universal Dependencies treebanks are those of release 2.10, with the checksums of TensorFlow Datasets.
"""

from __future__ import annotations

import csv
import importlib.util
import re
from functools import lru_cache
from pathlib import Path

from seqlab.corpora.catalogue import Corpus
from seqlab.corpora.pins import Pin, Source
from seqlab.errors import CorpusError

_GITHUB_FILES = "https://raw.githubusercontent.com"
_UNIVERSAL_NER_TABLE = Path(__file__).with_name("universal_ner.tsv")
_UD_CHECKSUMS = Path("datasets", "universal_dependencies", "checksums.tsv")
_UD_FILE = re.compile(
    r".*/(?P<repository>UD_[^/]+)/r2\.10/(?P<treebank>\w+)-ud-(?P<split>train|dev|test)[^/]*\.conllu"
)
_SPLITS = ("train", "dev", "test")
_UD_CITATION = (
    "de Marneffe, Marie-Catherine, Christopher D. Manning, Joakim Nivre and Daniel Zeman. 2021. Universal "
    "Dependencies. Computational Linguistics 47(2)."
)
_UNIVERSAL_NER_CITATION = (
    "Mayhew, Stephen et al. 2024. Universal NER: A Gold-Standard Multilingual Named Entity Recognition "
    "Benchmark. In Proceedings of NAACL 2024."
)


@lru_cache(maxsize=1)
def universal_ner_corpora() -> tuple[Corpus, ...]:
    """Return the Universal NER treebanks: words and tags from UD, entities from Universal NER."""
    with _UNIVERSAL_NER_TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(_universal_ner_corpus(row) for row in csv.DictReader(file, delimiter="\t"))


def _universal_ner_corpus(row: dict[str, str]) -> Corpus:
    ner_base = f"{_GITHUB_FILES}/UniversalNER/{row['ner_repository']}/{row['ner_commit']}/{row['prefix']}"
    ud_base = (
        f"{_GITHUB_FILES}/UniversalDependencies/{row['ud_repository']}/{row['ud_commit']}/{row['prefix']}"
    )
    sources = []
    for split in _SPLITS:
        ner_pin, ud_pin = Pin.parse(row[f"ner_{split}"]), Pin.parse(row[f"ud_{split}"])
        sources.append(Source(f"{ner_base}-ud-{split}.iob2", ner_pin, split, "entities"))
        sources.append(Source(f"{ud_base}-ud-{split}.conllu", ud_pin, split, "words"))
    treebank = row["ud_repository"].removeprefix("UD_")
    return Corpus(
        name=row["name"],
        title=f"Universal NER, {row['language']} ({treebank})",
        licence="CC BY-SA 4.0",
        homepage="https://www.universalner.org/",
        citation=f"{_UNIVERSAL_NER_CITATION} {_UD_CITATION}",
        columns=("token", "upos", "xpos", "ner"),
        tag_schemes={"ner": "IOB2"},
        sources=tuple(sources),
        builder="universal_ner",
        join=row["join"],
    )


@lru_cache(maxsize=1)
def universal_dependencies_corpora() -> tuple[Corpus, ...]:
    """Return the treebanks of Universal Dependencies 2.10, named `ud/<language>_<treebank>`."""
    files: dict[tuple[str, str], list[Source]] = {}
    for line in _ud_checksums().read_text(encoding="utf-8").splitlines():
        url, size, sha256, _ = line.split("\t")
        if match := _UD_FILE.fullmatch(url):
            source = Source(url, Pin("sha256", sha256, int(size)), match["split"], "words")
            files.setdefault((match["treebank"], match["repository"]), []).append(source)
    return tuple(_ud_corpus(*names, tuple(sources)) for names, sources in sorted(files.items()))


def _ud_corpus(treebank: str, repository: str, sources: tuple[Source, ...]) -> Corpus:
    homepage = f"https://github.com/UniversalDependencies/{repository}"
    return Corpus(
        name=f"ud/{treebank}",
        title=f"Universal Dependencies 2.10, {repository.removeprefix('UD_').replace('_', ' ')}",
        licence=f"the treebank's own; some allow only non-commercial use: {homepage}/blob/r2.10/LICENSE.txt",
        homepage=homepage,
        citation=_UD_CITATION,
        columns=("token", "upos", "xpos"),
        sources=tuple(sorted(sources, key=lambda source: (_SPLITS.index(source.split), source.url))),
        builder="universal_dependencies",
    )


def _ud_checksums() -> Path:
    """Find the checksums in TensorFlow Datasets' package without importing it."""
    package = importlib.util.find_spec("tensorflow_datasets")
    for location in package.submodule_search_locations or [] if package else []:
        if (path := Path(location) / _UD_CHECKSUMS).is_file():
            return path
    raise CorpusError(
        "the checksums of the Universal Dependencies treebanks are not installed",
        expected=f"tensorflow_datasets/{_UD_CHECKSUMS}",
        remedy="install the version of tensorflow-datasets in the lock file",
    )
