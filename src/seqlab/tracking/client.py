"""MLflow itself: imported late and quietly, with bounded requests, and its failures told apart."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Values that the user has set win. MLflow's own defaults keep a dead server's client busy for
# minutes (7 retries, 120 s each), which is too long in the middle of a training.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # A uv.lock in the working directory says nothing about what a logged model needs.
    "MLFLOW_UV_AUTO_DETECT": "false",
}


def apply_settings() -> None:
    """Puts `SETTINGS` in the environment where nothing stands; call it before MLflow is imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def mlflow_client(tracking_uri: str) -> MlflowClient:
    """A client of one store, for tracking and registry alike. Imports MLflow (seconds) when first called."""
    apply_settings()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


@contextmanager
def quiet_mlflow() -> Iterator[None]:
    """Keeps MLflow's hundred INFO lines of a new database, and its hints on models, from the terminal.

    Its loggers' warnings and errors are let through; its Python warnings are not.
    """
    apply_settings()
    import mlflow  # noqa: F401  (its import sets the levels anew)

    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(max(logger.getEffectiveLevel(), logging.WARNING))
    try:
        # Recorded and dropped: MLflow puts a filter of its own before any that would ignore them.
        with warnings.catch_warnings(record=True):
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def is_remote(tracking_uri: str) -> bool:
    """Whether a server answers at this address, and not a database or folder."""
    return tracking_uri.startswith(("http://", "https://"))


def without_credentials(uri: str) -> str:
    """The address as it may be shown and stored: `http://name:secret@host` becomes `http://host`."""
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def root_cause(error: BaseException) -> str:
    """What lies at the bottom of an error, in a line: `[Errno 111] Connection refused`."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return " ".join(str(error).split())[:300] or type(error).__name__


def is_connection_failure(error: BaseException) -> bool:
    """Whether a write failed because the store could not be reached, so that it is worth another try.

    True for refused, broken and timed-out connections, answers 408, 429 and 5xx, and a locked
    database. Everything else (a wrong name, a changed parameter, a full disk) is an error of its own.
    """
    import requests
    from mlflow.exceptions import MlflowException, RestException
    from mlflow.utils.request_utils import _TRANSIENT_FAILURE_RESPONSE_CODES

    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code in _TRANSIENT_FAILURE_RESPONSE_CODES
    if isinstance(error, (requests.ConnectionError, requests.Timeout)):
        return True
    if isinstance(error, RestException):
        return error.get_http_status_code() in _TRANSIENT_FAILURE_RESPONSE_CODES
    if isinstance(error, MlflowException):
        if error.error_code == "TEMPORARILY_UNAVAILABLE":
            return True
        # A failed request is raised as a plain MlflowException from within the handler of the real one.
        origin = error.__cause__ or error.__context__
        return isinstance(origin, requests.RequestException) and is_connection_failure(origin)
    return False
