"""Runs that several processes write at once; tests/server does the same with PostgreSQL and logins."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from writer import check_runs, write_at_once

from seqlab.tracking.client import mlflow_client
from seqlab.tracking.store import resolve_tracking_uri


def test_ten_processes_that_start_together_on_a_new_store_all_succeed(tmp_path: Path) -> None:
    folders = write_at_once(tmp_path, {"all": {}}, runs=10, epochs=2)
    client = mlflow_client(resolve_tracking_uri(tmp_path / "all"))
    check_runs(folders, 2, client)
    location = client.get_experiment_by_name("seqlab-shared").artifact_location
    assert location == (tmp_path / "all" / "mlartifacts" / "seqlab-shared").as_uri()


def test_two_machines_write_to_a_server_at_once(
    tmp_path: Path, server: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = {"MLFLOW_TRACKING_URI": server.uri}  # type: ignore[attr-defined]
    folders = write_at_once(tmp_path, {"ann": address, "bob": address}, runs=1, epochs=20)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address["MLFLOW_TRACKING_URI"])
    check_runs(folders, 20, mlflow_client(address["MLFLOW_TRACKING_URI"]))
