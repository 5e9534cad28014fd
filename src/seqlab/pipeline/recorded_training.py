"""A training as the train stage runs it: with a checkpoint, a run, and the machines that take part."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.atomic import replaced_file, write_csv, write_json
from seqlab.modeling.distribution import Replicas, read_cluster, start_replicas
from seqlab.params import Params
from seqlab.pipeline.checkpoints import TrainingCheckpoint, open_checkpoint
from seqlab.pipeline.interruption import InterruptAtEpochEnd
from seqlab.pipeline.progress import TrainingProgress
from seqlab.pipeline.record import TrialRecord, log_epoch, log_training, start_training_run
from seqlab.tracking.system_metrics import SystemMetrics

if TYPE_CHECKING:
    from seqlab.modeling.training_state import TrainingState


def train_and_record(
    task: str,
    *,
    params: Params,
    root: Path,
    prepared: Path,
    models: Path,
    metrics: Path,
    trial: TrialRecord | None = None,
    state: Path | None = None,
    on_run: Callable[[str], None] | None = None,
    on_epoch: Callable[[Mapping[str, float]], None] | None = None,
) -> dict[str, Any]:
    """Train a tagger, log the run, and write the model and its metrics.

    Of several machines that train together, the chief alone logs and writes.

    Args:
        task: the task's name.
        params: all parameters.
        root: the repository's root, which contains checkpoints and, by default, the store of runs.
        prepared: the folder that the prepare stage wrote.
        models: the folder for `model.keras` and `run.json`.
        metrics: the folder for `train.json` and `learning_curve.csv`.
        trial: the training is a trial of a sweep.
        state: contains checkpoints instead of `root`.
        on_run: called with the run's id before the first step.
        on_epoch: called with each row of the history, after it was logged. What it raises ends the training.

    Returns:
        The content of `train.json`; nothing if this machine is not the chief.

    Raises:
        SeqlabError: the store, a device or a machine cannot be used, or the training fails.
    """
    section = params.task(task)
    if section.training.strategy == "multi_worker":
        cluster = read_cluster()
        chief, *others = cluster.addresses
        if not cluster.is_chief:
            print(f"{task}: this machine trains with {chief}, which writes the results", flush=True)
            _train_along(task, params=params, prepared=prepared)
            return {}
        waits_for = ", ".join(others)
        print(f"{task}: training starts when these machines have started: {waits_for}", flush=True)
    corpus = json.loads((prepared / "corpus.json").read_text(encoding="utf-8"))
    with (
        _checkpoint_of(task, params=params, root=state or root, prepared=prepared) as checkpoint,
        start_training_run(
            task,
            params=params,
            corpus=corpus,
            root=root,
            run_json=checkpoint.run_json if checkpoint else None,
            trial=trial,
        ) as run,
    ):
        if checkpoint:
            checkpoint.note_run(run)
        if on_run:
            on_run(run.run_id)
        # TensorFlow takes seconds to import; an unreachable store is reported before that.
        device, replicas = _start_devices(task, params=params)
        from seqlab.modeling.saving import weights_digest
        from seqlab.pipeline.training import train_task

        system = SystemMetrics()
        with (
            TrainingProgress(f"{task} on {device}", epochs=section.training.epochs) as progress,
            InterruptAtEpochEnd() as interrupt,
            replicas.reported_lost_machines(),
        ):

            def on_resume(state: TrainingState) -> None:
                progress.resume(state.epoch, len(state.losses))
                for row in state.history:  # the last row may be missing in the run
                    log_epoch(run, row)

            def on_step(*arguments: Any) -> None:
                progress.step(*arguments)
                system.sample()

            def log_row(row: dict[str, float]) -> None:
                progress.epoch(row)
                log_epoch(run, row)
                run.log_metrics(system.take(), step=int(row["epoch"]), time_ms=int(row["ended_ms"]))
                interrupt.check()
                if on_epoch:
                    on_epoch(row)

            trained = train_task(
                prepared,
                task=section,
                seed=params.seed,
                on_start=progress.start,
                on_step=on_step,
                on_epoch=log_row,
                on_resume=on_resume,
                checkpoint=checkpoint,
                replicas=replicas,
            )
        with replaced_file(models / "model.keras") as made:
            trained.save(made)
        digest = weights_digest(trained.tagger.get_weights())
        summary = {**trained.summary, "device": device, "weights_digest": digest}
        write_json(metrics / "train.json", summary)
        write_csv(metrics / "learning_curve.csv", trained.curve_rows())
        log_training(run, task, summary=summary, history=trained.result.history, corpus=corpus)
        run.save(models / "run.json")
        return summary


def _train_along(task: str, *, params: Params, prepared: Path) -> None:
    """Train as a machine that is not the chief: nothing is written or logged."""
    _, replicas = _start_devices(task, params=params)
    from seqlab.pipeline.training import train_task

    with replicas.reported_lost_machines():
        train_task(prepared, task=params.task(task), seed=params.seed, replicas=replicas)


def _start_devices(task: str, *, params: Params) -> tuple[str, Replicas]:
    """Return the name of the device and the replicas that train."""
    from seqlab.modeling.device import select_device

    training = params.task(task).training
    device = select_device(params.device, deterministic=training.deterministic)
    return device, start_replicas(training.strategy)


def _checkpoint_of(
    task: str, *, params: Params, root: Path, prepared: Path
) -> AbstractContextManager[TrainingCheckpoint | None]:
    """Open the training's checkpoint; there is none if several devices share the batches."""
    section = params.task(task)
    if section.training.strategy != "none":
        return nullcontext()
    return open_checkpoint(root, task, prepared, params=section, seed=params.seed, device=params.device)
