"""MLflow's client: imported late, with bounded requests, its failures classified and freed of credentials."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Values set by the user take precedence. With MLflow's own defaults (7 retries of 120 s each), a dead
# server would block a training for minutes.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # A uv.lock in the working directory does not describe what a logged model needs.
    "MLFLOW_UV_AUTO_DETECT": "false",
}

# A password may contain any character except white space, so the patterns extend to the last `@`.
_USER_INFO = re.compile(r"(?<=://)(?:[^\s/]*:\S{0,2000}|[^\s/]*)@")
_BARE_USER_INFO = re.compile(r"(?<![\w.+%/-])[\w.+%-]+:(?!/)\S{0,2000}@")
_SECRET_PARAMETER = re.compile(
    r"([?&;][\w.-]*(?:token|passw|pwd|secret|key|sig|credential|auth)[\w.-]*=)[^\s&;'\"]+", re.IGNORECASE
)


def apply_settings() -> None:
    """Add `SETTINGS` to the environment without overwriting variables. Call it before importing MLflow."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def mlflow_client(tracking_uri: str) -> MlflowClient:
    """Return a client of one store, for tracking and registry. The first call imports MLflow (seconds)."""
    apply_settings()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


@contextmanager
def quiet_mlflow() -> Iterator[None]:
    """Suppress MLflow's INFO messages, such as those of a new database's migrations, and Python warnings."""
    apply_settings()
    import mlflow  # noqa: F401  (the import resets the levels)

    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(max(logger.getEffectiveLevel(), logging.WARNING))
    try:
        # MLflow inserts its own filter before any "ignore", so the warnings are recorded and dropped.
        with warnings.catch_warnings(record=True):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def is_remote(tracking_uri: str) -> bool:
    """Return whether the address is that of an HTTP server rather than a database or a folder."""
    return tracking_uri.lower().startswith(("http://", "https://"))


def without_credentials(text: str) -> str:
    """Remove credentials from an address, or from all addresses in a text such as an error message.

    `http://name:secret@host` becomes `http://host`, `name:secret@host` becomes `host`, and the values of
    query parameters such as `?token=` become `***`.
    """
    text = _BARE_USER_INFO.sub("", _USER_INFO.sub("", text))
    return _SECRET_PARAMETER.sub(r"\1***", text)


def remove_credentials(error: BaseException) -> None:
    """Apply `without_credentials` in place to the messages of an error and of those that caused it."""
    cleaned = [without_credentials(str(arg)) for arg in error.args]
    error.args = tuple(
        arg if str(arg) == text else text for arg, text in zip(error.args, cleaned, strict=True)
    )
    if isinstance(message := getattr(error, "message", None), str):
        error.message = without_credentials(message)  # type: ignore[attr-defined]
    if cause := error.__cause__ or error.__context__:
        remove_credentials(cause)


def root_cause(error: BaseException) -> str:
    """Return the message of the first error in the chain, on one line: `[Errno 111] Connection refused`."""
    while (earlier := error.__cause__ or error.__context__) is not None:
        error = earlier
    return without_credentials(" ".join(str(error).split()))[:300] or type(error).__name__


def is_connection_failure(error: BaseException) -> bool:
    """Return whether a request failed because the store could not be reached, so that a retry may succeed.

    True for connections that are refused, broken or time out, HTTP 408, 429 and 5xx (also after retries),
    and a locked database. False for everything else, such as an invalid name or a full disk.
    """
    import requests
    from mlflow.exceptions import MlflowException, RestException
    from mlflow.utils.request_utils import _TRANSIENT_FAILURE_RESPONSE_CODES
    from requests.exceptions import ChunkedEncodingError, RetryError

    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code in _TRANSIENT_FAILURE_RESPONSE_CODES
    if isinstance(error, RestException):
        return error.get_http_status_code() in _TRANSIENT_FAILURE_RESPONSE_CODES
    if isinstance(error, MlflowException):
        # MLflow raises a plain MlflowException while it handles the error of the failed request.
        request_error = error.__cause__ or error.__context__ or Exception()
        return error.error_code == "TEMPORARILY_UNAVAILABLE" or is_connection_failure(request_error)
    broken = (RetryError, ChunkedEncodingError, requests.ConnectionError, requests.Timeout)
    return isinstance(error, broken)
