"""Train one task's tagger and start its MLflow run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from seqlab.atomic import replaced_file, write_csv, write_json
from seqlab.modeling.distribution import read_cluster, start_replicas
from seqlab.params import Params, load_params
from seqlab.pipeline.progress import TrainingProgress
from seqlab.pipeline.record import log_epoch, log_training, start_training_run
from seqlab.stages import repository_root, run_stage, task_folders


def train(task: str) -> None:
    """Write models/TASK/{model.keras,run.json} and metrics/TASK/{train.json,learning_curve.csv}.

    Of several machines that train together, the chief alone does so and logs the run.
    """
    params = load_params()
    prepared, models, metrics = task_folders(task)
    if params.task(task).training.strategy == "multi_worker":
        cluster = read_cluster()
        chief = cluster.addresses[0]
        if not cluster.is_chief:
            print(f"{task}: this machine trains with {chief}, which writes the results", flush=True)
            train_along(prepared, params=params, task=task)
            return
        others = ", ".join(cluster.addresses[1:])
        print(f"{task}: training starts when these machines have started: {others}", flush=True)
    corpus = json.loads((prepared / "corpus.json").read_text(encoding="utf-8"))
    with start_training_run(task, params=params, corpus=corpus, root=repository_root()) as run:
        # TensorFlow takes seconds to import; an unreachable store is reported before that.
        from seqlab.modeling.device import select_device

        device = select_device(params.device)
        replicas = start_replicas(params.task(task).training.strategy)
        from seqlab.pipeline.training import train_task

        def on_epoch(row: dict[str, float]) -> None:
            progress.epoch(row)
            log_epoch(run, row)

        label, epochs = f"{task} on {device}", params.task(task).training.epochs
        with TrainingProgress(label, epochs=epochs) as progress, replicas.reported_lost_machines():
            trained = train_task(
                prepared,
                task=params.task(task),
                seed=params.seed,
                on_start=progress.start,
                on_step=progress.step,
                on_epoch=on_epoch,
                replicas=replicas,
            )
        with replaced_file(models / "model.keras") as made:
            trained.save(made)
        summary = {**trained.summary, "device": device}
        write_json(metrics / "train.json", summary)
        write_csv(metrics / "learning_curve.csv", trained.curve_rows())
        log_training(run, task, summary=summary, history=trained.result.history, corpus=corpus)
        run.save(models / "run.json")


def train_along(prepared: Path, *, params: Params, task: str) -> None:
    """Train as a machine that is not the chief: nothing is written or logged."""
    from seqlab.modeling.device import select_device

    select_device(params.device)
    section = params.task(task)
    replicas = start_replicas(section.training.strategy)
    from seqlab.pipeline.training import train_task

    with replicas.reported_lost_machines():
        train_task(prepared, task=section, seed=params.seed, replicas=replicas)


if __name__ == "__main__":
    sys.exit(run_stage(train, "task"))
