"""Kill trainings at random moments, let them go on, and compare with one that was not killed.

    python tests/faults/kill_training.py ner pos --kills 20

The stages run in a copy of the repository. SIGKILL ends the train stage between its first checkpoint, or
shortly before, and its end; then it is started again. A training that ends first is compared and begun anew.
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
    parser.add_argument("--sentences", type=int, default=200, help="of the sample corpus")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="other parameters")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "copy"
        changes = [f"corpus.sample.sentences={arguments.sentences}", *arguments.set]
        for task in arguments.tasks:
            changes += [f"{task}.training.epochs={arguments.epochs}"]
            changes += [f"{task}.training.checkpoint_minutes=0.01"]
        make_copy(folder, changes)
        assert stage(folder, "download").wait(TIMEOUT_S) == 0
        for task in arguments.tasks:
            assert stage(folder, "prepare", task).wait(TIMEOUT_S) == 0
            first_s, duration_s = train_once(folder, task)
            print(f"{task}: {duration_s:.0f} s, the first checkpoint after {first_s:.0f} s", flush=True)
            expected = outcome(folder, task)
            moments = random.Random(arguments.seed)
            kills, left_s = 0, duration_s
            for attempt in range(1, 5 * arguments.kills + 1):
                process, moment_s = stage(folder, "train", task), moments.uniform(0.9 * first_s, left_s)
                try:
                    process.wait(moment_s)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait(60)
                    kills += 1
                    left_s -= max(moment_s - first_s, 0)  # what is trained is not trained again
                    print(f"{task}: attempt {attempt}, kill {kills}", flush=True)
                    if kills == arguments.kills:
                        break
                else:
                    left_s = duration_s
                    compare(outcome(folder, task), expected)
                    print(f"{task}: attempt {attempt} ended, equal", flush=True)
            assert stage(folder, "train", task).wait(TIMEOUT_S) == 0
            compare(outcome(folder, task), expected)
            print(f"{task}: equal after {kills} kills", flush=True)


def make_copy(folder: Path, changes: list[str]) -> None:
    """Copy what the stages need, with changed parameters (`ner.training.epochs=2`)."""
    for name in ("src", "data/encoders", "data/example", "data/vectors"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    values = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    for change in changes:
        key, _, value = change.partition("=")
        *sections, last = key.split(".")
        section = values
        for name in sections:
            section = section.setdefault(name, {})
        section[last] = yaml.safe_load(value)
    (folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


def stage_environment() -> dict[str, str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "DVC_"))
    }
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment.pop("PYTHONPATH", None)
    return environment


def stage(folder: Path, *command: str) -> subprocess.Popen[bytes]:
    """Start a stage; what it prints is discarded, its errors are shown."""
    return subprocess.Popen(
        ["sh", "src/stage.sh", *command],
        cwd=folder,
        env=stage_environment(),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def train_once(folder: Path, task: str) -> tuple[float, float]:
    """Train without interruption; return the seconds until the first checkpoint, and until the end."""
    started = time.monotonic()
    process, first_s = stage(folder, "train", task), 0.0
    while process.poll() is None:
        assert time.monotonic() - started < TIMEOUT_S
        if not first_s and list(folder.glob(f".seqlab/checkpoints/{task}/*/state.npz")):
            first_s = time.monotonic() - started
        time.sleep(0.05)
    assert process.returncode == 0
    return first_s, time.monotonic() - started


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
