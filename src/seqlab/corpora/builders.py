"""TensorFlow Datasets builders of the public corpora. Importing this module imports tensorflow_datasets."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
import tree
from tensorflow_datasets.text import conll2002, conll2003

from seqlab.corpora.archives import extract_zip
from seqlab.corpora.catalogue import Corpus
from seqlab.corpora.joining import UniversalNerLayout, join_by_id, join_in_order
from seqlab.corpus.blocks import Block, Layout, scan_blocks
from seqlab.corpus.conll import ConllLayout
from seqlab.corpus.conllu import ConlluLayout
from seqlab.errors import CorpusError
from seqlab.tags import convert_tags, validate_tags

Example = dict[str, Any]
"""`tokens` and each tag column, lists of strings of equal length; `idx`, the sentence's id, if it has one."""

_OUTSIDE = frozenset({"B-OTH", "I-OTH", "B-O", "I-O"})
_TREEBANKS = ("universal_dependencies", "universal_ner")


class FetchedFiles:
    """A replacement for `tfds.download.DownloadManager` that returns downloaded files.

    Builders request addresses in nested dicts and lists, and get paths in the same structure.

    Args:
        files: the path of each file by the address that the builder requests.
        directory: where archives are extracted.
    """

    def __init__(self, files: Mapping[str, Path], directory: Path) -> None:
        self.files, self.directory = files, directory

    def download(self, urls: Any) -> Any:
        """Return the paths of downloaded files.

        Raises:
            CorpusError: the builder requests an address that the catalogue does not have.
        """
        return tree.map_structure(self._path, urls)

    def download_and_extract(self, urls: Any) -> Any:
        """Return the folders of extracted zip archives, and the paths of other files."""
        return tree.map_structure(self._extracted, self.download(urls))

    def _path(self, url: str) -> Path:
        if url not in self.files:
            raise CorpusError(
                "the builder requests a file that the catalogue does not have",
                expected=f"one of {', '.join(self.files)}",
                received=url,
                remedy="install the version of tensorflow-datasets in the lock file",
            )
        return self.files[url]

    def _extracted(self, path: Path) -> Path:
        if path.suffix != ".zip":
            return path
        target = self.directory / path.name
        extract_zip(path, target)
        return target


class FetchedBuilder:
    """Mixin before a builder class: the builder reads the corpus's downloaded files and downloads nothing.

    Args:
        corpus: the corpus's row of the catalogue.
        files: the path of each of its files by address.
        scratch: where archives are extracted.
        kwargs: the builder's own arguments.
    """

    def __init__(self, *, corpus: Corpus, files: Mapping[str, Path], scratch: Path, **kwargs: Any) -> None:
        self.corpus = corpus
        self.fetched_files = FetchedFiles(files, scratch)
        super().__init__(**kwargs)

    def examples(self) -> dict[str, Iterator[Example]]:
        """Return the examples of each split, in the order of its files."""
        splits = self._split_generators(self.fetched_files)
        return {split: (example for _, example in generated) for split, generated in splits.items()}

    def paths(self, role: str = "") -> dict[str, list[Path]]:
        """Return the corpus's files of one role, in order, by split."""
        found: dict[str, list[Path]] = {}
        for source in self.corpus.sources:
            if source.role == role:
                found.setdefault(source.split, []).append(self.fetched_files.download(source.url))
        return found

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{self.corpus.title}. Licence: {self.corpus.licence}",
            features=self.builder_config.features_dict,  # type: ignore[attr-defined]
            homepage=self.corpus.homepage,
            citation=self.corpus.citation,
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> Any:
        return super()._split_generators(self.fetched_files)  # type: ignore[misc]


@dataclass(frozen=True)
class _BlankLineLayout(ConllLayout):
    """A layout for files in which a line of spaces or tabs ends a sentence."""

    @property
    def trailing_blanks(self) -> str:
        return " \t"


class ConllReader:
    """Mixin before a `ConllDatasetBuilder`: reads its files with seqlab's reader, which reports line numbers.

    TensorFlow Datasets' reader yields an empty sentence for a file that ends in a blank line, and reads a
    line of blanks as data. A column that is valid in IOB1 and not in IOB2 is converted to IOB2.
    """

    corpus: Corpus

    def _generate_examples(self, filepaths: Any) -> Iterator[tuple[int, Example]]:
        config = self.builder_config  # type: ignore[attr-defined]
        names = ["token" if name == "tokens" else name for name in config.ordered_features]
        blocks = list(_blocks(Path(filepaths), _BlankLineLayout(tuple(names), config.separator, None)))
        columns: dict[str, list[tuple[str, ...]]] = {
            name: [block.column(name) for block in blocks] for name in names
        }
        for name in self.corpus.tag_schemes:
            if _all_valid(columns[name], "IOB1") and not _all_valid(columns[name], "IOB2"):
                columns[name] = [convert_tags(tags, source="IOB1", target="IOB2") for tags in columns[name]]
        for index, values in enumerate(zip(*columns.values(), strict=True)):
            yield index, dict(zip(config.ordered_features, map(list, values), strict=True))


