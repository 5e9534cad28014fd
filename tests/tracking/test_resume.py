from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from seqlab.errors import SeqlabError
from seqlab.tracking.client import mlflow_client
from seqlab.tracking.resume import read_run_json
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.store import resolve_tracking_uri


def test_a_missing_file_says_which_stage_writes_it(tmp_path: Path) -> None:
    with pytest.raises(SeqlabError, match=r"run\.json: there is no run to go on with[\s\S]*train stage"):
        read_run_json(tmp_path / "run.json")


@pytest.mark.parametrize("content", ["{", "[]", '{"run_id": 5, "experiment": "a"}', '{"run_id": "a"}'])
def test_a_file_that_is_no_runs(content: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(SeqlabError, match=r"run\.json: not a run's file"):
        read_run_json(tmp_path / "run.json")


def test_a_run_that_this_store_lacks_is_stood_in_for_once(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved = {"run_id": "0" * 32, "experiment": "seqlab-ner", "tracking_uri": "http://far:5000"}
    run_json = tmp_path / "run.json"
    run_json.write_text(json.dumps(saved))
    with caplog.at_level(logging.WARNING), TrackedRun.resume(root=root, run_json=run_json) as first:
        first.log_metrics({"test/span_f1": 0.5})
    assert "no run 00000000000000000000000000000000 here (it was made at http://far:5000)" in caplog.text
    with TrackedRun.resume(root=root, run_json=run_json) as second:
        pass
    assert first.run_id == second.run_id
    found = mlflow_client(resolve_tracking_uri(root)).get_run(first.run_id)
    assert found.data.tags["stands_in_for"] == "0" * 32
    assert json.loads(run_json.read_text()) == saved


def test_a_deleted_run_is_restored(root: Path, tmp_path: Path) -> None:
    with TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a") as run:
        run.save(tmp_path / "run.json")
    client = mlflow_client(resolve_tracking_uri(root))
    client.delete_run(run.run_id)
    with TrackedRun.resume(root=root, run_json=tmp_path / "run.json") as resumed:
        resumed.log_metrics({"a": 1})
    assert client.get_run(run.run_id).info.lifecycle_stage == "active"
