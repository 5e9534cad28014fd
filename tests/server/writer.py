"""Write runs with metrics, an artifact and a registered model, as trainings do: writer.py ROOT RUNS EPOCHS.

RUNS processes start at the same time, after a line on standard input.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from mlflow.models import Model

from seqlab.tracking.client import mlflow_client
from seqlab.tracking.registry import register_candidate
from seqlab.tracking.run import TrackedRun


def write(root: Path, epochs: int) -> None:
    folder = root / "model"
    folder.mkdir(parents=True)
    (folder / "weights").write_text(root.name, encoding="utf-8")
    Model().save(str(folder / "MLmodel"))
    with TrackedRun.start(root=root, experiment="seqlab-shared", run_name=root.name) as run:
        run.log_params({"seed": root.name})
        for epoch in range(1, epochs + 1):
            run.log_metrics({"train/loss": 1 / epoch, "dev/span_f1": epoch / 100}, step=epoch)
        run.log_metrics({"best_dev/span_f1": epochs / 100})
        run.log_bytes(root.name.encode(), "note.txt")
        model_id = run.log_model_folder(folder, name="shared", tags={}, metrics=["best_dev/span_f1"])
        assert model_id is not None
        register_candidate(root, name="seqlab-shared", model_id=model_id, run_id=run.run_id)
    run.save(root / "run.json")


def main(root: Path, runs: int, epochs: int) -> int:
    mlflow_client("sqlite:///")  # imports MLflow once for all processes
    print("ready", flush=True)
    sys.stdin.readline()
    children = []
    for number in range(runs):
        if not (child := os.fork()):
            try:
                write(root / f"{root.name}-{number}", epochs)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        children.append(child)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
