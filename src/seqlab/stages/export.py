"""Export one task's tagger, check the exported forms, and log the model to its run."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from seqlab.atomic import write_json
from seqlab.modeling.device import select_device
from seqlab.params_file import load_params
from seqlab.stages import repository_root, run_stage, task_folders
from seqlab.tracking.provenance import git_tags

logger = logging.getLogger("seqlab.stages")


def export(task: str) -> None:
    """Write models/TASK/export and metrics/TASK/export.json; log the model to the task's MLflow run."""
    params = load_params()
    # A graph traced with a visible GPU would contain operations that only a GPU has.
    select_device("cpu")
    from seqlab.pipeline.exporting import export_task, record_export

    prepared, models, metrics = task_folders(task)
    report = export_task(
        prepared,
        models,
        Path("data/predictions") / task,
        metrics,
        task_name=task,
        task=params.task(task),
        git=git_tags(repository_root()),
    )
    write_json(metrics / "export.json", report)
    for form, row in report["forms"].items():
        logger.info(
            "%s: %d tokens, differing tags: %d, probabilities differ by at most %.1e",
            form,
            row["tokens"],
            row["differing_tags"],
            row["max_probability_difference"],
        )
    registered = record_export(models, root=repository_root(), report=report)
    takes_text = "pyfunc" not in report["unavailable"]
    reason = "the tracking server is unreachable" if takes_text else "no form takes text"
    logger.info("%s: %s", models / "export", registered or f"not registered, {reason}")


if __name__ == "__main__":
    sys.exit(run_stage(export, "task"))
