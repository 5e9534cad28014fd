"""From fetched files to a prepared TensorFlow dataset, and from there to examples in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from seqlab.corpora.builders.shared_tasks import Conll2002, Conll2003, Wnut17
from seqlab.corpora.builders.universal import UniversalDependencies, UniversalNer, treebank_config
from seqlab.corpora.catalogue import Corpus

_BUILDERS: dict[str, Any] = {
    "conll2002": Conll2002,
    "conll2003": Conll2003,
    "wnut17": Wnut17,
    "universal_dependencies": UniversalDependencies,
    "universal_ner": UniversalNer,
}


def make_builder(
    corpus: Corpus, *, files: Mapping[str, Path], data_dir: Path, scratch: Path
) -> tfds.core.DatasetBuilder:
    """Make the corpus's builder.

    Args:
        corpus: the corpus's row in the table.
        files: the path of each of its files by address.
        data_dir: where the dataset is prepared.
        scratch: where archives are unpacked.
    """
    if corpus.builder in ("universal_dependencies", "universal_ner"):
        config: Any = treebank_config(corpus)
    else:
        config = corpus.name.rpartition("/")[2]
    return _BUILDERS[corpus.builder](
        corpus=corpus, files=files, scratch=scratch, data_dir=data_dir, config=config
    )


def prepare_dataset(builder: tfds.core.DatasetBuilder, *, scratch: Path) -> dict[str, int]:
    """Prepare the dataset, and count its sentences by split.

    Args:
        builder: see `make_builder`.
        scratch: where TensorFlow Datasets makes its own folders.

    Raises:
        CorpusError: something is wrong with the files.
    """
    tfds.disable_progress_bar()
    builder.download_and_prepare(
        download_dir=scratch,
        download_config=tfds.download.DownloadConfig(
            try_download_gcs=False, compute_stats=tfds.download.ComputeStatsMode.SKIP
        ),
    )
    return {name: info.num_examples for name, info in builder.info.splits.items()}


def read_examples(builder: tfds.core.DatasetBuilder, split: str) -> Iterator[dict[str, Any]]:
    """Read a prepared split in the order of its files.

    Yields:
        `token` and each tag column as lists of strings of equal length, and `sent_id`, a string, empty where
        the corpus has no ids.
    """
    features = builder.info.features
    dataset = builder.as_dataset(
        split=split,
        shuffle_files=False,
        read_config=tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1),
    )
    for example in tfds.as_numpy(dataset):
        idx = example.pop("idx", b"").decode()
        columns = {name: _as_strings(values, features[name].feature) for name, values in example.items()}
        yield {"sent_id": idx, "token": columns.pop("tokens"), **columns}


def _as_strings(values: Any, feature: Any) -> list[str]:
    if isinstance(feature, tfds.features.ClassLabel):
        return [feature.int2str(int(value)) for value in values]
    return [value.decode() for value in values]
