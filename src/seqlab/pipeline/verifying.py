"""Train a task twice in fresh processes and compare the weights bit for bit."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from seqlab.errors import SeqlabError
from seqlab.params import Params
from seqlab.params_file import load_params

_MEASURED = ("duration_s", "train_s", "ended_ms")


def train_twice(task: str, *, epochs: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train a task on its prepared data in two processes, and return what `train_once` reports of each.

    Args:
        task: the task's name.
        epochs: instead of `training.epochs`; None for a full training.

    Raises:
        SeqlabError: the prepared data is missing, or a training failed.
    """
    if not (Path("data/prepared") / task / "corpus.json").exists():
        remedy = f"dvc repro prepare@{task}"
        raise SeqlabError("there is no prepared data", where=f"data/prepared/{task}", remedy=remedy)
    first, second = (_in_fresh_process(task, epochs) for _ in range(2))
    return first, second


def _in_fresh_process(task: str, epochs: int | None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        command = [sys.executable, "-m", __name__, task, str(epochs or 0), str(report)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode or not report.exists():
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
            raise SeqlabError("a training failed", where=task, received="\n    ".join(lines[-8:]))
        content: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return content


def train_once(task: str, *, params: Params, epochs: int | None) -> dict[str, Any]:
    """Train a task and return its `weights`, a digest by variable, and its `history` without durations."""
    from seqlab.modeling.device import select_device

    section = params.task(task)
    if epochs is not None:
        training = section.training.model_copy(update={"epochs": min(epochs, section.training.epochs)})
        section = section.model_copy(update={"training": training})
    select_device(params.device, deterministic=section.training.deterministic)
    from seqlab.pipeline.training import train_task

    trained = train_task(Path("data/prepared") / task, task=section, seed=params.seed)
    weights = {
        f"{index} {variable.path}": hashlib.sha256(values.tobytes()).hexdigest()
        for index, (variable, values) in enumerate(
            zip(trained.tagger.weights, trained.tagger.get_weights(), strict=True)
        )
    }
    history = [
        {name: value for name, value in row.items() if name not in _MEASURED}
        for row in trained.result.history
    ]
    return {"weights": weights, "history": history}


if __name__ == "__main__":
    name, number, target = sys.argv[1:]
    made = train_once(name, params=load_params(), epochs=int(number) or None)
    Path(target).write_text(json.dumps(made), encoding="utf-8")
