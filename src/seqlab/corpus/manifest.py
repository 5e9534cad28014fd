"""The manifest of a corpus: what it is, how its files read, and the hashes that pin them.

Every corpus, sample, downloaded or a team's own, is a folder with its files and a `corpus.json`::

    {
      "name": "files", "title": "...", "licence": "...", "homepage": "", "citation": "", "synthetic": false,
      "format": "conll",                      # or "conllu"
      "columns": ["token", "upos", "ner"],
      "separator": "\\t", "comment_prefix": "# ",
      "tag_schemes": {"ner": "IOB2"},         # the columns that spell spans; other columns' tags stand alone
      "tag_repair": false,                    # repair invalid sequences of tags instead of refusing them
      "splits": {
        "train": {
          "sha256": "...", "bytes": 123,      # of all files together, the share included
          "files": [{"file": "train.conll", "sha256": "...", "bytes": 123, "source": "/home/me/train.conll"}],
          "share": null                       # or {"seed": 1, "share": 0.1, "taken": false}
        },
        "dev": {...}, "test": {...}
      },
      "digest": "..."                         # changes when the content of any split does
    }

`file` is a path below the corpus's folder, `source` the name by which the user knows the file (a path or an
address), which errors use. Two splits may share files where `share` parts their sentences.
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

_KEYS = {
    "name",
    "title",
    "licence",
    "homepage",
    "citation",
    "synthetic",
    "format",
    "columns",
    "separator",
    "comment_prefix",
    "tag_schemes",
    "tag_repair",
    "splits",
    "digest",
}


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
    """Hash a corpus's files and write its `corpus.json`, which appears whole or not at all.

    Args:
        directory: the corpus's folder; its files are there already.
        name: as in `corpus.name`.
        columns: the columns' names in order, one of them `token`; for CoNLL-U `token` and its tag columns.
        files: for each split its files in order: the path below the folder, and the source it stands for.
        tag_schemes: the scheme of each column that spells spans.
        format: `conll` or `conllu`.
        separator: what stands between columns (see `ConllLayout`).
        comment_prefix: what a comment starts with, or None.
        tag_repair: repair invalid sequences of tags while reading.
        shares: for splits that are parts of their files: `seed`, `share` and `taken` (see `in_share`).
        title: what the corpus is called in print.
        licence: the terms under which it may be used.
        homepage: where it comes from.
        citation: what to cite.
        synthetic: made by a program; scores on it say nothing about real text.

    Returns:
        The manifest, as `read_manifest` gives it.
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
    """Read a corpus's `corpus.json`.

    Raises:
        CorpusError: it is not there, or is none.
    """
    path = directory / MANIFEST_NAME
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise CorpusError(
            "there is no corpus", file=str(path), remedy="run the download stage: dvc repro download"
        ) from error
    except ValueError as error:
        raise _no_manifest(path, str(error)) from error
    if not isinstance(manifest, dict):
        raise _no_manifest(path, f"JSON of type {type(manifest).__name__}")
    if missing := sorted(_KEYS - set(manifest)):
        raise _no_manifest(path, f"JSON without {', '.join(missing)}")
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


def _no_manifest(path: Path, received: str) -> CorpusError:
    return CorpusError(
        "this is no manifest of a corpus",
        file=str(path),
        expected="JSON as the download stage writes it",
        received=received,
        remedy="run the download stage again: dvc repro --force download",
    )
