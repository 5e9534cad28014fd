"""`config.json` beside an exported tagger: what it is, and what it was made with."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from seqlab.errors import SeqlabError

FORMAT_VERSION = 1
"""Raised when the signatures change, so that a program can tell an export that it does not know."""

_SCORES = (
    "sentences",
    "tokens",
    "token_accuracy",
    "token_accuracy_interval",
    "span_precision",
    "span_recall",
    "span_f1",
    "span_f1_interval",
)


def export_config(
    *,
    task: str,
    tag_scheme: str | None,
    tags: Sequence[str],
    max_length: int,
    overlap: int,
    corpus: Mapping[str, Any],
    scores: Mapping[str, Mapping[str, Any]],
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of `config.json`.

    Args:
        task: `ner` or `pos`.
        tag_scheme: of the tags, null where they spell no spans.
        tags: the tag vocabulary, in the order of the ids that the model gives.
        max_length: tokens from which on a sentence is cut into windows.
        overlap: tokens that neighbouring windows share.
        corpus: what prepare wrote in corpus.json.
        scores: by split, what evaluate wrote in evaluate.json.
        run: what stands in run.json.
    """
    libraries = ("seqlab", "tensorflow", "keras", "numpy")
    return {
        "format_version": FORMAT_VERSION,
        "task": task,
        "tag_scheme": tag_scheme,
        "tags": list(tags),
        "max_length": max_length,
        "overlap": overlap,
        "corpus": {
            name: corpus[name] for name in ("corpus", "title", "licence", "synthetic", "digest", "column")
        },
        "scores": {
            split: {name: row[name] for name in _SCORES if name in row} for split, row in scores.items()
        },
        "run_id": run["run_id"],
        "experiment": run["experiment"],
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in libraries}},
    }


def read_export_config(directory: Path, *, task: str | None = None) -> dict[str, Any]:
    """Read and check `config.json` of an export.

    Args:
        directory: the export's folder.
        task: the task that is wanted; None takes any.

    Raises:
        SeqlabError: there is no export, it has another format version, or its task is another.
    """
    path = directory / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SeqlabError(
            "there is no exported model",
            where=str(directory),
            expected="a folder with config.json and saved_model.pb",
            remedy="run `dvc repro` to train and export one, or name another with --model",
        ) from None
    except ValueError as error:
        raise SeqlabError("not an export's config", where=str(path), received=str(error)) from None
    received = config.get("format_version") if isinstance(config, dict) else None
    if received != FORMAT_VERSION:
        raise SeqlabError(
            "the model was exported by an incompatible version of seqlab",
            where=str(path),
            expected=f"format_version {FORMAT_VERSION}",
            received=f"{received} (seqlab {config.get('versions', {}).get('seqlab', 'unknown')})"
            if isinstance(config, dict)
            else repr(config)[:100],
            remedy="export it again (`dvc repro`), or use the version of seqlab that made it",
        )
    if task is not None and config["task"] != task:
        raise SeqlabError(
            "the model is for another task",
            where=str(directory),
            expected=task,
            received=config["task"],
            remedy=f"say --task {config['task']}, or name a {task} model with --model",
        )
    return dict(config)


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "not installed"
