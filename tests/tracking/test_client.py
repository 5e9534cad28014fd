from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings

import pytest
import requests

from seqlab.tracking.client import (
    apply_settings,
    is_access_denied,
    is_connection_failure,
    is_remote,
    mlflow_client,
    quiet_mlflow,
    root_cause,
)


def test_is_remote() -> None:
    assert is_remote("https://host")
    assert is_remote("HTTP://host")
    assert not is_remote("sqlite:////a.db")


def test_the_users_settings_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY")
    apply_settings()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_importing_tracking_does_not_import_mlflow() -> None:
    modules = (
        "client",
        "figures",
        "operations",
        "pending",
        "provenance",
        "registry",
        "run",
        "store",
        "ui_server",
    )
    names = ", ".join(f"seqlab.tracking.{name}" for name in modules)
    code = f"import sys, {names}; print(sorted({{'mlflow', 'matplotlib', 'tensorflow'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def http_error(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(response=response)


def test_connection_failures_are_distinguished_from_other_errors() -> None:
    from mlflow.exceptions import MlflowException, RestException
    from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

    away = [
        requests.ConnectionError(),
        requests.Timeout(),
        requests.exceptions.RetryError(),
        requests.exceptions.ChunkedEncodingError(),
        *map(http_error, (408, 429, 500, 502, 503, 507)),
        MlflowException("the response body was not in a valid JSON format. Response body: '{\"ru'"),
        RestException({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "busy"}),
        MlflowException("database is locked", error_code=TEMPORARILY_UNAVAILABLE),
    ]
    assert all(is_connection_failure(error) for error in away)
    other = [
        ValueError(),
        KeyboardInterrupt(),
        OSError("No space left on device"),
        http_error(404),
        requests.HTTPError(),
        MlflowException.invalid_parameter_value("changed"),
        RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no run"}),
    ]
    assert not any(is_connection_failure(error) for error in other)


def test_access_denied_is_distinguished() -> None:
    from mlflow.exceptions import RestException

    assert is_access_denied(http_error(401))
    assert is_access_denied(RestException({"error_code": "PERMISSION_DENIED", "message": "no"}))
    assert not is_access_denied(http_error(404))
    assert not is_access_denied(ValueError())


def test_a_refused_connection_is_a_connection_failure(
    free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    client = mlflow_client(f"http://127.0.0.1:{free_port}")
    with pytest.raises(Exception, match="failed with exception") as raised:
        client.get_run("a")
    assert is_connection_failure(raised.value)
    assert root_cause(raised.value) == "[Errno 111] Connection refused"


def test_quiet_mlflow_keeps_warnings_of_mlflows_loggers() -> None:
    logger = logging.getLogger("mlflow.tracking.fluent")
    with quiet_mlflow():
        assert not logger.isEnabledFor(logging.INFO)
        assert logger.isEnabledFor(logging.WARNING)
        warnings.warn("a hint", UserWarning, stacklevel=1)
    assert logger.isEnabledFor(logging.INFO)
    with pytest.warns(UserWarning, match="a hint"):
        warnings.warn("a hint", UserWarning, stacklevel=1)
