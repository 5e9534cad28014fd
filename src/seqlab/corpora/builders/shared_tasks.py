"""Builders of CoNLL corpora: TensorFlow Datasets' own, mended, and WNUT 2017."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.text import conll2002, conll2003

from seqlab.corpora.builders.pinned import MendedBuilder, PinnedBuilder
from seqlab.corpora.catalogue import Corpus
from seqlab.corpus.blocks import Block, Layout, scan_blocks
from seqlab.corpus.conll import ConllLayout
from seqlab.errors import CorpusError
from seqlab.tags import convert_tags, validate_tags

Example = dict[str, Any]


@dataclass(frozen=True)
class BlankLineLayout(ConllLayout):
    """A layout for files in which a line of tabs or spaces ends a sentence, as an empty one does."""

    @property
    def trailing_blanks(self) -> str:
        """What may be dropped from a line's end."""
        return " \t"


def blocks_or_error(path: Path, layout: Layout) -> Iterator[Block]:
    """Read a file's sentences, and stop at the first thing wrong.

    Raises:
        CorpusError: with the file, the line and the column.
    """
    for block in scan_blocks(path, layout=layout):
        if isinstance(block, CorpusError):
            raise block
        yield block


class LineByLine:
    """Mixed into a `ConllDatasetBuilder` before it: reads its files with the reader that knows line numbers.

    TensorFlow Datasets' reader yields an extra sentence without tokens for each file that ends in a blank
    line, takes a line of blanks for data, and leaves tags in the scheme of the file. Here a file whose tags
    are all valid in IOB1, and not all in IOB2, is converted to IOB2.
    """

    corpus: Corpus

    def _generate_examples(self, filepaths: Any) -> Iterator[tuple[int, Example]]:
        config = self.builder_config  # type: ignore[attr-defined]
        names = ["token" if name == "tokens" else name for name in config.ordered_features]
        layout = BlankLineLayout(tuple(names), config.separator, None)
        path = Path(filepaths)
        in_iob1 = [name for name in self.corpus.tag_schemes if _is_iob1(path, layout, name)]
        for index, block in enumerate(blocks_or_error(path, layout)):
            columns = {name: block.column(name) for name in names}
            for name in in_iob1:
                columns[name] = convert_tags(columns[name], source="IOB1", target="IOB2")
            yield index, dict(zip(config.ordered_features, map(list, columns.values()), strict=True))


def _is_iob1(path: Path, layout: Layout, column: str) -> bool:
    """Say whether a file's tags are in IOB1 and could not be in IOB2."""
    could_be_iob2 = True
    for block in blocks_or_error(path, layout):
        tags = block.column(column)
        if validate_tags(tags, scheme="IOB1") is not None:
            return False
        could_be_iob2 = could_be_iob2 and validate_tags(tags, scheme="IOB2") is None
    return not could_be_iob2


class Conll2003(MendedBuilder, LineByLine, conll2003.Conll2003, skip_registration=True):  # type: ignore[call-arg]
    """CoNLL-2003 as TensorFlow Datasets has it, to the sentence."""

    name = "conll2003"


class Conll2002(MendedBuilder, LineByLine, conll2002.Conll2002, skip_registration=True):  # type: ignore[call-arg]
    """CoNLL-2002 as TensorFlow Datasets has it, to the sentence; configurations `es` and `nl`."""

    name = "conll2002"


class Wnut17(PinnedBuilder, LineByLine, tfds.dataset_builders.ConllDatasetBuilder, skip_registration=True):  # type: ignore[call-arg]
    """WNUT 2017: entities of six types in English as it is written on the web."""

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

    def _info(self) -> tfds.core.DatasetInfo:
        return self.ordered_info(self.builder_config.features_dict)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        return {split: self._generate_examples(path) for split, (path,) in self.fetched_paths().items()}
