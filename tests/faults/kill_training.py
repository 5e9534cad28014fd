"""Kill trainings at random moments, let them go on, and compare with one that was not killed.

    python tests/faults/kill_training.py ner pos --kills 20

The stages run in a copy of the repository. SIGKILL ends the train stage, which is then started again.
Weights, history and points in MLflow must be equal to those of the uninterrupted training.
Not run by pytest.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
TIMEOUT_S = 3600


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tasks", nargs="+", choices=("ner", "pos"))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sentences", type=int, default=400, help="of the sample corpus")
    parser.add_argument("--epochs", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "copy"
        make_copy(folder, sentences=arguments.sentences, epochs=arguments.epochs)
        stage(folder, "download").wait(TIMEOUT_S)
        for task in arguments.tasks:
            stage(folder, "prepare", task).wait(TIMEOUT_S)
            started = time.monotonic()
            assert stage(folder, "train", task).wait(TIMEOUT_S) == 0
            duration_s = time.monotonic() - started
            expected = outcome(folder, task)
            moments = random.Random(arguments.seed)
            for attempt in range(1, arguments.kills + 1):
                process = stage(folder, "train", task)
                try:
                    process.wait(moments.uniform(0.2, 1.0) * duration_s)
                    ended = "had finished"
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait(60)
                    ended = "killed"
                print(f"{task}: attempt {attempt} {ended}", flush=True)
                if ended == "had finished":
                    compare(outcome(folder, task), expected)
            assert stage(folder, "train", task).wait(TIMEOUT_S) == 0
            compare(outcome(folder, task), expected)
            print(f"{task}: equal after {arguments.kills} attempts", flush=True)


def make_copy(folder: Path, *, sentences: int, epochs: int) -> None:
    """Copy what the stages need, with a small corpus and frequent checkpoints."""
    for name in ("src", "data/example", "data/vectors"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    values = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    values["corpus"]["sample"]["sentences"] = sentences
    for task in values["tasks"]:
        values[task]["training"] |= {"epochs": epochs, "checkpoint_minutes": 0.01}
    (folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


def stage(folder: Path, *command: str) -> subprocess.Popen[bytes]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "DVC_"))
    }
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment.pop("PYTHONPATH", None)
    return subprocess.Popen(
        ["sh", "src/stage.sh", *command], cwd=folder, env=environment, start_new_session=True
    )


def outcome(folder: Path, task: str) -> tuple[bytes, str, list[Any], str]:
    """The weights, the learning curve, the points in MLflow without durations, and the run's status."""
    import zipfile

    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    run_id = json.loads((folder / "models" / task / "run.json").read_text())["run_id"]
    run = client.get_run(run_id)
    names = sorted(
        name for name in run.data.metrics if name.startswith(("train/", "dev/")) and "_s" not in name
    )
    points = [
        (name, point.step, point.value) for name in names for point in client.get_metric_history(run_id, name)
    ]
    with zipfile.ZipFile(folder / "models" / task / "model.keras") as file:
        weights = file.read("model.weights.h5")
    return weights, (folder / "metrics" / task / "learning_curve.csv").read_text(), points, run.info.status


def compare(received: tuple[Any, ...], expected: tuple[Any, ...]) -> None:
    for name, first, second in zip(
        ("weights", "history", "MLflow points", "status"), received, expected, strict=True
    ):
        assert first == second, f"different {name}"


if __name__ == "__main__":
    main()
