"""The manifest of a corpus: its columns, its files and their hashes.

Every corpus (the sample, a public corpus or a user's files) is a folder with data files and a `corpus.json`::

    {
      "name": "files", "title": "...", "licence": "...", "homepage": "", "citation": "", "synthetic": false,
      "format": "conll",                      # or "conllu"
      "columns": ["token", "upos", "ner"],
      "separator": "\\t", "comment_prefix": "# ",
      "tag_schemes": {"ner": "IOB2"},         # the columns whose tags encode spans
      "tag_repair": false,                    # repair invalid sequences of tags instead of raising
      "splits": {
        "train": {
          "sha256": "...", "bytes": 123,      # of all files together, including the share
          "files": [{"file": "train.conll", "sha256": "...", "bytes": 123, "source": "/home/me/train.conll"}],
          "share": null                       # or {"seed": 1, "share": 0.1, "taken": false}
        },
        "dev": {...}, "test": {...}
      },
      "digest": "..."                         # changes if the content of any split changes
    }

`file` is a path relative to the corpus's folder. `source` is the path or URL that the user knows the file by;
errors use it. Two splits may contain the same files if `share` divides their sentences.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqlab.atomic import write_json
from seqlab.errors import CorpusError

MANIFEST_NAME = "corpus.json"
SPLITS = ("train", "dev", "test")

_DESCRIPTION = ("name", "title", "licence", "homepage", "citation", "synthetic")
_LAYOUT = ("format", "columns", "separator", "comment_prefix", "tag_schemes", "tag_repair")
_KEYS = {*_DESCRIPTION, *_LAYOUT, "splits", "digest"}


def write_manifest(
    directory: Path,
    *,
    name: str,
    columns: Sequence[str],
    files: Mapping[str, Mapping[str, str]],
    tag_schemes: Mapping[str, str],
    format: str = "conll",
    separator: str = "\t",
    comment_prefix: str | None = "# ",
    tag_repair: bool = False,
    shares: Mapping[str, Mapping[str, Any]] | None = None,
    title: str = "",
    licence: str = "",
    homepage: str = "",
    citation: str = "",
    synthetic: bool = False,
) -> dict[str, Any]:
    """Hash the files of a corpus and write its `corpus.json` atomically.

    The arguments that are not described here are entries of the manifest.

    Args:
        directory: the folder that already contains the corpus's files.
        columns: the names of the columns in order; for CoNLL-U, `token` and the tag columns.
        files: the files of each split in order: the path relative to the folder, and its source.
        shares: `seed`, `share` and `taken` (see `in_share`) for splits that use a share of their files.

    Returns:
        The manifest, as `read_manifest` returns it.
    """
    splits = {
        split: _describe_split(directory, sources, (shares or {}).get(split))
        for split, sources in files.items()
    }
    manifest = {
        "name": name,
        "title": title or name,
        "licence": licence,
        "homepage": homepage,
        "citation": citation,
        "synthetic": synthetic,
        "format": format,
        "columns": list(columns),
        "separator": separator,
        "comment_prefix": comment_prefix,
        "tag_schemes": dict(tag_schemes),
        "tag_repair": tag_repair,
        "splits": splits,
        "digest": _hash([f"{split} {splits[split]['sha256']}" for split in sorted(splits)]),
    }
    write_json(directory / MANIFEST_NAME, manifest)
    return manifest


def read_manifest(directory: Path) -> dict[str, Any]:
    """Read the `corpus.json` of a corpus.

    Raises:
        CorpusError: the file is missing or is not a manifest.
    """
    path = directory / MANIFEST_NAME
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise CorpusError(
            "no corpus in this folder", file=str(path), remedy="run the download stage: dvc repro download"
        ) from error
    except ValueError as error:
        raise _invalid_manifest(path, str(error)) from error
    if not isinstance(manifest, dict):
        raise _invalid_manifest(path, f"JSON of type {type(manifest).__name__}")
    if missing := sorted(_KEYS - set(manifest)):
        raise _invalid_manifest(path, f"JSON without {', '.join(missing)}")
    return manifest


def _describe_split(
    directory: Path, sources: Mapping[str, str], share: Mapping[str, Any] | None
) -> dict[str, Any]:
    files: list[dict[str, Any]] = []
    for file, source in sources.items():
        with (directory / file).open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        size = (directory / file).stat().st_size
        files.append({"file": file, "sha256": sha256, "bytes": size, "source": source})
    hashes = [file["sha256"] for file in files]
    if share:
        hashes.append(json.dumps(dict(share), sort_keys=True))
    return {
        "sha256": hashes[0] if len(hashes) == 1 else _hash(hashes),
        "bytes": sum(file["bytes"] for file in files),
        "files": files,
        "share": dict(share) if share else None,
    }


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _invalid_manifest(path: Path, received: str) -> CorpusError:
    return CorpusError(
        "not a corpus manifest",
        file=str(path),
        expected="JSON written by the download stage",
        received=received,
        remedy="run the download stage again: dvc repro --force download",
    )
