"""The status of a run whose process is stopped or killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seqlab.tracking.client import mlflow_client
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.store import prepare_store, resolve_tracking_uri

SOURCE = Path(__file__).parents[2] / "src"

# As stages/train.py, with a training that never ends.
STAGE = """
import signal, sys
from pathlib import Path
from seqlab.stages import run_stage
from seqlab.tracking.run import TrackedRun

def train(task):
    with TrackedRun.start(root=Path.cwd(), experiment=f"seqlab-{task}", run_name="a") as run:
        run.log_metrics({"train/loss": 1}, step=1)
        run.flush()
        print(run.run_id, flush=True)
        while True:
            signal.pause()

sys.exit(run_stage(train, "task"))
"""


FAILING_STAGE = """
import sys
from pathlib import Path
from seqlab.stages import run_stage
from seqlab.tracking.run import TrackedRun

def train(task):
    with TrackedRun.start(root=Path.cwd(), experiment=f"seqlab-{task}", run_name="a"):
        address = "HTTP://name:sword" + "fish@host"
        try:
            raise ConnectionError(f"no answer from {address}")
        except ConnectionError as error:
            raise RuntimeError(f"user name, {'sword' + 'fish'}") from error

sys.exit(run_stage(train, "task"))
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("database")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        prepare_store(root, "seqlab-pos")
    return root / "mlflow.db"


@pytest.fixture
def root(tmp_path: Path, database: Path) -> Path:
    shutil.copy(database, tmp_path / "mlflow.db")
    return tmp_path


def train_until(number: int, root: Path, python: Path | str = sys.executable) -> tuple[str, int, str]:
    """Start the stage and send it a signal in mid-training; return the run id, exit status and stderr."""
    process = subprocess.Popen(
        [str(python), "-c", STAGE, "ner"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job ignores Ctrl-C, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    return run_id, process.returncode, errors


def stored(root: Path, run_id: str) -> Any:
    return mlflow_client(resolve_tracking_uri(root)).get_run(run_id)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_as_killed(number: signal.Signals, status: int, root: Path, warm: Path) -> None:
    run_id, returned, errors = train_until(number, root, warm)
    assert errors == f"train ner was stopped by {number.name}; `dvc repro` runs it again\n"
    assert returned == status
    run = stored(root, run_id)
    assert (run.info.status, run.data.metrics) == ("KILLED", {"train/loss": 1.0})
    assert run.info.end_time is not None


def test_the_run_of_a_killed_process_is_ended_by_the_next_training(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with TrackedRun.start(root=root, experiment="seqlab-ner", run_name="still open") as still_open:
        run_id, returned, _ = train_until(signal.SIGKILL, root)
        assert returned == -signal.SIGKILL
        assert stored(root, run_id).info.status == "RUNNING"
        with TrackedRun.start(root=root, experiment="seqlab-pos", run_name="another task"):
            assert stored(root, run_id).info.status == "RUNNING"
        with TrackedRun.start(root=root, experiment="seqlab-ner", run_name="next"):
            run = stored(root, run_id)
            still_open.flush()
            assert stored(root, still_open.run_id).info.status == "RUNNING"
    assert run.info.status == "KILLED"
    (point,) = mlflow_client(resolve_tracking_uri(root)).get_metric_history(run_id, "train/loss")
    assert run.info.start_time < point.timestamp <= run.info.end_time
    assert run.data.tags["error"].startswith("the process was killed")
    assert f"MLflow run {run_id} of a killed process was RUNNING and is set to KILLED" in caplog.text
    assert list((root / ".seqlab" / "open-runs").iterdir()) == []


def test_a_failure_shows_no_credentials_anywhere(root: Path, warm: Path) -> None:
    done = subprocess.run(
        [str(warm), "-c", FAILING_STAGE, "ner"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "MLFLOW_TRACKING_PASSWORD": "swordfish"},
        capture_output=True,
        text=True,
    )
    assert "ConnectionError: no answer from HTTP://host\n" in done.stderr
    assert "RuntimeError: user name, ***\n" in done.stderr
    client = mlflow_client(resolve_tracking_uri(root))
    (experiment,) = client.search_experiments(filter_string="name = 'seqlab-ner'")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "user name, ***")
    files = [path for path in root.rglob("*") if path.is_file()]
    assert "error.txt" in {path.name for path in files}
    assert not any(b"swordfish" in path.read_bytes() for path in files)
    assert "swordfish" not in done.stdout + done.stderr
