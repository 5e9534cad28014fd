"""How a TensorFlow Datasets builder, its own or ours, comes to read files that seqlab has fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from seqlab.corpora.archives import extract_archive
from seqlab.corpora.catalogue import Corpus
from seqlab.errors import CorpusError

_ARCHIVE_ENDINGS = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")


class FetchedFiles:
    """Stands in for `tfds.download.DownloadManager`: gives files that are here, and downloads nothing.

    A builder asks its download manager for addresses, in any nest of dicts and lists, and gets paths in the
    same nest; that is all of the manager that builders use, and all that is here.

    Args:
        files: the path of each file by the address that the builder will ask for.
        directory: where archives are unpacked.
    """

    def __init__(self, files: Mapping[str, Path], directory: Path) -> None:
        self.files = files
        self.directory = directory

    def download(self, urls: Any) -> Any:
        """Give the paths of files that have been fetched.

        Raises:
            CorpusError: the builder asks for an address that the corpus's table does not have.
        """
        return _map_nested(self._path, urls)

    def extract(self, paths: Any) -> Any:
        """Unpack archives, safely, and give the folders' paths; other files stay as they are."""
        return _map_nested(self._unpacked, paths)

    def download_and_extract(self, urls: Any) -> Any:
        """Give the folders' paths of archives, and the paths of files that are none."""
        return self.extract(self.download(urls))

    def _path(self, url: Any) -> Path:
        address = getattr(url, "url", url)
        if address not in self.files:
            raise CorpusError(
                "the builder wants a file that its corpus's table does not name",
                expected=f"one of {', '.join(self.files)}",
                received=str(address),
                remedy="install the version of tensorflow-datasets that the lock file names",
            )
        return Path(self.files[address])

    def _unpacked(self, path: Any) -> Path:
        if path.suffix not in _ARCHIVE_ENDINGS:
            return Path(path)
        target = self.directory / path.name
        extract_archive(Path(path), target)
        return Path(target)


class PinnedBuilder:
    """Mixed into a builder class before it: made of one corpus's verified files, in their order.

    Args:
        corpus: the corpus's row in the table.
        files: see `FetchedFiles`.
        scratch: where archives are unpacked.
        kwargs: the builder's own arguments (`data_dir`, `config`).
    """

    def __init__(self, *, corpus: Corpus, files: Mapping[str, Path], scratch: Path, **kwargs: Any) -> None:
        self.corpus = corpus
        self.fetched_files = FetchedFiles(files, scratch)
        super().__init__(**kwargs)

    def fetched_paths(self, role: str = "") -> dict[str, list[Path]]:
        """Give the paths of the corpus's files of one role, in order, by split."""
        addresses: dict[str, list[str]] = {}
        for source in self.corpus.sources:
            if source.role == role:
                addresses.setdefault(source.split, []).append(source.url)
        return self.fetched_files.download(addresses)

    def ordered_info(self, features: tfds.features.FeaturesDict) -> tfds.core.DatasetInfo:
        """Describe the corpus, and have its examples stay in order."""
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{self.corpus.title}. Licence: {self.corpus.licence}",
            features=features,
            homepage=self.corpus.homepage,
            citation=self.corpus.citation,
            disable_shuffling=True,
        )


class MendedBuilder(PinnedBuilder):
    """Mixed into one of TensorFlow Datasets' own builder classes before it.

    `_split_generators` is where a builder says what it downloads, the documented place to override. The
    builder below gets `FetchedFiles` there instead of a download manager, so that neither its code nor
    TensorFlow Datasets' downloading is touched.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        return self.ordered_info(super()._info().features)  # type: ignore[misc]

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> Any:
        return super()._split_generators(self.fetched_files)  # type: ignore[misc]


def _map_nested(function: Callable[[Any], Any], nested: Any) -> Any:
    if isinstance(nested, Mapping):
        return {key: _map_nested(function, value) for key, value in nested.items()}
    if isinstance(nested, (list, tuple)):
        return [_map_nested(function, value) for value in nested]
    return function(nested)
