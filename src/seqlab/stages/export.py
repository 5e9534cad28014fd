"""Export one task's tagger, prove the exported forms, and log the model to its run."""

from __future__ import annotations

import sys
from pathlib import Path

from seqlab.atomic import write_json
from seqlab.modeling.device import select_device
from seqlab.params import load_params
from seqlab.stages import repository_root, run_stage, say
from seqlab.tracking.provenance import git_tags


def export(task: str) -> None:
    """Write models/<task>/export and metrics/<task>/export.json; log the model to the task's MLflow run."""
    params = load_params()
    # A graph made where a GPU is visible would hold operations that only a GPU has.
    select_device("cpu")
    from seqlab.pipeline.exporting import export_task, record_export

    prepared, models, metrics = (Path(top) / task for top in ("data/prepared", "models", "metrics"))
    report = export_task(
        prepared,
        models,
        Path("data/predictions") / task,
        metrics,
        task_name=task,
        task=params.task(task),
        git=git_tags(repository_root(), workspace=Path.cwd()),
        say=say,
    )
    write_json(metrics / "export.json", report)
    for form, row in report["forms"].items():
        difference = row["max_probability_difference"]
        say(f"{form}: {row['tokens']} tokens, no tag differs, probabilities by {difference:.1e} at most")
    registered = record_export(models, root=repository_root(), report=report)
    say(f"{models / 'export'}: {registered or 'not registered, since the tracking server is away'}")


if __name__ == "__main__":
    sys.exit(run_stage(export, sys.argv[1:], names=("TASK",)))
