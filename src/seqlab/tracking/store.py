"""Where runs are stored: in a database in the repository's root, or on a team's server."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from seqlab.errors import SeqlabError
from seqlab.tracking.client import (
    apply_settings,
    is_connection_failure,
    is_remote,
    mlflow_client,
    quiet_mlflow,
    remove_credentials,
    root_cause,
    without_credentials,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"
STATE = ".seqlab"

_SQLITE = "sqlite:///"
_USE_OWN_STORE = "unset MLFLOW_TRACKING_URI to use the repository's own store"


class StoreAwayError(SeqlabError):
    """The tracking store cannot be reached at the moment."""


def resolve_tracking_uri(root: Path) -> str:
    """Return MLFLOW_TRACKING_URI if set, else the database `mlflow.db` in the repository's root.

    A relative `sqlite:///` path is relative to `root`, because queued experiments run in temporary folders.

    Raises:
        SeqlabError: MLFLOW_TRACKING_URI is a plain folder, which MLflow no longer writes to.
    """
    scheme, separator, rest = os.environ.get("MLFLOW_TRACKING_URI", "").strip().partition("://")
    uri = scheme.lower() + separator + rest if separator else scheme
    if not uri:
        return _SQLITE + str(root.resolve() / DATABASE)
    if uri.startswith("file:") or (not separator and uri != "databricks"):
        raise SeqlabError(
            "MLflow cannot store runs in a folder",
            where="MLFLOW_TRACKING_URI",
            expected="http(s)://host:port, or a database such as sqlite:///mlflow.db",
            received=repr(without_credentials(uri)),
            remedy=_USE_OWN_STORE,
        )
    if uri.startswith(_SQLITE):
        return _SQLITE + str(root.resolve() / uri.removeprefix(_SQLITE))
    return uri.rstrip("/")


def artifact_folder(root: Path, tracking_uri: str) -> Path | None:
    """Return the artifact folder: beside a SQLite database, in `root` for others, None for a server."""
    if is_remote(tracking_uri) or tracking_uri.startswith("databricks"):
        return None
    if tracking_uri.startswith(_SQLITE):
        return Path(tracking_uri.removeprefix(_SQLITE)).parent / ARTIFACTS
    return root.resolve() / ARTIFACTS


@contextmanager
def store_errors(tracking_uri: str) -> Iterator[None]:
    """Raise connection failures as `StoreAwayError`, and remove credentials from the messages of errors."""
    try:
        yield
    except Exception as error:
        remove_credentials(error)
        if isinstance(error, SeqlabError) or not is_connection_failure(error):
            raise
        away = (
            "start the server" if is_remote(tracking_uri) else "wait until no other process uses the database"
        )
        raise StoreAwayError(
            "the MLflow tracking store cannot be reached",
            where=without_credentials(tracking_uri),
            received=root_cause(error),
            remedy=f"{away}, or {_USE_OWN_STORE}",
        ) from error


def prepare_store(root: Path, experiment: str) -> str:
    """Return the experiment's id; create the store and the experiment if they do not exist.

    A deleted experiment is restored. Processes may call this concurrently.

    Raises:
        StoreAwayError: the store cannot be reached.
        SeqlabError: the server denies access, or the repository was moved after the experiment was created.
    """
    tracking_uri = resolve_tracking_uri(root)
    check_server(tracking_uri)
    folder = artifact_folder(root, tracking_uri)
    # MLflow's migrations of a new database fail if two processes run them at once.
    lock = file_lock(root / STATE / "mlflow-store.lock")
    with store_errors(tracking_uri), lock, quiet_mlflow():
        client = mlflow_client(tracking_uri)
        found = client.get_experiment_by_name(experiment)
        if found is None:
            return _create_experiment(client, experiment, folder)
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
    _check_not_moved(found, folder)
    return str(found.experiment_id)


def check_server(tracking_uri: str, *, timeout_s: float = 3.0) -> None:
    """Send one small request to a remote store without retries, so that an outage is detected quickly.

    Raises:
        StoreAwayError: there is no response, or its status is 408, 429 or 5xx.
        SeqlabError: the response is not that of an MLflow server, or access is denied.
    """
    if not is_remote(tracking_uri):
        return
    apply_settings()
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    credentials, path = get_default_host_creds(tracking_uri), "/api/2.0/mlflow/experiments/search"
    options = {"params": {"max_results": 1}, "max_retries": 0, "timeout": timeout_s}
    with store_errors(tracking_uri):
        response = http_request(credentials, path, "GET", raise_on_status=False, **options)
    status, content_type = response.status_code, response.headers.get("Content-Type", "no content type")
    if status == 200 and "json" in content_type:
        return
    kind: type[SeqlabError] = SeqlabError
    if status in (408, 429) or status >= 500:
        kind, what = StoreAwayError, "the MLflow tracking server is overloaded or has an internal error"
        remedy = f"look at the server's log, or {_USE_OWN_STORE}"
    elif status in (401, 403):
        what = "the MLflow tracking server denies access"
        remedy = (
            "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or MLFLOW_TRACKING_TOKEN); "
            "if the server rejects the host name, add it to the server's --allowed-hosts"
        )
    else:
        what = "this is not an MLflow tracking server"
        remedy = f"correct MLFLOW_TRACKING_URI, or {_USE_OWN_STORE}"
    raise kind(
        what,
        where=without_credentials(tracking_uri),
        expected="HTTP 200 with JSON for a search of experiments",
        received=f"HTTP {status}, {content_type}",
        remedy=remedy,
    )


@contextmanager
def file_lock(path: Path, *, timeout_s: float = 120.0) -> Iterator[None]:
    """Hold an exclusive lock on `path`. The system releases it when the process ends, even if killed.

    Raises:
        SeqlabError: another process has held the lock for `timeout_s` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    with path.open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    remedy = "wait for the other process or end it, then try again"
                    what = f"another process has held this lock for {timeout_s:g} s"
                    raise SeqlabError(what, where=str(path), remedy=remedy) from error
                time.sleep(0.05)
        yield


def _create_experiment(client: MlflowClient, name: str, artifacts: Path | None) -> str:
    from mlflow.exceptions import MlflowException

    location = None
    if artifacts is not None:
        (artifacts / name).mkdir(parents=True, exist_ok=True)
        location = (artifacts / name).as_uri()
    # Without this tag, MLflow's UI asks every visitor for the kind of the experiment.
    tags = {"mlflow.experimentKind": "custom_model_development"}
    try:
        return str(client.create_experiment(name, artifact_location=location, tags=tags))
    except MlflowException as error:
        # A process on another machine may have created it on the same server in the meantime.
        existing = client.get_experiment_by_name(name)
        if error.error_code != "RESOURCE_ALREADY_EXISTS" or existing is None:
            raise
        return str(existing.experiment_id)


def _check_not_moved(experiment: Experiment, folder: Path | None) -> None:
    """Check the absolute artifact path that MLflow has recorded: it is wrong after the repository moved."""
    from mlflow.utils.file_utils import local_file_uri_to_path

    if folder is None or not experiment.artifact_location.startswith("file://"):
        return
    recorded = Path(local_file_uri_to_path(experiment.artifact_location))
    if not recorded.is_relative_to(folder) and not recorded.is_dir():
        raise SeqlabError(
            f"the artifact folder of the MLflow experiment '{experiment.name}' no longer exists",
            expected=f"a folder below {folder}",
            received=str(recorded),
            remedy="move the repository back to its old path, or rename the database to start a new one "
            f"(mv {DATABASE} {DATABASE}.old)",
        )
