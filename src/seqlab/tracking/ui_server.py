"""The MLflow UI: the command that serves it, and a saved view of the table of runs.

By default the table shows neither metrics nor parameters, and each browser stores its own columns. A saved
view is a tag of the experiment: all users can choose it in the menu Views, and a link can open it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from seqlab.credentials import without_credentials
from seqlab.errors import SeqlabError
from seqlab.tracking.client import SETTINGS, is_remote, mlflow_client
from seqlab.tracking.operations import safe_key
from seqlab.tracking.store import artifact_folder, prepare_store, resolve_tracking_uri, store_errors

_SERVER_SETTINGS = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "PYTHONWARNINGS": "ignore::DeprecationWarning,ignore::UserWarning",
}
_HOST = "127.0.0.1"
_VIEW = "seqlab"
_VIEW_TAG = f"mlflow.sharedViewState.{_VIEW}"
_OWN_VIEW_TAG = "seqlab.view"
"""The view as it was last saved here. If it is not the present one, someone else has changed that."""

_NAME_COLUMN = "attributes.`Run Name`"
_NAME_WIDTH, _COLUMN_WIDTH = 300, 140
"""In pixels. By default a name is cut after about 20 characters."""

_MAX_COMPARED = 200
_MAX_PARAMS = 6


def ui_command(root: Path, *, port: int) -> list[str]:
    """Return the command that serves the store's UI and API at `http://127.0.0.1:<port>`.

    Raises:
        SeqlabError: MLFLOW_TRACKING_URI is a server, which has its own UI.
    """
    tracking_uri = resolve_tracking_uri(root)
    folder = artifact_folder(root, tracking_uri)
    if folder is None:
        address = without_credentials(tracking_uri)
        raise SeqlabError(
            "the runs are stored on a server, which has its own UI",
            where="MLFLOW_TRACKING_URI",
            received=address,
            remedy=f"open {address} in a browser" if is_remote(address) else "open the UI of that service",
        )
    options = {
        "--backend-store-uri": tracking_uri,
        "--registry-store-uri": tracking_uri,
        "--default-artifact-root": folder.as_uri(),
        "--artifacts-destination": folder.as_uri(),
        "--host": _HOST,
        "--port": str(port),
        # The default of four workers takes four times as long to start.
        "--workers": "1",
        # Otherwise every request is logged.
        "--uvicorn-opts": "--log-level warning",
    }
    return [sys.executable, "-m", "mlflow", "server", *(part for pair in options.items() for part in pair)]


def check_port(port: int) -> None:
    """Check that the server can listen on a port: it would only log that it cannot, and end with status 0.

    Raises:
        SeqlabError: another program uses the port, or the system refuses it.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, port))
        except (OSError, OverflowError) as error:
            raise SeqlabError(
                "the MLflow UI cannot use this port",
                where=f"{_HOST}:{port}",
                expected="a free port",
                received=getattr(error, "strerror", None) or str(error),
                remedy="choose another: seqlab ui --port 5001 (`mlflow models serve` and AirPlay on macOS "
                "also use 5000)",
            ) from None


def ui_environment() -> dict[str, str]:
    """Return the environment for `ui_command`: no warnings, telemetry or job execution.

    `MLFLOW_TRACKING_URI` is removed, because the server would send requests to that address.
    """
    environment = {**SETTINGS, **_SERVER_SETTINGS, **os.environ}
    environment.pop("MLFLOW_TRACKING_URI", None)
    return environment


def save_runs_view(
    root: Path,
    experiment: str,
    *,
    metrics: Sequence[str],
    params: Sequence[str],
    tags: Sequence[str],
    order_by: str,
    curves: Sequence[str] = (),
) -> str:
    """Save the view `seqlab` of an experiment's runs: columns of the table, and charts to compare runs.

    Columns are the metrics, and the parameters and tags that differ between runs, the given ones first. With
    fewer than two runs, they are the given ones. Runs are sorted by the metric `order_by`, highest first;
    the charts show it as bars, and `curves` by epoch. A view that someone else has changed is kept.

    Returns:
        The address of the view, relative to the server's: `/#/experiments/1/runs?...`.
    """
    experiment_id, uri = prepare_store(root, experiment), resolve_tracking_uri(root)
    client = mlflow_client(uri)
    with store_errors(uri):
        known = client.get_experiment(experiment_id).tags
        if known.get(_VIEW_TAG) == known.get(_OWN_VIEW_TAG):
            newest = ["attributes.start_time DESC"]
            runs = client.search_runs([experiment_id], max_results=_MAX_COMPARED, order_by=newest)
            if len(runs) > 1:
                params = _differing([run.data.params for run in runs], params, others=True)[:_MAX_PARAMS]
                tags = _differing([run.data.tags for run in runs], tags)
                metrics = _differing([run.data.metrics for run in runs], metrics) or metrics
            groups = {"metrics": metrics, "params": params, "tags": tags}
            columns = [f"{kind}.`{safe_key(key)}`" for kind in groups for key in groups[kind]]
            state = {
                "selectedColumns": columns,
                "columnOrder": [_NAME_COLUMN, *columns],
                "columnWidths": {_NAME_COLUMN: _NAME_WIDTH, **dict.fromkeys(columns, _COLUMN_WIDTH)},
                "orderByKey": f"metrics.`{safe_key(order_by)}`",
                "orderByAsc": False,
                **_charts(order_by, curves),
            }
            now_ms = time.time_ns() // 1_000_000
            view = {"name": _VIEW, "createdAt": now_ms, "updatedAt": now_ms, "state": json.dumps(state)}
            for tag in (_VIEW_TAG, _OWN_VIEW_TAG):
                client.set_experiment_tag(experiment_id, tag, json.dumps(view))
    # Without the workflow type, the page opens the menu of language-model applications.
    query = urlencode({"workflowType": "machine_learning", "viewStateShareKey": _VIEW})
    return f"/#/experiments/{experiment_id}/runs?{query}"


def _differing(
    runs: Sequence[Mapping[str, object]], first: Sequence[str], *, others: bool = False
) -> list[str]:
    """Return the keys that have different values among runs: those of `first`, and perhaps all others.

    A run without the key does not count, so that a BiLSTM among Transformers adds no column for each setting
    that only one of them has.
    """
    keys = [*first, *sorted(set().union(*runs) - set(first))] if others else first
    return [key for key in keys if len({run[key] for run in runs if key in run}) > 1]


def _charts(bars: str, curves: Sequence[str]) -> dict[str, Any]:
    """Return the state of the charts: one section, before those that MLflow adds for all other metrics."""
    charts: list[dict[str, Any]] = [
        {"type": "BAR", "metricKey": safe_key(bars), "selectedMetricKeys": [safe_key(bars)]}
    ]
    for key in map(safe_key, curves):
        charts.append({"type": "LINE", "metricKey": key, "selectedMetricKeys": [key], "lineSmoothness": 0})
    common = {"metricSectionId": _VIEW, "deleted": False, "isGenerated": False, "runsCountToCompare": 10}
    section = {"uuid": _VIEW, "name": "dev", "display": True, "isReordered": True, "isGenerated": False}
    return {
        "compareRunCharts": [{**common, "uuid": f"{_VIEW}-{i}", **chart} for i, chart in enumerate(charts)],
        "compareRunSections": [section],
        "isAccordionReordered": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
    }
