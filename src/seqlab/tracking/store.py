"""Where runs are stored: in a database in the repository's root, or on a team's server."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from seqlab.credentials import remove_credentials, without_credentials
from seqlab.errors import SeqlabError, no_space_error
from seqlab.locks import file_lock
from seqlab.tracking.client import (
    apply_settings,
    is_access_denied,
    is_connection_failure,
    is_remote,
    mlflow_client,
    quiet_mlflow,
    root_cause,
)
from seqlab.tracking.relocation import relocate_artifacts

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

logger = logging.getLogger(__name__)

DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"
STATE = ".seqlab"

_CONNECT_TIMEOUT_S = 3.0

_SQLITE = "sqlite:///"

_EXPERIMENT_TAGS = {
    # Without this tag, MLflow's UI asks every visitor for the kind of the experiment.
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": (
        "One run for each training. Metrics: `train/` and `dev/` by epoch, `best_dev/` of the epoch that was "
        "kept, `test/`. Dataset, parameters and the tags `git.*` and `dvc.*` say what it was made from; "
        "`seqlab reproduce RUN_ID` makes it again. `errors.html` shows every error in its sentence."
    ),
}
_USE_OWN_STORE = "unset MLFLOW_TRACKING_URI to use the repository's own store"


class StoreAwayError(SeqlabError):
    """The tracking store cannot be reached at the moment."""


def experiment_name(task: str) -> str:
    """Return the name of the experiment of a task's runs, and of its registered model."""
    return f"seqlab-{task}"


def resolve_tracking_uri(root: Path) -> str:
    """Return MLFLOW_TRACKING_URI if set, else the database `mlflow.db` in the repository's root.

    A relative `sqlite:///` path is relative to `root`, because queued experiments run in temporary folders.

    Raises:
        SeqlabError: MLFLOW_TRACKING_URI is an invalid address, or a folder, which MLflow no longer writes to.
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
    if is_remote(uri) and (problem := _address_problem(uri)):
        raise SeqlabError(
            f"not the address of an MLflow server: {problem}",
            where="MLFLOW_TRACKING_URI",
            expected="http(s)://host:port; in a user name or password, / ? # @ and : are percent-encoded",
            received=repr(without_credentials(uri)),
            remedy=f"correct the address, or {_USE_OWN_STORE}",
        )
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
    """Remove credentials from errors, and raise connection failures as `StoreAwayError`.

    Raises:
        SeqlabError: the server denied access.
    """
    try:
        yield
    except Exception as error:
        remove_credentials(error)
        if is_access_denied(error):
            raise _access_denied(tracking_uri, received=root_cause(error)) from error
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

    An experiment without a kind or a description gets them.
    If the repository was copied or moved with its database, artifacts are in the copy from then on. A deleted
    experiment is restored. Processes may call this concurrently.

    Raises:
        StoreAwayError: the store cannot be reached.
        SeqlabError: the store cannot be used, the server denies access, or the experiment's artifact folder,
            which another program made, no longer exists.
    """
    tracking_uri = resolve_tracking_uri(root)
    with usable_store(tracking_uri):
        return _prepare_store(root, experiment, tracking_uri)


def _prepare_store(root: Path, experiment: str, tracking_uri: str) -> str:
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
        for key in _EXPERIMENT_TAGS.keys() - found.tags.keys():
            client.set_experiment_tag(found.experiment_id, key, _EXPERIMENT_TAGS[key])
        if folder is not None:
            _follow_copy(found, folder, tracking_uri)
    return str(found.experiment_id)