def _all_valid(sentences: list[tuple[str, ...]], scheme: str) -> bool:
    return all(validate_tags(tags, scheme=scheme) is None for tags in sentences)


def _blocks(path: Path, layout: Layout) -> Iterator[Block]:
    """Read a file's sentences.

    Raises:
        CorpusError: the first problem, with file, line and column.
    """
    for block in scan_blocks(path, layout=layout):
        if isinstance(block, CorpusError):
            raise block
        yield block


class Conll2003(FetchedBuilder, ConllReader, conll2003.Conll2003, skip_registration=True):  # type: ignore[call-arg]
    """CoNLL-2003 with TensorFlow Datasets' files and columns."""

    name = "conll2003"


class Conll2002(FetchedBuilder, ConllReader, conll2002.Conll2002, skip_registration=True):  # type: ignore[call-arg]
    """CoNLL-2002 with TensorFlow Datasets' files and columns; configurations `es` and `nl`."""

    name = "conll2002"


class Wnut17(FetchedBuilder, ConllReader, tfds.dataset_builders.ConllDatasetBuilder, skip_registration=True):  # type: ignore[call-arg]
    """WNUT 2017: entities of six types in English web text."""

    name = "wnut17"
    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = (
        tfds.dataset_builders.ConllBuilderConfig(
            name="wnut17",
            separator="\t",
            ordered_features=collections.OrderedDict(
                tokens=tfds.features.Sequence(tfds.features.Text()),
                ner=tfds.features.Sequence(tfds.features.Text()),
            ),
        ),
    )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {split: self._generate_examples(path) for split, (path,) in self.paths().items()}


class _Treebank(FetchedBuilder, tfds.dataset_builders.ConllUDatasetBuilder, skip_registration=True):  # type: ignore[call-arg]
    VERSION = tfds.core.Version("1.0.0")


class UniversalDependencies(_Treebank, skip_registration=True):  # type: ignore[call-arg]
    """A treebank's words and tags, without multi-word tokens and empty nodes."""

    name = "universal_dependencies"

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {split: self._generate_examples(paths) for split, paths in self.paths("words").items()}

    def _generate_examples(self, filepaths: list[Path]) -> Iterator[tuple[int, Example]]:
        has_text = False
        blocks = (block for path in filepaths for block in _blocks(path, ConlluLayout()))
        for index, block in enumerate(blocks):
            example = _treebank_example(block)
            has_text = has_text or set(example["tokens"]) != {"_"}
            yield index, example
        if not has_text:
            raise CorpusError(
                f"the treebank {self.corpus.name} is published without its text",
                where=self.corpus.homepage,
                expected="words",
                received="'_' for every word",
                remedy="merge the text as its README describes, and read the files with corpus.name: files",
            )


class UniversalNer(_Treebank, skip_registration=True):  # type: ignore[call-arg]
    """A Universal NER treebank's entities, joined with the words and tags of its UD treebank.

    The entity type OTH, for what annotators could not classify, and the tag B-O, a typo, are read as outside,
    as in the benchmark's own experiments.
    """

    name = "universal_ner"

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        words, entities = self.paths("words"), self.paths("entities")
        return {split: self._generate_examples(words[split][0], entities[split][0]) for split in words}

    def _generate_examples(self, words: Path, entities: Path) -> Iterator[tuple[int, Example]]:
        join = join_by_id if self.corpus.join == "sent_id" else join_in_order
        joined = join(_blocks(words, ConlluLayout()), _blocks(entities, UniversalNerLayout()))
        for index, (word_block, entity_block) in enumerate(joined):
            tags = ["O" if tag in _OUTSIDE else tag for tag in entity_block.column("ner")]
            yield index, _treebank_example(word_block) | {"ner": tags}


def _treebank_example(block: Block) -> Example:
    columns = {"tokens": "token", "upos": "upos", "xpos": "xpos"}
    return {
        "idx": block.metadata("sent_id") or "",
        **{name: list(block.column(column)) for name, column in columns.items()},
    }


def make_builder(corpus: Corpus, *, files: Mapping[str, Path], scratch: Path) -> FetchedBuilder:
    """Make the corpus's builder.

    Args:
        corpus: the corpus's row of the catalogue.
        files: the path of each of its files by address.
        scratch: a folder for everything that the builder writes.
    """
    classes = (Conll2002, Conll2003, Wnut17, UniversalDependencies, UniversalNer)
    builder: Any = {kind.name: kind for kind in classes}[corpus.builder]
    config: Any = corpus.name.rpartition("/")[2]
    if corpus.builder in _TREEBANKS:
        text = tfds.features.Sequence(tfds.features.Text())
        features = dict.fromkeys(("tokens", *corpus.tag_columns), text)
        config = tfds.dataset_builders.ConllUBuilderConfig(
            name=config,
            language=config,
            features=collections.OrderedDict(idx=tfds.features.Text(), **features),
        )
    made: FetchedBuilder = builder(
        corpus=corpus, files=files, scratch=scratch, data_dir=scratch / "tfds", config=config
    )
    return made
