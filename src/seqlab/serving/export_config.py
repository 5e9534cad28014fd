"""`config.json` of an export: tags, windows, corpus, scores and versions."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from seqlab.errors import SeqlabError

FORMAT_VERSION = 1
"""Incremented when the signatures change, so that programs recognise exports that they do not support."""

_CORPUS = ("corpus", "title", "licence", "synthetic", "digest", "column")
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
    """Return the content of `config.json`.

    Args:
        task: `ner` or `pos`.
        tag_scheme: the scheme of the tags; None if tags do not encode spans.
        tags: the tag vocabulary, in the order of tag ids.
        max_length: maximum number of tokens in a window.
        overlap: tokens that neighbouring windows share.
        corpus: the content of corpus.json.
        scores: the content of evaluate.json, by split.
        run: the content of run.json.
    """
    return {
        "format_version": FORMAT_VERSION,
        "task": task,
        "tag_scheme": tag_scheme,
        "tags": list(tags),
        "max_length": max_length,
        "overlap": overlap,
        "corpus": {name: corpus[name] for name in _CORPUS},
        "scores": {split: {k: row[k] for k in _SCORES if k in row} for split, row in scores.items()},
        "run_id": run["run_id"],
        "experiment": run["experiment"],
        "versions": {
            "python": platform.python_version(),
            **{name: _version(name) for name in ("seqlab", "tensorflow", "keras", "numpy")},
        },
    }


def read_export_config(directory: Path, *, task: str | None = None) -> dict[str, Any]:
    """Read and check the `config.json` in `directory`; a `task` of None accepts any task.

    Raises:
        SeqlabError: there is no export, or its format version or task is another one.
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
        raise SeqlabError("config.json is not valid JSON", where=str(path), received=str(error)) from None
    version = config.get("format_version") if isinstance(config, dict) else None
    if version != FORMAT_VERSION:
        received = repr(config)[:100]
        if isinstance(config, dict):
            received = f"{version} (seqlab {config.get('versions', {}).get('seqlab', 'unknown')})"
        raise SeqlabError(
            "the model was exported by an incompatible version of seqlab",
            where=str(path),
            expected=f"format_version {FORMAT_VERSION}",
            received=received,
            remedy="export it again (`dvc repro`), or use the version of seqlab that exported it",
        )
    if task not in (None, config["task"]):
        raise SeqlabError(
            "the model is for another task",
            where=str(directory),
            expected=str(task),
            received=config["task"],
            remedy=f"use --task {config['task']}, or name a {task} model with --model",
        )
    return dict(config)


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "not installed"
