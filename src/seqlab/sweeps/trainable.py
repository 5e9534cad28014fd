"""A trial on a worker of Ray: the training of the train stage, which reports each epoch to Ray Tune."""

from __future__ import annotations

import logging
import os
import queue
import shutil
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune

from seqlab.errors import SeqlabError
from seqlab.params_file import parse_params_text
from seqlab.pipeline.record import TrialRecord
from seqlab.pipeline.recorded_training import train_and_record
from seqlab.sweeps.data import PREPARED, unpack

logger = logging.getLogger(__name__)

SCORE, EPOCH = "score", "epoch"

_STOP_TIMEOUT_S = 60


class StoppedError(KeyboardInterrupt):
    """The sweep stops this trial: its run ends as KILLED."""


@dataclass(frozen=True)
class Shared:
    """What all trials of a sweep have in common.

    Args:
        root: the repository's root on the machine that runs the sweep.
        folder: the sweep's folder there.
        task: the task's name.
        metric: the dev score.
        mode: `max` or `min`.
        cpus: threads of TensorFlow.
        gpus: GPUs, also parts of one.
        tracking_uri: the MLflow store.
        archives: the name of the Ray actor from which machines get prepared data that do not see `folder`.
    """

    root: Path
    folder: Path
    task: str
    metric: str
    mode: str
    cpus: int
    gpus: float
    tracking_uri: str
    archives: str


@dataclass(frozen=True)
class Job:
    """One trial: parameters as the text of a params.yaml, the key of its data, and what its run says."""

    number: int
    params_text: str
    data_key: str
    record: TrialRecord


class TrialTrainable(tune.Trainable):
    """Trains in a thread; each step of Ray Tune waits for one epoch.

    A trial that is stopped can so end its run itself, and the process, which has imported TensorFlow, trains
    the next trial. Errors of the training end the trial, not the process: Ray repeats trials whose process or
    machine was lost, and those alone.
    """

    def setup(self, config: dict[str, Any], shared: Shared | None = None) -> None:
        assert shared is not None
        self._shared, self._job = shared, config["job"]
        os.environ["MLFLOW_TRACKING_URI"] = shared.tracking_uri
        # TensorFlow reads these when it is imported.
        os.environ.update(TF_NUM_INTRAOP_THREADS=str(shared.cpus), TF_NUM_INTEROP_THREADS="1")
        if 0 < shared.gpus < 1:
            os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
        self._start()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.cleanup()
        former, self._job = self._process_settings(), new_config["job"]
        if self._process_settings() != former:
            return False
        import keras

        keras.backend.clear_session()
        self._start()
        return True

    def _process_settings(self) -> tuple[Any, ...]:
        """Return the parameters that TensorFlow cannot change once it computes."""
        params = parse_params_text(self._job.params_text, where="params.yaml")
        return params.device, params.task(self._shared.task).training.deterministic

    def step(self) -> dict[str, Any]:
        """Return the next epoch, or the end of the training."""
        self._may_go_on.set()
        return self._results.get()

    def cleanup(self) -> None:
        self._is_stopped = True
        self._may_go_on.set()
        self._thread.join(_STOP_TIMEOUT_S)

    def _start(self) -> None:
        self._results: queue.Queue[dict[str, Any]] = queue.Queue()
        self._may_go_on = threading.Event()
        self._is_stopped = False
        self._best: float | None = None
        self._run_id = ""
        self._thread = threading.Thread(target=self._train, daemon=True)
        self._thread.start()

    def _train(self) -> None:
        try:
            self._may_go_on.wait()
            summary = train_in(self._job, self._shared, on_run=self._note_run, on_epoch=self._report)
            scores = {SCORE: summary["dev"][self._shared.metric], EPOCH: summary["epochs"]}
            self._results.put({**scores, "end": "finished", "run_id": self._run_id, "done": True})
        except StoppedError:
            return
        except BaseException as error:
            logger.exception("trial %d failed", self._job.number)
            text = str(error) if isinstance(error, SeqlabError) else f"{type(error).__name__}: {error}"
            self._results.put({"end": "failed", "error": text, "run_id": self._run_id, "done": True})

    def _note_run(self, run_id: str) -> None:
        self._run_id = run_id

    def _report(self, row: Mapping[str, float]) -> None:
        """Report an epoch, and wait until the sweep has decided whether the trial goes on."""
        score, better = row[self._shared.metric], max if self._shared.mode == "max" else min
        self._best = score if self._best is None else better(self._best, score)
        self._may_go_on.clear()
        self._results.put({SCORE: self._best, EPOCH: int(row["epoch"]), "run_id": self._run_id})
        self._may_go_on.wait()
        if self._is_stopped:
            raise StoppedError(f"stopped early by the sweep after epoch {row['epoch']:.0f}")


def train_in(job: Job, shared: Shared, **reports: Any) -> dict[str, Any]:
    """Train a trial in the sweep's folder, or in a temporary one if this machine does not see it.

    Returns:
        The summary of the training.

    Raises:
        SeqlabError: as `train_and_record`.
    """
    params = parse_params_text(job.params_text, where="params.yaml")
    is_shared = shared.folder.exists()
    folder = shared.folder if is_shared else Path(tempfile.mkdtemp(prefix="seqlab-sweep-"))
    prepared, trial = folder / "data" / job.data_key / PREPARED, folder / "trials" / str(job.number)
    try:
        if not is_shared:
            import ray

            unpack(ray.get(ray.get_actor(shared.archives).get.remote(job.data_key)), prepared)
        summary = train_and_record(
            shared.task,
            params=params,
            root=shared.root if is_shared else folder,
            prepared=prepared,
            models=trial / "model",
            metrics=trial / "metrics",
            trial=job.record,
            state=trial,
            **reports,
        )
    finally:
        if not is_shared:
            shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(trial / ".seqlab", ignore_errors=True)
    return summary
