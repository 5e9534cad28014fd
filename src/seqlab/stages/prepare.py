"""Validate one task's column, build its vocabularies and encode its splits."""

from __future__ import annotations

import sys
from pathlib import Path

from seqlab.atomic import write_json
from seqlab.params import load_params
from seqlab.pipeline.preparing import prepare_task
from seqlab.stages import run_stage, say


def prepare(task: str) -> None:
    """Write data/prepared/<task> and metrics/<task>/corpus.json."""
    report = prepare_task(
        Path("data/raw"), Path("data/prepared") / task, task=load_params().task(task), say=say
    )
    write_json(Path("metrics") / task / "corpus.json", report)
    for name, split in report["splits"].items():
        say(f"{name}: {split['sentences']} sentences, {split['tokens']} tokens")
        for tag, count in split.get("tags_unseen_in_train", {}).items():
            say(f"warning: {name} has {count} tokens tagged {tag}, never seen in train: they count as errors")


if __name__ == "__main__":
    sys.exit(run_stage(prepare, sys.argv[1:], names=("TASK",)))
