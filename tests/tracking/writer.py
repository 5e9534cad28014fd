"""Write runs with metrics, an artifact and a registered model, as trainings do: writer.py ROOT RUNS EPOCHS.

RUNS processes start at the same time, after a line on standard input.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow.models import Model

from seqlab.tracking.client import mlflow_client
from seqlab.tracking.registry import register_candidate
from seqlab.tracking.run import TrackedRun

SOURCE = Path(__file__).parents[2] / "src"


def write(root: Path, store: Path, epochs: int) -> None:
    folder = root / "model"
    folder.mkdir(parents=True)
    (folder / "weights").write_text(root.name, encoding="utf-8")
    Model().save(str(folder / "MLmodel"))
    with TrackedRun.start(root=store, experiment="seqlab-shared", run_name=root.name) as run:
        run.log_params({"seed": root.name})
        for epoch in range(1, epochs + 1):
            run.log_metrics({"train/loss": 1 / epoch, "dev/span_f1": epoch / 100}, step=epoch)
        run.log_metrics({"best_dev/span_f1": epochs / 100})
        run.log_bytes(root.name.encode(), "note.txt")
        model_id = run.log_model_folder(folder, name="shared", tags={}, metrics=["best_dev/span_f1"])
        assert model_id is not None
        register_candidate(store, name="seqlab-shared", model_id=model_id, run_id=run.run_id)
    run.save(root / "run.json")


def check_runs(folders: Sequence[Path], epochs: int, client: Any) -> None:
    """Check that each run is there, with its metrics once and in order, its artifact and its model."""
    saved = {folder: json.loads((folder / "run.json").read_text(encoding="utf-8")) for folder in folders}
    (experiment_id,) = {run["experiment_id"] for run in saved.values()}
    found = {run.info.run_id: run for run in client.search_runs([experiment_id], max_results=1000)}
    versions = client.search_model_versions("name = 'seqlab-shared'")
    for folder, ids in saved.items():
        run = found[ids["run_id"]]
        assert run.info.status == "FINISHED"
        assert run.data.params == {"seed": folder.name}
        for key, expected in (
            ("train/loss", [1 / epoch for epoch in range(1, epochs + 1)]),
            ("dev/span_f1", [epoch / 100 for epoch in range(1, epochs + 1)]),
        ):
            points = client.get_metric_history(run.info.run_id, key)
            assert [(point.step, point.value) for point in points] == list(enumerate(expected, start=1))
        note = client.download_artifacts(run.info.run_id, "note.txt", str(folder))
        assert Path(note).read_text(encoding="utf-8") == folder.name
        (version,) = [version for version in versions if version.run_id == run.info.run_id]
        (model,) = client.search_logged_models([experiment_id], f"source_run_id = '{run.info.run_id}'")
        assert version.tags["model_id"] == model.model_id


def write_at_once(
    folder: Path, logins: Mapping[str, Mapping[str, str]], *, runs: int, epochs: int
) -> list[Path]:
    """Let a process of each login start `runs` writers, all at the same time.

    Args:
        folder: the parent of the folders of the runs.
        logins: environment variables by the name of a user.
        runs: writers for each user.
        epochs: of each run.

    Returns:
        The folder of each run.
    """
    base = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "DVC_"))}
    starters = [
        subprocess.Popen(
            [sys.executable, __file__, folder / name, str(runs), str(epochs)],
            env={**base, "PYTHONPATH": str(SOURCE), **login},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, login in logins.items()
    ]
    try:
        for starter in starters:
            assert starter.stdout is not None
            assert starter.stdout.readline() == "ready\n"
        printed = [starter.communicate("\n", timeout=300) for starter in starters]
    finally:
        for starter in starters:
            starter.kill()
            starter.wait()
    # MLflow's messages about the migrations of a new database do not reach the terminal.
    assert printed == [("", "")] * len(starters), printed
    assert [starter.returncode for starter in starters] == [0] * len(starters)
    return [folder / name / f"{name}-{number}" for name in logins for number in range(runs)]


def main(root: Path, runs: int, epochs: int) -> int:
    mlflow_client("sqlite:///")  # imports MLflow once for all processes
    print("ready", flush=True)
    sys.stdin.readline()
    children = []
    for number in range(runs):
        if not (child := os.fork()):
            try:
                write(root / f"{root.name}-{number}", root, epochs)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        children.append(child)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
