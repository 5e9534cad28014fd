from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from seqlab.errors import SeqlabError
from seqlab.tracking.client import mlflow_client
from seqlab.tracking.store import resolve_tracking_uri
from seqlab.tracking.ui_server import save_runs_view, ui_command, ui_environment


def test_the_server_uses_the_same_store_and_only_listens_on_this_machine(tmp_path: Path) -> None:
    command = ui_command(tmp_path, port=5123)
    assert command[:4] == [sys.executable, "-m", "mlflow", "server"]
    options = dict(zip(command[4::2], command[5::2], strict=True))
    assert options["--backend-store-uri"] == f"sqlite:///{tmp_path}/mlflow.db"
    assert options["--default-artifact-root"] == (tmp_path / "mlartifacts").as_uri()
    assert options["--host"] == "127.0.0.1"
    assert options["--port"] == "5123"


def test_a_remote_store_has_its_own_ui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "HTTP://name:secret@host:5000")
    with pytest.raises(SeqlabError, match=r"remedy: open http://host:5000 in a browser") as raised:
        ui_command(tmp_path, port=5000)
    assert "secret" not in str(raised.value)


def test_the_servers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///here.db")
    environment = ui_environment()
    assert "MLFLOW_TRACKING_URI" not in environment
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def test_the_view_has_the_given_columns_and_is_saved_once(root: Path) -> None:
    columns = {"metrics": ["test/span_f1", "test/f1/$"], "params": ["head.type"], "tags": ["corpus"]}
    address = save_runs_view(root, "seqlab-ner", **columns, order_by="test/span_f1")
    client = mlflow_client(resolve_tracking_uri(root))
    experiment = client.get_experiment_by_name("seqlab-ner")
    page = f"/#/experiments/{experiment.experiment_id}/runs"
    assert address == f"{page}?workflowType=machine_learning&viewStateShareKey=seqlab"
    view = json.loads(experiment.tags["mlflow.sharedViewState.seqlab"])
    assert view["name"] == "seqlab"
    assert json.loads(view["state"]) == {
        "selectedColumns": [
            "metrics.`test/span_f1`",
            "metrics.`test/f1/_u24_`",
            "params.`head.type`",
            "tags.`corpus`",
        ],
        "orderByKey": "metrics.`test/span_f1`",
        "orderByAsc": False,
    }
    # Changes that a team made in the UI are kept.
    other = {**columns, "metrics": ["other"]}
    assert save_runs_view(root, "seqlab-ner", **other, order_by="other") == address
    again = client.get_experiment_by_name("seqlab-ner").tags["mlflow.sharedViewState.seqlab"]
    assert json.loads(again) == view
