from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqlab.errors import SeqlabError
from seqlab.tracking.client import mlflow_client
from seqlab.tracking.model import log_saved_model, tensor_signature
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.store import resolve_tracking_uri

INPUTS = {"token_ids": ("int32", (-1, -1)), "char_ids": ("int32", (-1, -1, 3))}
OUTPUTS = {"tag_ids": ("int32", (-1, -1))}
EXAMPLE = {"token_ids": np.array([[2, 3]], np.int32), "char_ids": np.ones((1, 2, 3), np.int32)}


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A folder that looks like an export; nothing in logging it may load it."""
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"not a model")
    return folder


def logged(root: Path, export: Path, **arguments: Any) -> tuple[TrackedRun, str | None]:
    run = TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a")
    run.log_metrics({"test": {"span_f1": 0.5}})
    signature = tensor_signature(INPUTS, OUTPUTS)
    return run, log_saved_model(run, export, name="ner", signature=signature, **arguments)


def test_a_model_says_what_it_takes_and_gives(root: Path, export: Path) -> None:
    run, uri = logged(
        root,
        export,
        input_example=EXAMPLE,
        metadata={"tag_scheme": "IOB2"},
        params={"head": "crf"},
        tags={"corpus": "sample"},
        metrics=["test/span_f1"],
    )
    assert uri is not None
    client = mlflow_client(resolve_tracking_uri(root))
    (output,) = client.get_run(run.run_id).outputs.model_outputs
    assert uri == f"models:/{output.model_id}"
    model = client.get_logged_model(output.model_id)
    assert (model.name, model.status, model.source_run_id) == ("ner", "READY", run.run_id)
    assert (model.params, model.tags) == ({"head": "crf"}, {"corpus": "sample"})
    assert [(metric.key, metric.value) for metric in model.metrics] == [("test/span_f1", 0.5)]
    assert len(client.get_metric_history(run.run_id, "test/span_f1")) == 1

    from mlflow.models import Model

    folder = root / "mlartifacts" / "seqlab-ner" / "models" / output.model_id / "artifacts"
    saved = Model.load(str(folder))
    assert saved.run_id == run.run_id
    assert saved.model_id == output.model_id
    assert saved.metadata == {"tag_scheme": "IOB2"}
    assert saved.signature == tensor_signature(INPUTS, OUTPUTS)
    requirements = (folder / "requirements.txt").read_text().splitlines()
    assert [line.partition("==")[0] for line in requirements] == ["tensorflow", "numpy", "mlflow"]
    assert (folder / "artifacts" / "export" / "saved_model.pb").exists()


def test_an_empty_folder_is_no_model(root: Path, tmp_path: Path) -> None:
    with pytest.raises(SeqlabError, match=r"there is no SavedModel to log[\s\S]*run the export stage"):
        logged(root, tmp_path)


def test_a_model_waits_for_its_server(root: Path, export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import requests

    from seqlab.tracking import operations, writer
    from seqlab.tracking.replay import replay_pending

    send: Callable[..., Any] = operations.apply_operation

    def away(client: Any, run_id: str, operation: dict[str, Any], files: Path) -> Any:
        if operation["kind"] == "model":
            raise requests.ConnectionError("refused")
        return send(client, run_id, operation, files)

    monkeypatch.setattr(writer, "apply_operation", away)
    run, uri = logged(root, export)
    assert uri is None
    (replay,) = replay_pending(root)
    assert (replay.sent, replay.rejected, replay.left) == (1, 0, 0)
    client = mlflow_client(resolve_tracking_uri(root))
    (output,) = client.get_run(run.run_id).outputs.model_outputs
    assert client.get_logged_model(output.model_id).status == "READY"


def test_an_upload_that_broke_off_is_finished_and_not_begun_again(
    root: Path, export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests
    from mlflow import MlflowClient

    from seqlab.tracking.replay import replay_pending

    def broken(*arguments: Any) -> None:
        raise requests.ConnectionError("reset")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_model_artifacts", broken)
        run, uri = logged(root, export)
    assert uri is None
    replay_pending(root)
    client = mlflow_client(resolve_tracking_uri(root))
    models = client.search_logged_models([run.experiment_id])
    assert [(model.name, model.status) for model in models] == [("ner", "READY")]


def save_tagger(folder: Path) -> None:
    import tensorflow as tf

    pairs, triples = tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None, None, 3), tf.int32)
    tagger = tf.Module()
    tagger.tag = tf.function(
        lambda token_ids, char_ids: {"tag_ids": token_ids + tf.reduce_sum(char_ids, axis=-1)},
        input_signature=[pairs, triples],
    )
    tagger.text = tf.function(
        lambda text: {"length": tf.strings.length(text)},
        input_signature=[tf.TensorSpec((None,), tf.string)],
    )
    signatures = {"serving_default": tagger.tag, "text": tagger.text}
    tf.saved_model.save(tagger, str(folder), signatures=signatures)


LOAD = """
import sys, mlflow, numpy as np, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
out = model.predict({"token_ids": np.array([[2, 3]], np.int32), "char_ids": np.ones((1, 2, 3), np.int32)})
print({name: array.tolist() for name, array in out.items()})
text = mlflow.pyfunc.load_model(sys.argv[2], model_config={"signature_name": "text"}).unwrap_python_model()
print(text.predict(None, ["ab", "c"])["length"].tolist())
print(text.predict(None, pd.DataFrame({"text": ["abc"]}))["length"].tolist())
print("seqlab" in sys.modules)
"""


def test_a_logged_tagger_runs_in_a_process_without_seqlab(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    folder = tmp_path / "export"
    save_tagger(folder / "model")
    _, uri = logged(root, folder, saved_model_path="model")
    command = [sys.executable, "-c", LOAD, resolve_tracking_uri(root), str(uri)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["{'tag_ids': [[5, 6]]}", "[2, 1]", "[3]", "False"]
