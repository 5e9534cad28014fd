"""`config.json` of an export: tags, windows, corpus, scores and versions."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from seqlab.errors import SeqlabError
from seqlab.serving.export_files import CONFIG, check_files

FORMAT_VERSION = 3
"""Incremented when the files or signatures change. Version 1 has no digests of its files; in versions 1 and 2
the SavedModel's `tags` are in the scheme that the model learned, since version 3 in IOB2."""

READABLE_VERSIONS = (1, 2, 3)
"""Versions that `seqlab tag` loads; tests/fixtures/ has an export of each."""

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


class _Config(BaseModel):
    """The types of `config.json`."""

    model_config = ConfigDict(strict=True)

    format_version: int
    task: str
    tag_scheme: str | None
    tags: Annotated[list[str], Field(min_length=1)]
    max_length: Annotated[int, Field(gt=0)]
    overlap: Annotated[int, Field(ge=0)]
    corpus: dict[str, Any]
    pretrained: dict[str, str] | None = None
    scores: dict[str, dict[str, Any]]
    run_id: str
    experiment: str
    versions: dict[str, str]
    files: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] | None = None

    @model_validator(mode="after")
    def _has_digests(self) -> _Config:
        if self.format_version > 1 and self.files is None:
            raise ValueError("files: Field required")
        return self


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
    """Return the content of `config.json`, except `files`, the digests of the other files of the export.

    Args:
        task: the name of the task.
        tag_scheme: the scheme that the model learned; None if tags do not encode spans.
        tags: the tag vocabulary, in that scheme, in the order of tag ids.
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
        "pretrained": corpus.get("pretrained"),
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
        SeqlabError: there is no export, its format version or task is another one, or a value is missing or
            of another type.
    """
    path = directory / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SeqlabError(
            "there is no exported model",
            where=str(directory),
            expected="a folder with config.json and saved_model.pb",
            remedy="run `dvc repro` to train and export one, or name another with --model",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise SeqlabError("config.json is not valid JSON", where=str(path), received=str(error)) from None
    version = config.get("format_version") if isinstance(config, dict) else None
    if type(version) is not int or version not in READABLE_VERSIONS:
        received = repr(config)[:100]
        if isinstance(config, dict):
            versions = config.get("versions")
            exporter = versions.get("seqlab", "unknown") if isinstance(versions, dict) else "unknown"
            received = f"{version} (seqlab {exporter})"
        raise SeqlabError(
            "the model was exported by an incompatible version of seqlab",
            where=str(path),
            expected=f"format_version {min(READABLE_VERSIONS)} to {FORMAT_VERSION}",
            received=received,
            remedy="export it again (`dvc repro`), or use the version of seqlab that exported it",
        )
    try:
        _Config.model_validate(config)
    except ValidationError as error:
        raise SeqlabError(
            "config.json has invalid values",
            where=str(path),
            received="\n    ".join(
                ": ".join(filter(None, (".".join(map(str, problem["loc"])), problem["msg"])))
                for problem in error.errors()
            ),
            remedy="copy the export again, or export it again (`dvc repro`)",
        ) from None
    if task not in (None, config["task"]):
        raise SeqlabError(
            "the model belongs to another task",
            where=str(directory),
            expected=str(task),
            received=config["task"],
            remedy=f"use --task {config['task']}, or name a {task} model with --model",
        )
    return dict(config)


def read_checked_config(directory: Path, *, task: str | None = None) -> dict[str, Any]:
    """Read `config.json` as `read_export_config` does, and compare all files with their digests.

    Raises:
        SeqlabError: as `read_export_config` and `check_files`.
    """
    config = read_export_config(directory, task=task)
    if config["format_version"] > 1:
        check_files(directory, config["files"])
    return config


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "not installed"
