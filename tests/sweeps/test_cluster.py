"""A sweep on a Ray cluster of two node processes on loopback, one of which is killed while a trial runs."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from seqlab.sweeps.running import run_sweep
from seqlab.tracking.client import mlflow_client
from seqlab.tracking.store import resolve_tracking_uri

EPOCHS = 8
PATIENCE_S = 300


def kill_a_busy_node(cluster: Any, root: Path, ended: threading.Event) -> None:
    """Kill the second node as soon as one of its trials has trained an epoch."""
    (node,) = cluster.worker_nodes
    (raylet,) = node.all_processes["raylet"]
    while not ended.is_set():
        own = {process.pid for process in psutil.Process(raylet.process.pid).children(recursive=True)}
        records = [read(path) for path in (root / ".seqlab/open-runs").glob("*.json")]
        busy = {record["run_id"] for record in records if record.get("pid") in own}
        trials = [read(path) for path in (root / ".seqlab/sweeps/lr/trials").glob("*/trial.json")]
        if any(trial["scores"] and trial["run_id"] in busy for trial in trials if trial):
            node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
            return
        time.sleep(0.02)


def read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def test_all_trials_end_although_a_node_is_killed(cluster, repository, make_sweep):
    space = {
        "ner.training.learning_rate": {"log_uniform": [1e-3, 1e-2]},
        "ner.training.epochs": {"choice": [EPOCHS]},
        "ner.training.patience": {"choice": [EPOCHS]},
    }
    lines, ended = [], threading.Event()
    killer = threading.Thread(target=kill_a_busy_node, args=(cluster, repository, ended))
    killer.start()
    try:
        sweep = make_sweep(trials=8, space=space)
        trials = run_sweep(sweep, root=repository, address=cluster.address, report=lines.append)
    finally:
        ended.set()
        killer.join(PATIENCE_S)
    assert [trial.status for trial in trials] == ["finished"] * 8, lines
    assert max(trial.attempts for trial in trials) > 1
    assert "trial" in lines[-1]
    assert "8 of 8 done" in lines[-1]
    assert len({trial.values["ner.training.learning_rate"] for trial in trials}) == 8

    client = mlflow_client(resolve_tracking_uri(repository))
    runs = client.search_runs([client.get_experiment_by_name("seqlab-ner").experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {run.info.run_id: run for run in runs if run is not parent}
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert parent.data.metrics["sweep/finished"] == 8
    assert set(children) == {trial.run_id for trial in trials}
    for trial in trials:
        run = children[trial.run_id]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.tags["sweep.trial"] == str(trial.number)
        assert float(run.data.params["training.learning_rate"]) == trial.values["ner.training.learning_rate"]
        history = client.get_metric_history(run.info.run_id, "dev/span_f1")
        assert [point.step for point in history] == list(range(1, EPOCHS + 1))
        assert run.data.metrics["best_dev/span_f1"] == trial.score
    present = {path.name for path in repository.iterdir()}
    assert present.isdisjoint({"models", "metrics"})
