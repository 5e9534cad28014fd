from __future__ import annotations

import sys
from pathlib import Path

import pytest

from seqlab.errors import SeqlabError
from seqlab.tracking.server import ui_command, ui_environment


def test_the_page_is_served_from_the_same_store_on_this_machine_alone(tmp_path: Path) -> None:
    command = ui_command(tmp_path, port=5123)
    assert command[:4] == [sys.executable, "-m", "mlflow", "server"]
    options = dict(zip(command[4::2], command[5::2], strict=True))
    assert options["--backend-store-uri"] == f"sqlite:///{tmp_path}/mlflow.db"
    assert options["--default-artifact-root"] == (tmp_path / "mlartifacts").as_uri()
    assert options["--host"] == "127.0.0.1"
    assert options["--port"] == "5123"


def test_a_remote_store_has_its_own_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://name:secret@host:5000")
    with pytest.raises(SeqlabError, match=r"remedy: open http://host:5000 in a browser") as raised:
        ui_command(tmp_path)
    assert "secret" not in str(raised.value)


def test_the_servers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///here.db")
    environment = ui_environment()
    assert "MLFLOW_TRACKING_URI" not in environment
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
