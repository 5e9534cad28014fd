"""Where runs are kept: one database at the repository's root, or a team's server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.errors import SeqlabError
from seqlab.tracking.client import (
    apply_settings,
    is_remote,
    mlflow_client,
    quiet_mlflow,
    root_cause,
    without_credentials,
)
from seqlab.tracking.locks import file_lock

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"
STATE = ".seqlab"

_SQLITE = "sqlite:///"


class StoreAwayError(SeqlabError):
    """The tracking server cannot be reached now; it may be later."""


def resolve_tracking_uri(root: Path) -> str:
    """The tracking URI that every stage uses, wherever it is started.

    MLFLOW_TRACKING_URI if it is set (a relative `sqlite:///` path counts from `root`, since queued
    experiments run in temporary folders), else the database `mlflow.db` in `root`.

    Args:
        root: the repository's root, not the folder that an experiment runs in.

    Raises:
        SeqlabError: MLFLOW_TRACKING_URI names a plain folder, which MLflow no longer writes to.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    if not uri:
        return _SQLITE + str(root.resolve() / DATABASE)
    if uri.startswith("file:") or ("://" not in uri and uri != "databricks"):
        raise SeqlabError(
            "a folder cannot hold runs",
            where="MLFLOW_TRACKING_URI",
            expected="http(s)://host:port, or a database such as sqlite:///mlflow.db",
            received=repr(uri),
            remedy="unset MLFLOW_TRACKING_URI to use the repository's own store",
        )
    if uri.startswith(_SQLITE):
        return _SQLITE + str(root.resolve() / uri.removeprefix(_SQLITE))
    return uri.rstrip("/")


def artifact_folder(root: Path, tracking_uri: str) -> Path | None:
    """Where artifacts lie: beside a SQLite database, in `root` for others, None if a server decides."""
    if is_remote(tracking_uri) or tracking_uri.startswith("databricks"):
        return None
    if tracking_uri.startswith(_SQLITE):
        return Path(tracking_uri.removeprefix(_SQLITE)).parent / ARTIFACTS
    return root.resolve() / ARTIFACTS


def prepare_store(root: Path, experiment: str) -> str:
    """Makes the store and the experiment if they are missing; safe when many processes come at once.

    A deleted experiment is restored. On a remote server the server is asked first (`check_server`).

    Args:
        root: the repository's root.
        experiment: the experiment's name, e.g. `seqlab-ner`.

    Returns:
        The experiment's id.

    Raises:
        StoreAwayError: the server is away.
        SeqlabError: the server refuses, the experiment cannot be restored, or the
            repository was moved after the experiment was made.
    """
    tracking_uri = resolve_tracking_uri(root)
    if is_remote(tracking_uri):
        check_server(tracking_uri)
    else:
        apply_settings()
    # MLflow's own set-up of a fresh database breaks when two processes do it together.
    with file_lock(root / STATE / "mlflow-store.lock"), quiet_mlflow():
        client = mlflow_client(tracking_uri)
        found = client.get_experiment_by_name(experiment)
        if found is None:
            return _create_experiment(client, experiment, artifact_folder(root, tracking_uri))
    if found.lifecycle_stage == "deleted":
        _restore_experiment(client, found)
    if not is_remote(tracking_uri):
        _check_not_moved(found, root, tracking_uri)
    return str(found.experiment_id)


def check_server(tracking_uri: str, *, timeout_s: float = 3.0) -> None:
    """Asks a tracking server for one experiment, without retries, so that its absence is known at once.

    Args:
        tracking_uri: `http(s)://...`; anything else needs no server and passes.
        timeout_s: seconds to wait for the connection, and again for the answer.

    Raises:
        StoreAwayError: nothing answers, or only with a failure (5xx).
        SeqlabError: what answers is no MLflow server, or it refuses the credentials.
    """
    if not is_remote(tracking_uri):
        return
    apply_settings()
    from mlflow.exceptions import MlflowException
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    address = without_credentials(tracking_uri)
    try:
        answer = http_request(
            get_default_host_creds(tracking_uri),
            "/api/2.0/mlflow/experiments/search",
            "GET",
            params={"max_results": 1},
            max_retries=0,
            timeout=timeout_s,
            raise_on_status=False,
        )
    except MlflowException as error:
        raise StoreAwayError(
            "the MLflow tracking server does not answer",
            where=address,
            received=root_cause(error),
            remedy="start the server, or unset MLFLOW_TRACKING_URI to use the repository's own store",
        ) from error
    if answer.status_code >= 500:
        raise StoreAwayError(
            "the MLflow tracking server is in trouble",
            where=address,
            received=f"HTTP {answer.status_code}",
            remedy="look at the server's log, or unset MLFLOW_TRACKING_URI to use the repository's own store",
        )
    if answer.status_code in (401, 403):
        raise SeqlabError(
            "the MLflow tracking server refuses access",
            where=address,
            received=f"HTTP {answer.status_code}",
            remedy="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or MLFLOW_TRACKING_TOKEN); "
            "a server that refuses the host name itself wants it in its --allowed-hosts",
        )
    if answer.status_code != 200 or "json" not in answer.headers.get("Content-Type", ""):
        raise SeqlabError(
            "this does not answer as an MLflow tracking server does",
            where=address,
            expected="HTTP 200 with JSON for a search of experiments",
            received=f"HTTP {answer.status_code}, {answer.headers.get('Content-Type', 'no content type')}",
            remedy="correct MLFLOW_TRACKING_URI, or unset it to use the repository's own store",
        )


def _create_experiment(client: MlflowClient, name: str, artifacts: Path | None) -> str:
    from mlflow.exceptions import MlflowException

    location = None
    if artifacts is not None:
        folder = artifacts / name
        folder.mkdir(parents=True, exist_ok=True)
        location = folder.as_uri()
    try:
        # Without the kind, MLflow's page first asks every visitor which kind of experiment this is.
        return str(
            client.create_experiment(
                name, artifact_location=location, tags={"mlflow.experimentKind": "custom_model_development"}
            )
        )
    except MlflowException as error:
        # On a server, a process on another machine may have been a moment quicker.
        made = client.get_experiment_by_name(name)
        if error.error_code != "RESOURCE_ALREADY_EXISTS" or made is None:
            raise
        return str(made.experiment_id)


def _restore_experiment(client: MlflowClient, experiment: Experiment) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.restore_experiment(experiment.experiment_id)
    except MlflowException as error:
        again: Any = client.get_experiment(experiment.experiment_id)
        if again.lifecycle_stage == "active":
            return
        raise SeqlabError(
            f"the MLflow experiment '{experiment.name}' was deleted and cannot be restored",
            received=root_cause(error),
            remedy=f"restore it with: mlflow experiments restore --experiment-id {experiment.experiment_id}",
        ) from error


def _check_not_moved(experiment: Experiment, root: Path, tracking_uri: str) -> None:
    """MLflow keeps absolute artifact paths; after a move it would write where the repository once was."""
    from mlflow.utils.file_utils import local_file_uri_to_path

    location = experiment.artifact_location
    folder = artifact_folder(root, tracking_uri)
    if folder is None or not location.startswith("file://"):
        return
    recorded = Path(local_file_uri_to_path(location))
    if not recorded.is_relative_to(folder) and not recorded.is_dir():
        raise SeqlabError(
            f"the MLflow experiment '{experiment.name}' keeps its artifacts where no folder is any more",
            where=without_credentials(tracking_uri),
            expected=f"a folder below {folder}",
            received=str(recorded),
            remedy=f"move the repository back, or put {DATABASE} aside (mv {DATABASE} {DATABASE}.old) "
            "and a new one is made",
        )
