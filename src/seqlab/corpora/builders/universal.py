"""Builders of treebanks: Universal Dependencies, and Universal NER joined with it."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from seqlab.corpora.builders.pinned import PinnedBuilder
from seqlab.corpora.builders.shared_tasks import Example, blocks_or_error
from seqlab.corpora.catalogue import Corpus
from seqlab.corpora.joining import join_by_id, join_in_order
from seqlab.corpora.universal_ner import UniversalNerLayout
from seqlab.corpus.blocks import Block
from seqlab.corpus.conllu import ConlluLayout
from seqlab.errors import CorpusError

_OUTSIDE = frozenset({"B-OTH", "I-OTH", "B-O", "I-O"})


def treebank_config(corpus: Corpus) -> tfds.dataset_builders.ConllUBuilderConfig:
    """Describe the columns of a treebank for its builder."""
    names = ["tokens", *corpus.tag_columns]
    features = {name: tfds.features.Sequence(tfds.features.Text()) for name in names}
    name = corpus.name.removeprefix("ud/")
    return tfds.dataset_builders.ConllUBuilderConfig(
        name=name,
        language=name,
        features=collections.OrderedDict(idx=tfds.features.Text(), **features),
    )


class _Treebank(PinnedBuilder, tfds.dataset_builders.ConllUDatasetBuilder, skip_registration=True):  # type: ignore[call-arg]
    """What both kinds of treebank share; the configuration comes from `treebank_config`."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return self.ordered_info(self.builder_config.features_dict)


class UniversalDependencies(_Treebank, skip_registration=True):  # type: ignore[call-arg]
    """A treebank's words with their tags. Multi-word tokens and empty nodes are left out."""

    name = "universal_dependencies"

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        return {split: self._generate_examples(paths) for split, paths in self.fetched_paths("words").items()}

    def _generate_examples(self, filepaths: list[Path]) -> Iterator[tuple[int, Example]]:
        index, has_text = 0, False
        for path in filepaths:
            for block in blocks_or_error(path, ConlluLayout()):
                example = _example(block)
                has_text = has_text or set(example["tokens"]) != {"_"}
                yield index, example
                index += 1
        if not has_text:
            raise CorpusError(
                f"the treebank {self.corpus.name} comes without its text",
                where=self.corpus.homepage,
                expected="words",
                received="'_' for every word",
                remedy="merge the text in, as its README says, and read the files with corpus.name: files",
            )


class UniversalNer(_Treebank, skip_registration=True):  # type: ignore[call-arg]
    """A Universal NER treebank's entities, joined with the words and tags of its UD treebank.

    Entities of the type OTH, which annotators used for what they could not place, and the tag B-O, a slip,
    are read as outside, as in the benchmark's own experiments.
    """

    name = "universal_ner"

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        words, entities = self.fetched_paths("words"), self.fetched_paths("entities")
        return {split: self._generate_examples(words[split][0], entities[split][0]) for split in words}

    def _generate_examples(self, words: Path, entities: Path) -> Iterator[tuple[int, Example]]:
        word_blocks = blocks_or_error(words, ConlluLayout())
        entity_blocks = blocks_or_error(entities, UniversalNerLayout())
        join = join_by_id if self.corpus.join == "sent_id" else join_in_order
        for index, (word_block, entity_block) in enumerate(join(word_blocks, entity_blocks)):
            tags = ["O" if tag in _OUTSIDE else tag for tag in entity_block.column("ner")]
            yield index, _example(word_block) | {"ner": tags}


def _example(block: Block) -> Example:
    return {
        "idx": block.metadata("sent_id") or "",
        "tokens": list(block.column("token")),
        "upos": list(block.column("upos")),
        "xpos": list(block.column("xpos")),
    }
