"""Train one task's tagger and start its MLflow run."""

from __future__ import annotations

import sys

from seqlab.params_file import load_params
from seqlab.pipeline.recorded_training import train_and_record
from seqlab.stages import repository_root, run_stage, task_folders


def train(task: str) -> None:
    """Write models/TASK/{model.keras,run.json} and metrics/TASK/{train.json,learning_curve.csv}."""
    prepared, models, metrics = task_folders(task)
    train_and_record(
        task,
        params=load_params(),
        root=repository_root(),
        prepared=prepared,
        models=models,
        metrics=metrics,
    )


if __name__ == "__main__":
    sys.exit(run_stage(train, "task"))
