"""Train one task's tagger and start its MLflow run."""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.atomic import replaced_file, write_csv, write_json
from seqlab.modeling.distribution import read_cluster, start_replicas
from seqlab.params import Params, load_params
from seqlab.pipeline.checkpoints import open_checkpoint
from seqlab.pipeline.interruption import InterruptAtEpochEnd
from seqlab.pipeline.progress import TrainingProgress
from seqlab.pipeline.record import log_epoch, log_training, start_training_run
from seqlab.stages import repository_root, run_stage, task_folders

if TYPE_CHECKING:
    from seqlab.modeling.training_state import TrainingState


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
    root, section = repository_root(), params.task(task)
    with (
        checkpoint_of(task, prepared, params=params) as checkpoint,
        start_training_run(
            task,
            params=params,
            corpus=corpus,
            root=root,
            run_json=checkpoint.run_json if checkpoint else None,
        ) as run,
    ):
        if checkpoint:
            checkpoint.note_run(run)
        # TensorFlow takes seconds to import; an unreachable store is reported before that.
        from seqlab.modeling.device import select_device

        device = select_device(params.device, deterministic=section.training.deterministic)
        replicas = start_replicas(section.training.strategy)
        from seqlab.pipeline.training import train_task

        with (
            TrainingProgress(f"{task} on {device}", epochs=section.training.epochs) as progress,
            InterruptAtEpochEnd() as interrupt,
            replicas.reported_lost_machines(),
        ):

            def on_resume(state: TrainingState) -> None:
                progress.resume(state.epoch, len(state.losses))
                for row in state.history:  # the last row may be missing in the run
                    log_epoch(run, row)

            def on_epoch(row: dict[str, float]) -> None:
                progress.epoch(row)
                log_epoch(run, row)
                interrupt.check()

            trained = train_task(
                prepared,
                task=section,
                seed=params.seed,
                on_start=progress.start,
                on_step=progress.step,
                on_epoch=on_epoch,
                on_resume=on_resume,
                checkpoint=checkpoint,
                replicas=replicas,
            )
        with replaced_file(models / "model.keras") as made:
            trained.save(made)
        summary = {**trained.summary, "device": device}
        write_json(metrics / "train.json", summary)
        write_csv(metrics / "learning_curve.csv", trained.curve_rows())
        log_training(run, task, summary=summary, history=trained.result.history, corpus=corpus)
        run.save(models / "run.json")


def checkpoint_of(task: str, prepared: Path, *, params: Params) -> AbstractContextManager[Any]:
    """Open the training's checkpoint; nothing if several devices share the batches."""
    section = params.task(task)
    if section.training.strategy != "none":
        return nullcontext()
    return open_checkpoint(
        repository_root(), task, prepared, params=section, seed=params.seed, device=params.device
    )


def train_along(prepared: Path, *, params: Params, task: str) -> None:
    """Train as a machine that is not the chief: nothing is written or logged."""
    from seqlab.modeling.device import select_device

    section = params.task(task)
    select_device(params.device, deterministic=section.training.deterministic)
    replicas = start_replicas(section.training.strategy)
    from seqlab.pipeline.training import train_task

    with replicas.reported_lost_machines():
        train_task(prepared, task=section, seed=params.seed, replicas=replicas)


if __name__ == "__main__":
    sys.exit(run_stage(train, "task"))
