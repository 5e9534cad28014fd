"""Making or downloading the corpus that the parameters name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqlab.corpora.sources import fetch_source
from seqlab.params import Params


def fetch_corpus(params: Params, raw: Path, *, downloads: Path) -> dict[str, Any]:
    """Write the splits of the corpus and `corpus.json` to the folder `raw`.

    Args:
        params: all parameters.
        raw: the folder to write; it is replaced as a whole, and only if everything succeeds.
        downloads: the folder of downloaded files, which are not downloaded again.

    Returns:
        The manifest, the content of `corpus.json`.

    Raises:
        SeqlabError: the corpus does not exist, is damaged or cannot be downloaded.
    """
    corpus = params.corpus
    return fetch_source(
        corpus.name,
        raw,
        sample=corpus.sample.model_dump(),
        files=corpus.files.model_dump(),
        mirror=corpus.mirror,
        downloads=downloads,
        dev_share=corpus.dev_share,
        tag_repair=corpus.tag_repair,
        task_columns={task: params.task(task).column for task in params.tasks},
    )
