"""Finding a run again from the file that stands beside its model."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.errors import SeqlabError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

logger = logging.getLogger(__name__)

STANDS_IN_FOR = "stands_in_for"


def read_run_json(path: Path) -> dict[str, Any]:
    """Reads what `TrackedRun.save` wrote.

    Raises:
        SeqlabError: the file is missing, or has no `run_id` and `experiment`.
    """
    remedy = "run the train stage, which writes it (dvc repro), or fetch it (dvc pull)"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SeqlabError("there is no run to go on with", where=str(path), remedy=remedy) from None
    except ValueError as error:
        raise SeqlabError("not a run's file", where=str(path), received=str(error), remedy=remedy) from None
    expected = ("run_id", "experiment")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), str) for key in expected):
        raise SeqlabError(
            "not a run's file",
            where=str(path),
            expected="an object with the texts run_id and experiment",
            received=repr(content)[:200],
            remedy=remedy,
        )
    return content


def find_or_replace_run(client: MlflowClient, saved: dict[str, Any], experiment_id: str, *, user: str) -> Run:
    """The saved run, or the run that stands in for it where the store does not have it.

    A run restored from DVC's cache may lead to a store that this machine does not have; the stages
    that go on with it then share one new run, tagged with the id that the store lacks.

    Args:
        client: a client of the store in use.
        saved: the content of `run.json`.
        experiment_id: where a new run is made.
        user: whose name a new run bears.
    """
    from mlflow.exceptions import MlflowException

    run_id = saved["run_id"]
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    else:
        if run.info.lifecycle_stage == "deleted":
            logger.warning("MLflow run %s was deleted; it is restored", run_id)
            client.restore_run(run_id)
        return run
    known = client.search_runs([experiment_id], f"tags.{STANDS_IN_FOR} = '{run_id}'", max_results=1)
    if known:
        return known[0]
    logger.warning(
        "MLflow has no run %s here (it was made at %s); a new run of '%s' stands in for it",
        run_id,
        saved.get("tracking_uri", "an unknown address"),
        saved["experiment"],
    )
    tags = {STANDS_IN_FOR: run_id, "mlflow.user": user}
    return client.create_run(experiment_id, tags=tags, run_name=f"restored-{run_id[:8]}")