def check_server(tracking_uri: str, *, timeout_s: float | None = None) -> None:
    """Send one small request to a remote store without retries, so that an outage is detected quickly.

    A connection may take 3 s; an answer, which many trainings that start at once delay, `timeout_s`, by
    default MLFLOW_HTTP_REQUEST_TIMEOUT.

    Raises:
        StoreAwayError: there is no response, or its status is 408, 429 or 5xx.
        SeqlabError: the response is not that of an MLflow server, or access is denied.
    """
    if not is_remote(tracking_uri):
        return
    apply_settings()
    from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_TIMEOUT
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    credentials, path = get_default_host_creds(tracking_uri), "/api/2.0/mlflow/experiments/search"
    timeouts_s = (_CONNECT_TIMEOUT_S, timeout_s or MLFLOW_HTTP_REQUEST_TIMEOUT.get())
    options = {"params": {"max_results": 1}, "max_retries": 0, "timeout": timeouts_s}
    with store_errors(tracking_uri):
        response = http_request(credentials, path, "GET", raise_on_status=False, **options)
    status, content_type = response.status_code, response.headers.get("Content-Type", "no content type")
    if status == 200 and "json" in content_type:
        return
    if status in (401, 403):
        raise _access_denied(tracking_uri, received=f"HTTP {status}, {content_type}")
    kind: type[SeqlabError] = SeqlabError
    if status in (408, 429) or status >= 500:
        kind, what = StoreAwayError, "the MLflow tracking server is overloaded or has an internal error"
        remedy = f"look at the server's log, or {_USE_OWN_STORE}"
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
def usable_store(tracking_uri: str) -> Iterator[None]:
    """Raise other errors, such as those for an unknown scheme or a missing driver, as `SeqlabError`."""
    try:
        yield
    except SeqlabError:
        raise
    except Exception as error:
        remove_credentials(error)
        if "disk is full" in (cause := root_cause(error)):  # SQLite's words
            raise no_space_error(without_credentials(tracking_uri), received=cause) from error
        raise SeqlabError(
            "the MLflow tracking store cannot be used",
            where=without_credentials(tracking_uri),
            expected="http(s)://host:port, or a database such as sqlite:///mlflow.db",
            received=without_credentials(" ".join(str(error).split()))[:300] or type(error).__name__,
            remedy=f"correct MLFLOW_TRACKING_URI, or {_USE_OWN_STORE}",
        ) from error


def _access_denied(tracking_uri: str, *, received: str) -> SeqlabError:
    return SeqlabError(
        "the MLflow tracking server denies access",
        where=without_credentials(tracking_uri),
        expected="HTTP 200 with JSON",
        received=received,
        remedy="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or MLFLOW_TRACKING_TOKEN); "
        "if the server rejects the host name, add it to the server's --allowed-hosts",
    )


def _address_problem(uri: str) -> str:
    """Say what is wrong with an HTTP address, without quoting it; empty if it is valid."""
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "its host or port is invalid"
    if not host:
        return "it has no host"
    if any(character.isspace() or not character.isprintable() for character in uri):
        return "it contains white space"
    return "`@` or `#` follows its host" if "@" in parts.path + parts.query or parts.fragment else ""


def _create_experiment(client: MlflowClient, name: str, artifacts: Path | None) -> str:
    from mlflow.exceptions import MlflowException

    location = None
    if artifacts is not None:
        (artifacts / name).mkdir(parents=True, exist_ok=True)
        location = (artifacts / name).as_uri()
    try:
        return str(client.create_experiment(name, artifact_location=location, tags=_EXPERIMENT_TAGS))
    except MlflowException as error:
        # A process on another machine may have created it on the same server in the meantime.
        existing = client.get_experiment_by_name(name)
        if error.error_code != "RESOURCE_ALREADY_EXISTS" or existing is None:
            raise
        return str(existing.experiment_id)


def _follow_copy(experiment: Experiment, folder: Path, tracking_uri: str) -> None:
    """Correct the absolute artifact paths that MLflow has recorded, if the repository was copied or moved."""
    from mlflow.utils.file_utils import local_file_uri_to_path

    if not experiment.artifact_location.startswith("file://"):
        return
    recorded = Path(local_file_uri_to_path(experiment.artifact_location))
    if recorded.is_relative_to(folder):
        return
    database, former = Path(tracking_uri.removeprefix(_SQLITE)), recorded.parent
    if recorded.parts[-2:] == (ARTIFACTS, experiment.name) and database.is_file():
        changed = relocate_artifacts(database, former=former, folder=folder)
        (folder / experiment.name).mkdir(parents=True, exist_ok=True)
        logger.warning(
            "this MLflow database was copied or moved: %d artifact addresses changed from %s to %s",
            changed,
            former,
            folder,
        )
    elif not recorded.is_dir():
        raise SeqlabError(
            f"the artifact folder of the MLflow experiment '{experiment.name}' no longer exists",
            expected=f"a folder below {folder}",
            received=str(recorded),
            remedy="restore the folder, or rename the database to start a new one "
            f"(mv {DATABASE} {DATABASE}.old)",
        )
