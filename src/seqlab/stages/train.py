"""Train one task's tagger and open its MLflow run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from seqlab.atomic import replaced_file, write_json
from seqlab.evaluation.tables import write_csv
from seqlab.params import load_params
from seqlab.pipeline.progress import TrainingProgress
from seqlab.pipeline.record import curve_rows, start_training_run
from seqlab.stages import repository_root, run_stage


def train(task: str) -> None:
    """Write models/<task>/{model.keras,run.json}, metrics/<task>/{train.json,learning_curve.csv}."""
    params = load_params()
    prepared, models, metrics = (Path(top) / task for top in ("data/prepared", "models", "metrics"))
    corpus = json.loads((prepared / "corpus.json").read_text(encoding="utf-8"))
    with start_training_run(task, params=params, corpus=corpus, root=repository_root()) as run:
        # Only now, and in silence: TensorFlow takes seconds, and a store that is away should be told at once.
        from seqlab.modeling.device import select_device

        device = select_device(params.device)
        from seqlab.pipeline.training import train_task

        def on_epoch(row: dict[str, float]) -> None:
            progress.epoch(row)
            run.epoch(row)

        with TrainingProgress(f"{task} on {device}", epochs=params.task(task).training.epochs) as progress:
            trained = train_task(
                prepared,
                task=params.task(task),
                seed=params.seed,
                on_start=progress.start,
                on_step=progress.step,
                on_epoch=on_epoch,
            )
        with replaced_file(models / "model.keras") as made:
            trained.save(made)
        summary = {**trained.summary, "device": device}
        write_json(metrics / "train.json", summary)
        write_csv(metrics / "learning_curve.csv", curve_rows(trained.result.history))
        run.trained(summary, trained.result.history)
        run.save(models / "run.json")


if __name__ == "__main__":
    sys.exit(run_stage(train, sys.argv[1:], names=("TASK",)))
