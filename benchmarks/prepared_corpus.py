"""A corpus of params.yaml with changes, prepared. It also runs with the code of earlier commits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[1]


def prepare_corpus(params: Any, task: str, folder: Path) -> dict[str, Any]:
    """Download the corpus into `folder/raw`, prepare it in `folder/prepared`, and return its manifest."""
    from seqlab.corpora.sources import fetch_source
    from seqlab.pipeline.preparing import prepare_task

    corpus, section = params.corpus, params.task(task)
    manifest: dict[str, Any] = fetch_source(
        corpus.name,
        folder / "raw",
        sample=corpus.sample.model_dump(),
        files=corpus.files.model_dump(),
        mirror=corpus.mirror,
        downloads=REPOSITORY / "data" / "downloads",
        dev_share=corpus.dev_share,
        tag_repair=corpus.tag_repair,
        task_columns={task: section.column},
    )
    prepare_task(folder / "raw", folder / "prepared", task=section)
    return manifest


def changed(values: dict[str, Any], changes: list[str]) -> dict[str, Any]:
    """Set `a.b=value` in `values`."""
    for change in changes:
        key, _, value = change.partition("=")
        *sections, last = key.split(".")
        section = values
        for name in sections:
            section = section[name]
        section[last] = yaml.safe_load(value)
    return values
