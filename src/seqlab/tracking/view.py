"""The table of runs as it is worth looking at: a saved view of MLflow's page.

By default the table shows no metric and no parameter, and its columns are kept in each browser. A
saved view is a tag of the experiment, so that everyone who opens the page can choose it in its
menu Views, and a link can open it at once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from seqlab.tracking.client import mlflow_client
from seqlab.tracking.names import safe_key
from seqlab.tracking.store import prepare_store, resolve_tracking_uri

_KEY = "seqlab"
_TAG = f"mlflow.sharedViewState.{_KEY}"


def save_runs_view(
    root: Path,
    experiment: str,
    *,
    metrics: Sequence[str],
    params: Sequence[str] = (),
    tags: Sequence[str] = (),
    order_by: str = "",
) -> str:
    """Saves the view `seqlab` of an experiment's table of runs, unless it is there already.

    Args:
        root: the repository's root.
        experiment: the experiment's name, made if it is missing.
        metrics: keys of the metrics that get a column, e.g. `test/span_f1`.
        params: keys of parameters, e.g. `training.learning_rate`.
        tags: keys of tags, e.g. `dvc.exp_name`.
        order_by: the metric that sorts the table, the highest first; by default the newest run comes first.

    Returns:
        The part of the page's address that opens the view: `/#/experiments/1/runs?...`.
    """
    experiment_id = prepare_store(root, experiment)
    client = mlflow_client(resolve_tracking_uri(root))
    if _TAG not in client.get_experiment(experiment_id).tags:
        columns = [
            *(f"metrics.`{safe_key(key)}`" for key in metrics),
            *(f"params.`{safe_key(key)}`" for key in params),
            *(f"tags.`{safe_key(key)}`" for key in tags),
        ]
        state = {
            "selectedColumns": columns,
            "orderByKey": f"metrics.`{safe_key(order_by)}`" if order_by else "attributes.start_time",
            "orderByAsc": False,
        }
        now_ms = time.time_ns() // 1_000_000
        view = {"name": _KEY, "createdAt": now_ms, "updatedAt": now_ms, "state": json.dumps(state)}
        client.set_experiment_tag(experiment_id, _TAG, json.dumps(view))
    # Without the workflow, the page shows the menu of language-model applications first.
    query = urlencode({"workflowType": "machine_learning", "viewStateShareKey": _KEY})
    return f"/#/experiments/{experiment_id}/runs?{query}"
