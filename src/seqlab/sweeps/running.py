"""Running a sweep: Ray Tune starts the trials and stops bad ones, the sweep's folder remembers all of it."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from seqlab.errors import SeqlabError
from seqlab.locks import LockedError, file_lock
from seqlab.ray_cluster import connect
from seqlab.sweeps.data import PREPARED, data_key, downloads_folder, pack, prepare_data
from seqlab.sweeps.journal import SweepFolder, Trial, best_trial, sweeps_folder
from seqlab.sweeps.progress import Progress
from seqlab.sweeps.spec import CheckedSweep
from seqlab.tracking.client import is_remote
from seqlab.tracking.provenance import git_tags
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.store import experiment_name, resolve_tracking_uri

logger = logging.getLogger(__name__)

_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_MAX_PENDING_TRIALS_PG": "1",
}


def run_sweep(
    sweep: CheckedSweep, *, root: Path, address: str | None = None, report: Callable[[str], None] = print
) -> list[Trial]:
    """Run the trials of a sweep that have not ended; those of an interrupted sweep go on.

    Args:
        sweep: the sweep.
        root: the repository's root, also the working directory.
        address: of a Ray cluster; by default Ray runs on this machine, for the sweep alone.
        report: takes lines on the progress.

    Returns:
        All trials.

    Raises:
        SeqlabError: Ray or Optuna is missing, there is no cluster, the sweep was started with other settings,
            the data cannot be prepared, or the store of runs cannot be used.
    """
    lock = sweeps_folder(root) / f"{sweep.spec.name}.lock"
    try:
        with file_lock(lock, timeout_s=0):
            return _run_locked(sweep, root, address, report)
    except LockedError as error:
        if error.where != str(lock):
            raise
        raise SeqlabError(
            "another process is running this sweep",
            where=sweep.spec.name,
            remedy="wait for it or stop it, or give this sweep another `name`",
        ) from error


def _run_locked(
    sweep: CheckedSweep, root: Path, address: str | None, report: Callable[[str], None]
) -> list[Trial]:
    spec = sweep.spec
    folder = SweepFolder(root, spec.name)
    was_started = folder.start(sweep)
    done = sum(trial.is_done for trial in folder.trials)
    if done >= spec.num_trials:
        report(f"sweep {spec.name}: all {done} trials have ended")
        return folder.trials
    if was_started:
        report(f"sweep {spec.name} is continued: {done} of {spec.num_trials} trials have ended")
    _prepare_listed(sweep, folder, root, report)
    with _parent_run(sweep, folder, root) as parent:
        state = Progress(sweep=sweep, folder=folder, root=root, parent=parent, report=report)
        _tune(state, address)
        _log_result(parent, sweep, folder)
    return folder.trials


def _prepare_listed(
    sweep: CheckedSweep, folder: SweepFolder, root: Path, report: Callable[[str], None]
) -> None:
    """Prepare the data that every `choice` needs, so that errors come at once; ranges follow by trial.

    Data that no trial has is left out: that of params.yaml itself if a choice always replaces it.
    """
    task, needed = sweep.spec.task, {data_key(sweep.params, sweep.spec.task): sweep.params}
    for name, values in sweep.spec.space.items():
        found = {}
        for value in values.choice or ():
            with suppress(SeqlabError):  # this value needs others beside it
                params = sweep.params_of({name: value})
                found[data_key(params, task)] = params
        if found and data_key(sweep.params, task) not in found:
            needed.pop(data_key(sweep.params, task), None)
        needed = found | needed
    for key, params in needed.items():
        if not (folder.path / "data" / key / PREPARED).exists():
            report(f"preparing the data of {task} ({params.corpus.name})")
            prepare_data(folder.path / "data", params, task, downloads=downloads_folder(root))


def _parent_run(sweep: CheckedSweep, folder: SweepFolder, root: Path) -> TrackedRun:
    """Start the run of the sweep, or open it again."""
    if folder.run_json.exists():
        return TrackedRun.reopen(root=root, run_json=folder.run_json)
    spec = sweep.spec
    run = TrackedRun.start(
        root=root,
        experiment=experiment_name(spec.task),
        run_name=f"sweep {spec.name}",
        tags={
            **git_tags(root),
            "task": spec.task,
            "sweep": spec.name,
            "mlflow.source.name": "seqlab sweep",
            "mlflow.note.content": f"A sweep of {spec.num_trials} trials, which are the runs below this one.",
        },
        params={"sweep": spec.model_dump(mode="json", exclude_none=True)},
    )
    run.save(folder.run_json)
    run.log_artifact(folder.spec_path)
    return run


def _log_result(parent: TrackedRun, sweep: CheckedSweep, folder: SweepFolder) -> None:
    counts = dict.fromkeys(("finished", "stopped", "failed"), 0)
    for trial in folder.trials:
        counts[trial.status] = counts.get(trial.status, 0) + 1
    parent.log_metrics({"sweep": counts})
    if best := best_trial(folder.trials, mode=sweep.spec.mode):
        parent.log_metrics({"best_dev": {sweep.spec.metric: best.score}})
        parent.set_tags({"sweep.best_trial": best.number, "sweep.best_run": best.run_id})
    parent.log_dict({"trials": [trial.__dict__ for trial in folder.trials]}, "trials.json")


def _tune(state: Progress, address: str | None) -> None:
    """Run the trials that have not ended with Ray Tune."""
    os.environ.update({name: os.environ.get(name, value) for name, value in _ENVIRONMENT.items()})
    spec = state.sweep.spec
    ray = connect(
        address, where="seqlab sweep" if address is None else "--ray", otherwise="use dvc exp run --queue"
    )
    try:
        _check_resources(ray, spec.resources.cpus, spec.resources.gpus)
        from ray import tune

        from seqlab.sweeps.search_algorithm import Recoveries, SweepSearch, make_scheduler
        from seqlab.sweeps.trainable import Shared, TrialTrainable

        uri = resolve_tracking_uri(state.root)
        archives = _serve_archives(ray, state, uri) if address is not None else None
        shared = Shared(
            root=state.root.resolve(), folder=state.folder.path, task=spec.task, metric=spec.metric or "",
            mode=spec.mode, cpus=spec.resources.cpus, gpus=spec.resources.gpus, tracking_uri=uri,
            archives=_archives_name(state),
        )  # fmt: skip
        logging.getLogger("ray").setLevel(logging.ERROR)
        shutil.rmtree(state.folder.path / "ray", ignore_errors=True)
        search = SweepSearch(state, mode=spec.mode)
        trainable = tune.with_resources(
            tune.with_parameters(TrialTrainable, shared=shared),
            {"CPU": spec.resources.cpus, "GPU": spec.resources.gpus},
        )
        tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=search,
                scheduler=make_scheduler(spec, state.folder.trials),
                num_samples=state.remaining(),
                max_concurrent_trials=spec.max_concurrent,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=str(state.folder.path / "ray"),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                failure_config=tune.FailureConfig(max_failures=spec.retries),
                callbacks=[Recoveries(search)],
                verbose=0,
            ),
        ).fit()
        del archives
    finally:
        ray.shutdown()
        shutil.rmtree(state.folder.path / "ray", ignore_errors=True)


def _check_resources(ray: Any, cpus: int, gpus: float) -> None:
    has = ray.cluster_resources()
    if has.get("CPU", 0) < cpus or has.get("GPU", 0) < gpus:
        raise SeqlabError(
            "no trial can start",
            where="resources",
            expected=f"at most the {has.get('CPU', 0):g} cores and {has.get('GPU', 0):g} GPUs that Ray has",
            received=f"cpus: {cpus}, gpus: {gpus:g}",
            remedy="request less, or name a larger cluster with --ray",
        )


def _archives_name(state: Progress) -> str:
    return f"seqlab-sweep-{state.parent.run_id}"


def _serve_archives(ray: Any, state: Progress, uri: str) -> Any:
    """Start an actor from which machines that do not share this one's disk get prepared data.

    Raises:
        SeqlabError: there are such machines, and the store is a file of this one.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def on(node: str) -> dict[str, Any]:
        return {"num_cpus": 0, "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}

    nodes = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
    sees = ray.remote(Path.exists)
    seen = {node: sees.options(**on(node)).remote(state.folder.path) for node in nodes}
    blind = [nodes[node] for node, found in seen.items() if not ray.get(found)]
    if blind and not is_remote(uri):
        raise SeqlabError(
            "machines of the cluster see neither the sweep's folder nor the store of runs",
            where=str(state.folder.path),
            received=", ".join(sorted(set(blind))),
            remedy="set MLFLOW_TRACKING_URI to a server, or work in a folder that all machines share",
        )
    folder = state.folder.path / "data"
    server = ray.remote(_Archives).options(
        name=_archives_name(state), **on(ray.get_runtime_context().get_node_id())
    )
    return server.remote(folder)


class _Archives:
    """Prepared data as archives, by key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> bytes:
        return pack(self.folder / key / PREPARED)
