from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.tracking.client import mlflow_client
from seqlab.tracking.operations import apply_operation, flatten, param_text, safe_key, shorten
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.store import resolve_tracking_uri


@pytest.mark.parametrize(
    ("key", "safe"),
    [
        ("test/span_f1", "test/span_f1"),
        ("ner.training.learning_rate", "ner.training.learning_rate"),
        ("test/f1/$", "test/f1/_u24_"),
        ("test/f1/``", "test/f1/_u60__u60_"),
        ("test/f1/.", "test/f1/_u2e_"),
        ("test/f1/..", "test/f1/_u2e__u2e_"),
        ("stage@ner", "stage_u40_ner"),
        ("f1/straße", "f1/stra_udf_e"),
    ],
)
def test_safe_key(key: str, safe: str) -> None:
    assert safe_key(key) == safe


@given(st.text(min_size=1, max_size=20).filter(lambda text: "/" not in text))
def test_mlflow_accepts_safe_keys(tag: str) -> None:
    from mlflow.utils.validation import _validate_param_name

    _validate_param_name(safe_key(f"test/{tag}"))


@pytest.mark.parametrize("key", ["", "a//b", "/a", "a/", "k" * 251])
def test_invalid_keys_raise(key: str) -> None:
    with pytest.raises(ValueError, match="invalid MLflow key"):
        safe_key(key)


def test_flatten_joins_the_keys_of_nested_mappings() -> None:
    nested = {"seed": 1, "ner": {"training": {"epochs": 2}, "head": "crf"}, "empty": {}}
    assert list(flatten(nested, separator=".")) == [
        ("seed", 1),
        ("ner.training.epochs", 2),
        ("ner.head", "crf"),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [("a b", "a b"), (True, "true"), (None, "null"), ([1, 2], "[1, 2]"), (3e-4, "0.0003"), ("ö", "ö")],
)
def test_param_text(value: object, text: str) -> None:
    assert param_text(value) == text


def test_shorten_appends_the_original_length() -> None:
    assert shorten("x" * 30, 30) == "x" * 30
    short = shorten("x" * 31, 30)
    assert len(short) == 30
    assert short.endswith("... (31 characters)")


OPERATIONS: list[dict[str, Any]] = [
    {"kind": "batch", "metrics": [["loss", 0.5, 1_700_000_000_000, 1]]},
    {"kind": "batch", "params": [["seed", "1"]]},
    {"kind": "batch", "tags": [["a", "b"], ["error", "x"]]},
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
    {"kind": "text", "text": "größe", "name": "note.md"},
    {"kind": "model", "file": "model", "name": "ner", "tags": {"task": "ner"}, "metrics": ["loss"]},
    {"kind": "status", "status": "FINISHED", "end_time_ms": 1_700_000_000_500},
]


def test_sending_an_operation_twice_changes_nothing(root: Path, tmp_path: Path, model_folder: Path) -> None:
    (tmp_path / "note.txt").write_text("x")
    run = TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a")
    client = mlflow_client(resolve_tracking_uri(root))
    states = []
    for _ in range(2):
        for operation in OPERATIONS:
            absolute = {"file": str(tmp_path / operation["file"])} if "file" in operation else {}
            apply_operation(client, run.run_id, {**operation, **absolute})
        models = client.search_logged_models([run.experiment_id])
        states.append((client.get_run(run.run_id).to_dictionary(), [model.model_id for model in models]))
    assert states[0] == states[1]
    state, (model_id,) = states[0]
    assert state["data"]["tags"]["a"] == "b"
    assert "error" not in state["data"]["tags"]
    assert state["info"]["end_time"] == 1_700_000_000_500
    assert [output["model_id"] for output in state["outputs"]["model_outputs"]] == [model_id]
    assert len(client.get_metric_history(run.run_id, "loss")) == 1
    model = client.get_logged_model(model_id)
    assert (model.status, model.tags["task"]) == ("READY", "ner")
    assert [(metric.key, metric.value) for metric in model.metrics] == [("loss", 0.5)]


def test_an_interrupted_model_is_completed(root: Path, model_folder: Path) -> None:
    run = TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a")
    client = mlflow_client(resolve_tracking_uri(root))
    pending = client.create_logged_model(run.experiment_id, "ner", run.run_id)
    model_id = run.log_model_folder(model_folder, name="ner", tags={}, metrics=[])
    assert model_id == pending.model_id
    assert client.get_logged_model(model_id).status == "READY"
