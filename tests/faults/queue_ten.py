"""Run two queued experiments at once, ten times, and check that each of them succeeds.

    python tests/faults/queue_ten.py --rounds 10 --target evaluate@pos

Each round queues two seeds in a copy of the repository, runs them with `dvc exp run --run-all --jobs 2`,
and waits until the workers have ended (docs/troubleshooting.md says why). Both must have succeeded, with an
MLflow run that is finished, an experiment in Git, and scores. Not run by pytest.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from mlflow import MlflowClient

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))

from conftest import SMALL, Workspace, commit, copy_repository

TIMEOUT_S = 900
WORKERS_END_S = 60
"""After it, a worker that is idle does not end by itself any more."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--target", default="evaluate@pos", help="the last stage to run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        workspace = copy_repository(Path(scratch) / "copy")
        workspace.change({**SMALL, "tasks": ["pos"], "pos.encoder.units": 8})
        commit(workspace)
        workspace.run("dvc", "repro", "prepare@pos")
        try:
            for number in range(1, arguments.rounds + 1):
                started = time.monotonic()
                run_round(workspace, number, arguments.target)
                print(f"round {number}: both succeeded, {time.monotonic() - started:.0f} s", flush=True)
        finally:
            workspace.run("dvc", "queue", "stop", "--kill")
    print(f"{2 * arguments.rounds} of {2 * arguments.rounds} queued experiments succeeded")


def run_round(workspace: Workspace, number: int, target: str) -> None:
    """Queue two experiments, run them at once, and check their results."""
    names = {f"round{number}-{index}": 100 * number + index for index in (1, 2)}
    seeds = ",".join(map(str, names.values()))
    workspace.run("dvc", "exp", "run", "--queue", "--name", f"round{number}", "-S", f"seed={seeds}", target)
    # Workers inherit the output and keep it open.
    command = "dvc exp run --run-all --jobs 2 >/dev/null 2>&1"
    workspace.run("sh", "-c", command, timeout_s=TIMEOUT_S)
    deadline = time.monotonic() + WORKERS_END_S
    while True:
        status = workspace.run("dvc", "queue", "status")
        if "0 active, 0 idle" in status or time.monotonic() > deadline:
            break
        time.sleep(2)
    states = {name: line for line in status.splitlines() for name in names if name in line.split()}
    for name in names:
        assert "Success" in states[name], f"{status}\n{workspace.run('dvc', 'queue', 'logs', name)}"
    client = MlflowClient(f"sqlite:///{workspace.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("seqlab-pos")
    runs = client.search_runs([experiment.experiment_id])
    shown = workspace.run("dvc", "exp", "list", "--name-only").split()
    for name, seed in names.items():
        (run,) = [run for run in runs if run.data.tags.get("dvc.exp_name") == name]
        assert (run.info.status, run.data.params["seed"]) == ("FINISHED", str(seed)), name
        assert ("test/token_accuracy" in run.data.metrics) is target.startswith(("evaluate", "export")), name
        assert name in shown, shown


if __name__ == "__main__":
    main()
