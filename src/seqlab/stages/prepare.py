"""Validate one task's column, build its vocabularies and encode its splits."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from seqlab.atomic import write_json
from seqlab.hub.encoder_files import require_tracked_folder
from seqlab.params_file import load_params, require_paths_inside
from seqlab.pipeline.preparing import prepare_task
from seqlab.stages import repository_root, run_stage, task_folders

logger = logging.getLogger("seqlab.stages")


def prepare(task: str) -> None:
    """Write data/prepared/TASK and metrics/TASK/corpus.json."""
    prepared, _, metrics = task_folders(task)
    params = load_params()
    require_paths_inside(params, repository_root())
    section = params.task(task)
    require_tracked_folder(section.embedder.pretrained.source, below=Path("data/encoders"))
    report = prepare_task(Path("data/raw"), prepared, task=section, mirror=params.corpus.mirror)
    write_json(metrics / "corpus.json", report)
    for name, split in report["splits"].items():
        logger.info("%s: %d sentences, %d tokens", name, split["sentences"], split["tokens"])


if __name__ == "__main__":
    sys.exit(run_stage(prepare, "task"))
