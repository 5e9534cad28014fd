"""MLflow's client: imported late, with bounded requests, its failures classified."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from seqlab.credentials import without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Values set by the user take precedence. With MLflow's own defaults (7 retries of 120 s each, or as late as
# the server's header Retry-After says), one request to a dead server takes minutes.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_DATABRICKS_ENDPOINT_HTTP_RETRY_TIMEOUT": "60",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # A uv.lock in the working directory does not describe what a logged model needs.
    "MLFLOW_UV_AUTO_DETECT": "false",
}


def apply_settings() -> None:
    """Add `SETTINGS` to the environment without overwriting variables. Call it before importing MLflow."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def mlflow_client(tracking_uri: str) -> MlflowClient:
    """Return a client of one store, for tracking and registry. The first call imports MLflow (seconds)."""
    apply_settings()
    from mlflow import MlflowClient

    # MLflow logs the errors of a database with tracebacks, and raises them as well.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
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


def root_cause(error: BaseException) -> str:
    """Return the message of the first error in the chain, on one line: `[Errno 111] Connection refused`."""
    while (earlier := error.__cause__ or error.__context__) is not None:
        error = earlier
    return without_credentials(" ".join(str(error).split()))[:300] or type(error).__name__


def is_connection_failure(error: BaseException) -> bool:
    """Return whether a request failed because the store could not be reached, so that a retry may succeed.

    True for connections that are refused, broken or time out, HTTP 408, 429 and 5xx (also after retries), an
    answer that ends early, and a locked database. False for everything else, such as an invalid name.
    """
    import requests
    from mlflow.exceptions import MlflowException, RestException
    from requests.exceptions import ChunkedEncodingError, ContentDecodingError, RetryError

    if isinstance(error, (requests.HTTPError, RestException)):
        status = _http_status(error)
        return status in (408, 429) or status >= 500
    if isinstance(error, MlflowException):
        if error.error_code == "TEMPORARILY_UNAVAILABLE" or "not in a valid JSON format" in str(error):
            return True
        # MLflow raises a plain MlflowException while it handles the error of the failed request.
        request_error = error.__cause__ or error.__context__
        return request_error is not None and is_connection_failure(request_error)
    broken = (
        RetryError, ChunkedEncodingError, ContentDecodingError, requests.ConnectionError, requests.Timeout,
        requests.JSONDecodeError,
    )  # fmt: skip
    return isinstance(error, broken)


def is_access_denied(error: BaseException) -> bool:
    """Return whether the server answered 401 or 403, as it does when a token has expired."""
    return _http_status(error) in (401, 403)


def _http_status(error: BaseException) -> int:
    """Return the status of the answer that an error describes, or 0."""
    from mlflow.exceptions import RestException
    from requests import HTTPError

    if isinstance(error, HTTPError):
        return int(error.response.status_code) if error.response is not None else 0
    return int(error.get_http_status_code()) if isinstance(error, RestException) else 0
