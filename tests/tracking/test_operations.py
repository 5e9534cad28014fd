from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seqlab.tracking.client import mlflow_client
from seqlab.tracking.operations import apply_operation
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.store import resolve_tracking_uri

OPERATIONS: list[dict[str, Any]] = [
    {
        "kind": "batch",
        "metrics": [["loss", 0.5, 1_700_000_000_000, 1]],
        "params": [["seed", "1"]],
        "tags": [["a", "b"], ["error", "x"]],
    },
    {"kind": "delete_tag", "key": "error"},
    {
        "kind": "dataset",
        "name": "sample",
        "digest": "d",
        "source_type": "local",
        "source": "{}",
        "profile": "{}",
        "context": "train",
    },
    {"kind": "artifact", "file": "note.txt", "artifact_path": "notes"},
    {"kind": "status", "status": "FINISHED", "end_time_ms": 1_700_000_000_500},
]


def test_sent_twice_is_as_good_as_sent_once(root: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("x")
    run = TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a")
    client = mlflow_client(resolve_tracking_uri(root))
    states = []
    for _ in range(2):
        for operation in OPERATIONS:
            apply_operation(client, run.run_id, operation, tmp_path)
        states.append(client.get_run(run.run_id).to_dictionary())
    assert states[0] == states[1]
    assert states[0]["data"]["tags"]["a"] == "b"
    assert "error" not in states[0]["data"]["tags"]
    assert states[0]["info"]["end_time"] == 1_700_000_000_500
    assert len(client.get_metric_history(run.run_id, "loss")) == 1


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown kind of operation: 'x'"):
        apply_operation(None, "run", {"kind": "x"}, Path())  # type: ignore[arg-type]
