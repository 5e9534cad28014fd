"""Runs of the store, read."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.errors import SeqlabError
from seqlab.tracking.client import mlflow_client, quiet_mlflow
from seqlab.tracking.registry import get_model_version, split_model_reference
from seqlab.tracking.run import REPLACEMENT_TAG
from seqlab.tracking.store import resolve_tracking_uri, store_errors

if TYPE_CHECKING:
    from mlflow.entities import Run

RUN_ID = re.compile(r"[0-9a-f]{4,32}")

_SQLITE = "sqlite:///"


@dataclass(frozen=True)
class PastRun:
    """A run as the store has it; parameters are texts, as MLflow keeps them."""

    run_id: str
    name: str
    status: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    duration_s: float | None


def find_run(root: Path, run_id: str) -> PastRun | None:
    """Return the run whose id is, or starts with, `run_id`; None if there is none.

    Raises:
        SeqlabError: the ids of several runs start with `run_id`, or the store cannot be used.
    """
    uri = resolve_tracking_uri(root)
    if not RUN_ID.fullmatch(run_id) or _is_missing_database(uri):
        return None
    is_whole = len(run_id) == 32
    condition = f"= '{run_id}'" if is_whole else f"LIKE '{run_id}%'"
    found = _search(uri, f"attributes.run_id {condition}", max_results=5)
    if len(found) > 1:
        raise SeqlabError(
            "the ids of several runs start with this text",
            where=run_id,
            received=", ".join(run.info.run_id for run in found),
            remedy="give more characters of the id",
        )
    return _past_run(found[0]) if found else None


def find_replacement(root: Path, run_id: str) -> PastRun | None:
    """Return the run that replaces a run of another store (see `TrackedRun.resume`); None if none does."""
    uri = resolve_tracking_uri(root)
    if _is_missing_database(uri):
        return None
    found = _search(uri, f"tags.{REPLACEMENT_TAG} = '{run_id}'", max_results=1)
    return _past_run(found[0]) if found else None


def find_experiment_runs(root: Path, name: str) -> list[PastRun]:
    """Return the runs of the DVC experiment with this name, newest first."""
    uri = resolve_tracking_uri(root)
    if _is_missing_database(uri) or "'" in name:
        return []
    found = _search(uri, f"tags.`dvc.exp_name` = '{name}'", order_by=["attributes.start_time DESC"])
    return [_past_run(run) for run in found]


def find_model_run(root: Path, reference: str) -> PastRun | None:
    """Return the run of a registered model, `models:/NAME/VERSION` or `models:/NAME@ALIAS`."""
    from mlflow.exceptions import MlflowException

    uri = resolve_tracking_uri(root)
    if _is_missing_database(uri):
        return None
    client = mlflow_client(uri)
    name, version = split_model_reference(reference)
    with store_errors(uri), quiet_mlflow():
        try:
            if version:
                run_id = get_model_version(client, name, version).run_id
            else:
                run_id = client.get_logged_model(name).source_run_id
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            return None
    return find_run(root, run_id) if run_id else None


def read_artifact(root: Path, run_id: str, name: str) -> bytes | None:
    """Return the content of a run's artifact; None if the run has no such artifact."""
    from mlflow.exceptions import MlflowException

    uri = resolve_tracking_uri(root)
    client = mlflow_client(uri)
    folder = name.rpartition("/")[0] or None
    with store_errors(uri), quiet_mlflow(), tempfile.TemporaryDirectory() as scratch:
        try:
            if name not in {file.path for file in client.list_artifacts(run_id, folder)}:
                return None
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return Path(client.download_artifacts(run_id, name, scratch)).read_bytes()


def _search(uri: str, condition: str, **options: Any) -> list[Run]:
    """Return the runs of all experiments that satisfy a condition of MLflow's search syntax."""
    client = mlflow_client(uri)
    with store_errors(uri), quiet_mlflow():
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(client.search_runs(experiments, condition, **options))


def _is_missing_database(uri: str) -> bool:
    """Return whether the store is a SQLite file that does not exist, which reading would create."""
    return uri.startswith(_SQLITE) and not Path(uri.removeprefix(_SQLITE)).exists()


def _past_run(run: Run) -> PastRun:
    start, end = run.info.start_time, run.info.end_time
    return PastRun(
        run_id=run.info.run_id,
        name=run.info.run_name,
        status=run.info.status,
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        metrics=dict(run.data.metrics),
        duration_s=None if end is None else (end - start) / 1000,
    )
