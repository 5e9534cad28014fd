"""The MLflow UI: the command that serves it, and a saved view of the table of runs.

By default the table shows neither metrics nor parameters, and each browser stores its own columns. A saved
view is a tag of the experiment: all users can choose it in the menu Views, and a link can open it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
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
_VIEW = "seqlab"
_VIEW_TAG = f"mlflow.sharedViewState.{_VIEW}"


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
        "--host": "127.0.0.1",
        "--port": str(port),
        # The default of four workers takes four times as long to start.
        "--workers": "1",
        # Otherwise every request is logged.
        "--uvicorn-opts": "--log-level warning",
    }
    return [sys.executable, "-m", "mlflow", "server", *(part for pair in options.items() for part in pair)]


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
) -> str:
    """Save the view `seqlab` of an experiment's table of runs, unless it exists.

    The metrics, parameters and tags are the columns; the metric `order_by` sorts the runs, highest first.

    Returns:
        The address of the view, relative to the server's: `/#/experiments/1/runs?...`.
    """
    experiment_id, uri = prepare_store(root, experiment), resolve_tracking_uri(root)
    client = mlflow_client(uri)
    with store_errors(uri):
        if _VIEW_TAG not in client.get_experiment(experiment_id).tags:
            groups = {"metrics": metrics, "params": params, "tags": tags}
            state = {
                "selectedColumns": [f"{kind}.`{safe_key(key)}`" for kind in groups for key in groups[kind]],
                "orderByKey": f"metrics.`{safe_key(order_by)}`",
                "orderByAsc": False,
            }
            now_ms = time.time_ns() // 1_000_000
            view = {"name": _VIEW, "createdAt": now_ms, "updatedAt": now_ms, "state": json.dumps(state)}
            client.set_experiment_tag(experiment_id, _VIEW_TAG, json.dumps(view))
    # Without the workflow type, the page opens the menu of language-model applications.
    query = urlencode({"workflowType": "machine_learning", "viewStateShareKey": _VIEW})
    return f"/#/experiments/{experiment_id}/runs?{query}"
