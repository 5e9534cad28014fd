"""Writes to a run as plain data that can be stored as JSON and sent later, with keys and values made valid.

The key `kind` of an operation is a key of `OPERATIONS`; its other keys are the keyword arguments of that
function. Every operation is idempotent: sending it again changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

Operation = dict[str, Any]

# The lowest limits of the supported servers.
MAX_PARAM_LENGTH = 500
MAX_TAG_LENGTH = 5000
MAX_KEY_LENGTH = 250

# Limits of one request in MLflow's REST API.
_METRICS_PER_REQUEST = 1000
_PAIRS_PER_REQUEST = 100

_FORBIDDEN = re.compile(r"[^\w\-. :/]", re.ASCII)


def safe_key(key: str) -> str:
    """Return a key that MLflow accepts. Distinct keys stay distinct.

    Forbidden characters become `_uXX_` with their hexadecimal code point (a tag named `$` becomes `_u24_`),
    and so do the dots of a part that contains nothing else, which MLflow would resolve as a folder.
    """
    parts = key.split("/")
    pattern = {part: _FORBIDDEN if part.strip(".") else re.compile(r"\.") for part in parts}
    safe = "/".join(pattern[part].sub(lambda match: f"_u{ord(match.group()):02x}_", part) for part in parts)
    if not all(parts) or len(safe) > MAX_KEY_LENGTH:
        raise ValueError(f"invalid MLflow key (an empty part, or over {MAX_KEY_LENGTH} characters): {key!r}")
    return safe


def flatten(values: Mapping[str, Any], *, separator: str) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested mappings with joined keys: `{"a": {"b": 1}}` yields `("a.b", 1)`."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            for inner_key, leaf in flatten(value, separator=separator):
                yield f"{key}{separator}{inner_key}", leaf
        else:
            yield str(key), value


def param_text(value: Any) -> str:
    """Return strings unchanged and everything else as JSON (`true`, `null`, `[1, 2]`)."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def shorten(text: str, max_length: int) -> str:
    """Truncate a text longer than `max_length`, and append its original length."""
    if len(text) <= max_length:
        return text
    ending = f"... ({len(text)} characters)"
    return text[: max_length - len(ending)] + ending


def apply_operation(client: MlflowClient, run_id: str, operation: Operation) -> str | None:
    """Send one operation. Returns the logged model's id for `model`, else None."""
    arguments = dict(operation)
    return OPERATIONS[arguments.pop("kind")](client, run_id, **arguments)


def _log_batch(
    client: MlflowClient,
    run_id: str,
    *,
    metrics: Sequence[tuple[str, float, int, int]] = (),
    params: Sequence[tuple[str, str]] = (),
    tags: Sequence[tuple[str, str]] = (),
) -> None:
    """Log metrics as `(key, value, timestamp_ms, step)`, and parameters and tags as `(key, value)`."""
    from mlflow.entities import Metric, Param, RunTag

    for entity, name, rows, size in (
        (Metric, "metrics", metrics, _METRICS_PER_REQUEST),
        (Param, "params", params, _PAIRS_PER_REQUEST),
        (RunTag, "tags", tags, _PAIRS_PER_REQUEST),
    ):
        for start in range(0, len(rows), size):
            client.log_batch(run_id, **{name: [entity(*row) for row in rows[start : start + size]]})


def _delete_tag(client: MlflowClient, run_id: str, *, key: str) -> None:
    if key in client.get_run(run_id).data.tags:
        client.delete_tag(run_id, key)


def _log_text(client: MlflowClient, run_id: str, *, text: str, name: str) -> None:
    client.log_text(run_id, text, name)


def _log_artifact(client: MlflowClient, run_id: str, *, file: str, artifact_path: str) -> None:
    """Log a file into the folder `artifact_path` of the run's artifacts."""
    client.log_artifact(run_id, file, artifact_path or None)


def _log_dataset(client: MlflowClient, run_id: str, *, context: str, **dataset: str) -> None:
    """Log `name`, `digest`, `source_type`, `source` and `profile` as an input of the run."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    tag = InputTag("mlflow.data.context", context)
    client.log_inputs(run_id, [DatasetInput(Dataset(**dataset), [tag])])


def _log_model(
    client: MlflowClient,
    run_id: str,
    *,
    file: str,
    name: str,
    tags: Mapping[str, str],
    metrics: Sequence[str],
) -> str:
    """Log a saved model's folder `file` under `name`, with the run's last values of `metrics`.

    The model's id is recorded in the folder, so that sending the folder again updates the same model.
    """
    from mlflow.entities import LoggedModelOutput, Metric
    from mlflow.models import Model

    run, saved = client.get_run(run_id), Model.load(file)
    if saved.model_id:
        logged = client.get_logged_model(saved.model_id)
    else:
        experiment_id = run.info.experiment_id
        # A model is pending if the connection broke before its id could be recorded.
        pending = [
            model
            for model in client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
            if model.name == name and model.status == "PENDING"
        ]
        logged = pending[0] if pending else client.create_logged_model(experiment_id, name, run_id, tags=tags)
        saved.model_id = saved.model_uuid = logged.model_id
        saved.run_id, saved.artifact_path = run_id, logged.artifact_location
        saved.save(str(Path(file) / "MLmodel"))
    if logged.model_id not in {output.model_id for output in run.outputs.model_outputs}:
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    client.log_model_artifacts(logged.model_id, file)
    client.finalize_logged_model(logged.model_id, "READY")
    # With the run's own timestamps and steps, MLflow adds no points to the run's metrics.
    last = [client.get_metric_history(run_id, key)[-1] for key in metrics]
    linked = [Metric(m.key, m.value, m.timestamp, m.step, model_id=logged.model_id) for m in last]
    client.log_batch(run_id, metrics=linked)
    return str(logged.model_id)


def _set_status(client: MlflowClient, run_id: str, *, status: str, end_time_ms: int | None = None) -> None:
    """Set the status, and the end time unless it is None."""
    if end_time_ms is None:
        client.update_run(run_id, status=status)
    else:
        client.set_terminated(run_id, status=status, end_time=end_time_ms)


OPERATIONS: dict[str, Callable[..., str | None]] = {
    "batch": _log_batch,
    "delete_tag": _delete_tag,
    "text": _log_text,
    "artifact": _log_artifact,
    "dataset": _log_dataset,
    "model": _log_model,
    "status": _set_status,
}
