from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from seqlab.errors import SeqlabError
from seqlab.tracking.client import mlflow_client
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.store import resolve_tracking_uri
from seqlab.tracking.ui_server import check_port, save_runs_view, ui_command, ui_environment


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


def test_a_port_in_use_is_an_error() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        message = rf"127.0.0.1:{port}: the MLflow UI cannot use this port[\s\S]*seqlab ui --port 5001"
        with pytest.raises(SeqlabError, match=message):
            check_port(port)
    check_port(port)
    with pytest.raises(SeqlabError, match="cannot use this port"):
        check_port(65536)


def test_the_servers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///here.db")
    environment = ui_environment()
    assert "MLFLOW_TRACKING_URI" not in environment
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def saved_state(root: Path) -> dict[str, Any]:
    experiment = mlflow_client(resolve_tracking_uri(root)).get_experiment_by_name("seqlab-ner")
    state: dict[str, Any] = json.loads(json.loads(experiment.tags["mlflow.sharedViewState.seqlab"])["state"])
    return state


def test_the_view_of_an_empty_experiment_has_the_given_columns(root: Path) -> None:
    columns = {"metrics": ["test/span_f1", "test/f1/$"], "params": ["head.type"], "tags": ["corpus"]}
    address = save_runs_view(root, "seqlab-ner", **columns, order_by="test/span_f1")
    client = mlflow_client(resolve_tracking_uri(root))
    experiment = client.get_experiment_by_name("seqlab-ner")
    page = f"/#/experiments/{experiment.experiment_id}/runs"
    assert address == f"{page}?workflowType=machine_learning&viewStateShareKey=seqlab"
    view = json.loads(experiment.tags["mlflow.sharedViewState.seqlab"])
    assert view["name"] == "seqlab"
    state = json.loads(view["state"])
    assert state["selectedColumns"] == [
        "metrics.`test/span_f1`",
        "metrics.`test/f1/_u24_`",
        "params.`head.type`",
        "tags.`corpus`",
    ]
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`test/span_f1`", False)


def test_columns_that_do_not_differ_give_way_to_those_that_do(root: Path) -> None:
    columns = {
        "metrics": ["best_dev/f1", "test/f1"],
        "params": ["head.type", "seed"],
        "tags": ["corpus", "git"],
    }
    save_runs_view(root, "seqlab-ner", **columns, order_by="best_dev/f1", curves=["dev/f1"])
    for seed in (1, 2):
        params = {"seed": seed, "head": "crf", "training.batch_size": 8 * seed, "only.once": seed}
        if seed == 2:
            del params["only.once"]
        tags = {"corpus": "sample", "git": f"commit {seed}"}
        with TrackedRun.start(
            root=root, experiment="seqlab-ner", run_name="a", params=params, tags=tags
        ) as run:
            run.log_metrics({"best_dev/f1": seed / 4, "test/f1": 0.5})
    save_runs_view(root, "seqlab-ner", **columns, order_by="best_dev/f1", curves=["dev/f1"])
    state = saved_state(root)
    expected = ["metrics.`best_dev/f1`", "params.`seed`", "params.`training.batch_size`", "tags.`git`"]
    assert state["selectedColumns"] == expected
    assert state["columnOrder"] == ["attributes.`Run Name`", *expected]
    assert [(chart["type"], chart["metricKey"]) for chart in state["compareRunCharts"]] == [
        ("BAR", "best_dev/f1"), ("LINE", "dev/f1"),
    ]  # fmt: skip


def test_a_view_that_someone_else_has_changed_is_kept(root: Path) -> None:
    columns = {"metrics": ["f1"], "params": [], "tags": []}
    address = save_runs_view(root, "seqlab-ner", **columns, order_by="f1")
    client = mlflow_client(resolve_tracking_uri(root))
    experiment = client.get_experiment_by_name("seqlab-ner").experiment_id
    client.set_experiment_tag(experiment, "mlflow.sharedViewState.seqlab", json.dumps({"state": "{}"}))
    assert save_runs_view(root, "seqlab-ner", **columns, order_by="f1") == address
    assert saved_state(root) == {}
