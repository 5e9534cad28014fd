"""Writes to a run as plain data, so that one can be sent now, or kept and sent later.

An operation is a dict that JSON can hold; its `kind` says what it does and which keys it has:

* `batch`: `metrics` as `[key, value, timestamp_ms, step]`, `params` and `tags` as `[key, value]`;
* `delete_tag`: `key`;
* `artifact`: `file` (a file or a folder) goes to `artifact_path`, the folder in the run's artifacts;
* `dataset`: `name`, `digest`, `source_type`, `source`, `profile`, `context`;
* `model`: `file` is a saved MLflow model's folder, logged under `name` with `params` and `tags`, and
  with the run's last values of `metrics`;
* `status`: `status`, and `end_time_ms` where it is to be changed.

Sent twice, every operation leaves what it leaves when sent once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

Operation = dict[str, Any]

# What one request may hold, as MLflow's REST API has it.
_METRICS_PER_REQUEST = 1000
_PAIRS_PER_REQUEST = 100


def apply_operation(client: MlflowClient, run_id: str, operation: Operation, files: Path) -> str | None:
    """Sends one operation.

    Args:
        client: a client of the run's store.
        run_id: the run that is written to.
        operation: see the module's docstring.
        files: the folder that a relative `file` counts from.

    Returns:
        The logged model's id for `model`, else None.
    """
    kind = operation["kind"]
    if kind == "batch":
        _send_batch(client, run_id, operation)
    elif kind == "delete_tag":
        if operation["key"] in client.get_run(run_id).data.tags:
            client.delete_tag(run_id, operation["key"])
    elif kind == "artifact":
        source, target = files / operation["file"], operation["artifact_path"] or None
        if source.is_dir():
            client.log_artifacts(run_id, str(source), target)
        else:
            client.log_artifact(run_id, str(source), target)
    elif kind == "dataset":
        _send_dataset(client, run_id, operation)
    elif kind == "model":
        return _send_model(client, run_id, operation, files / operation["file"])
    elif kind == "status":
        if operation.get("end_time_ms") is None:
            client.update_run(run_id, status=operation["status"])
        else:
            client.set_terminated(run_id, status=operation["status"], end_time=operation["end_time_ms"])
    else:
        raise ValueError(f"unknown kind of operation: {kind!r}")
    return None


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _send_batch(client: MlflowClient, run_id: str, operation: Operation) -> None:
    from mlflow.entities import Metric, Param, RunTag

    metrics = [Metric(key, value, timestamp, step) for key, value, timestamp, step in operation["metrics"]]
    params = [Param(key, value) for key, value in operation["params"]]
    tags = [RunTag(key, value) for key, value in operation["tags"]]
    if len(metrics) + len(params) + len(tags) <= _PAIRS_PER_REQUEST:
        client.log_batch(run_id, metrics=metrics, params=params, tags=tags)
        return
    for some in _chunks(metrics, _METRICS_PER_REQUEST):
        client.log_batch(run_id, metrics=some)
    for some in _chunks(params, _PAIRS_PER_REQUEST):
        client.log_batch(run_id, params=some)
    for some in _chunks(tags, _PAIRS_PER_REQUEST):
        client.log_batch(run_id, tags=some)


def _send_dataset(client: MlflowClient, run_id: str, operation: Operation) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    keys = ("name", "digest", "source_type", "source", "profile")
    dataset = Dataset(**{key: operation[key] for key in keys})
    context = InputTag("mlflow.data.context", operation["context"])
    client.log_inputs(run_id, [DatasetInput(dataset, [context])])


def _send_model(client: MlflowClient, run_id: str, operation: Operation, folder: Path) -> str:
    from mlflow.entities import LoggedModelOutput, Metric
    from mlflow.models import Model

    run, name = client.get_run(run_id), operation["name"]
    experiment_id = run.info.experiment_id
    unfinished = [
        model
        for model in client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
        if model.name == name and model.status == "PENDING"
    ]
    logged = (
        unfinished[0]
        if unfinished
        else client.create_logged_model(
            experiment_id, name, run_id, tags=operation["tags"], params=operation["params"]
        )
    )
    if logged.model_id not in {output.model_id for output in run.outputs.model_outputs}:
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    saved = Model.load(str(folder))
    saved.model_id = saved.model_uuid = logged.model_id
    saved.run_id, saved.artifact_path = run_id, logged.artifact_location
    saved.save(str(folder / "MLmodel"))
    client.log_model_artifacts(logged.model_id, str(folder))
    client.finalize_logged_model(logged.model_id, "READY")
    # Values with the run's own time and step are the same points there, and no new ones.
    last = [client.get_metric_history(run_id, key)[-1] for key in operation["metrics"]]
    linked = [Metric(m.key, m.value, m.timestamp, m.step, model_id=logged.model_id) for m in last]
    client.log_batch(run_id, metrics=linked)
    return str(logged.model_id)
