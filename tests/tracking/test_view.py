from __future__ import annotations

import json
from pathlib import Path

from seqlab.tracking.client import mlflow_client
from seqlab.tracking.store import resolve_tracking_uri
from seqlab.tracking.view import save_runs_view


def test_the_view_has_the_columns_asked_for_and_is_saved_once(root: Path) -> None:
    address = save_runs_view(
        root,
        "seqlab-ner",
        metrics=["test/span_f1", "test/f1/$"],
        params=["head.type"],
        tags=["corpus"],
        order_by="test/span_f1",
    )
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
    # What a team has changed in the page is theirs.
    assert save_runs_view(root, "seqlab-ner", metrics=["other"]) == address
    again = client.get_experiment_by_name("seqlab-ner").tags["mlflow.sharedViewState.seqlab"]
    assert json.loads(again) == view


def test_without_a_metric_to_sort_by_the_newest_run_is_first(root: Path) -> None:
    save_runs_view(root, "seqlab-pos", metrics=["test/token_accuracy"])
    experiment = mlflow_client(resolve_tracking_uri(root)).get_experiment_by_name("seqlab-pos")
    state = json.loads(json.loads(experiment.tags["mlflow.sharedViewState.seqlab"])["state"])
    assert state["orderByKey"] == "attributes.start_time"
