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
    is_connection_failure,
    is_remote,
    mlflow_client,
    quiet_mlflow,
    root_cause,
    without_credentials,
)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://name:secret@host:5000/prefix", "http://host:5000/prefix"),
        ("http://host:5000", "http://host:5000"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("postgresql://u:p@ss@db/x", "postgresql://db/x"),
    ],
)
def test_credentials_are_never_shown(uri: str, shown: str) -> None:
    assert without_credentials(uri) == shown


def test_is_remote() -> None:
    assert is_remote("https://host")
    assert not is_remote("sqlite:////a.db")


def test_the_users_settings_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY")
    apply_settings()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_importing_the_room_does_not_import_mlflow() -> None:
    modules = ["client", "run", "store", "model", "plots", "provenance", "replay", "server", "view"]
    names = ", ".join(f"seqlab.tracking.{name}" for name in modules)
    code = f"import sys, {names}; print(sorted({{'mlflow', 'matplotlib', 'tensorflow'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def http_error(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(response=response)


def test_connection_failures_are_told_from_errors_of_our_own() -> None:
    from mlflow.exceptions import MlflowException, RestException
    from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

    away = [
        requests.ConnectionError(),
        requests.Timeout(),
        http_error(503),
        RestException({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "busy"}),
        MlflowException("database is locked", error_code=TEMPORARILY_UNAVAILABLE),
    ]
    assert all(is_connection_failure(error) for error in away)
    ours = [
        ValueError(),
        KeyboardInterrupt(),
        OSError("No space left on device"),
        http_error(404),
        requests.HTTPError(),
        MlflowException.invalid_parameter_value("changed"),
        RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no run"}),
    ]
    assert not any(is_connection_failure(error) for error in ours)


def test_a_refused_connection_is_a_connection_failure(
    free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    client = mlflow_client(f"http://127.0.0.1:{free_port}")
    with pytest.raises(Exception, match="failed with exception") as raised:
        client.get_run("a")
    assert is_connection_failure(raised.value)
    assert root_cause(raised.value) == "[Errno 111] Connection refused"


def test_quiet_lets_warnings_of_mlflows_loggers_through() -> None:
    logger = logging.getLogger("mlflow.store.db.utils")
    with quiet_mlflow():
        assert not logger.isEnabledFor(logging.INFO)
        assert logger.isEnabledFor(logging.WARNING)
        warnings.warn("a hint", UserWarning, stacklevel=1)
    assert logger.isEnabledFor(logging.INFO)
    with pytest.warns(UserWarning, match="a hint"):
        warnings.warn("a hint", UserWarning, stacklevel=1)
