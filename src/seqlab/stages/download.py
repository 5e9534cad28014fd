"""Make or download the corpus."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from seqlab.corpora.sources import fetch_source
from seqlab.params import load_params
from seqlab.stages import repository_root, run_stage

logger = logging.getLogger("seqlab.stages")


def download() -> None:
    """Write data/raw: the splits and the manifest corpus.json."""
    params = load_params()
    corpus = params.corpus
    manifest = fetch_source(
        corpus.name,
        Path("data/raw"),
        sample=corpus.sample.model_dump(),
        files=corpus.files.model_dump(),
        mirror=corpus.mirror,
        downloads=repository_root() / "data" / "downloads",
        dev_share=corpus.dev_share,
        tag_repair=corpus.tag_repair,
        task_columns={task: params.task(task).column for task in params.tasks},
    )
    kind = "synthetic, " if manifest["synthetic"] else ""
    licence = manifest["licence"] or "licence not stated"
    logger.info("corpus %s (%s%s), digest %s", manifest["name"], kind, licence, manifest["digest"][:12])


if __name__ == "__main__":
    sys.exit(run_stage(download))
