from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from matplotlib.figure import Figure
from mlflow import MlflowClient

from seqlab.errors import SeqlabError
from seqlab.tracking.client import mlflow_client
from seqlab.tracking.pending import replay_pending
from seqlab.tracking.run import TrackedRun, read_run_json
from seqlab.tracking.store import resolve_tracking_uri


def start(root: Path, **arguments: Any) -> TrackedRun:
    return TrackedRun.start(root=root, experiment="seqlab-ner", run_name="transformer-crf", **arguments)


def stored(root: Path, run_id: str) -> Any:
    return mlflow_client(resolve_tracking_uri(root)).get_run(run_id)


def artifact(root: Path, run_id: str, name: str) -> Path:
    return root / "mlartifacts" / "seqlab-ner" / run_id / "artifacts" / name


def test_a_run_contains_what_was_logged(root: Path) -> None:
    with start(root, tags={"corpus": "sample", "synthetic": True}, params={"ner": {"head": "crf"}}) as run:
        run.log_params({"ner": {"training": {"epochs": 3, "clip": None}}, "seed": 7})
        run.log_metrics({"train": {"loss": np.float32(0.5)}, "test/f1/$": 1}, step=2)
        run.log_metrics({"train/loss": math.nan}, step=3)
    found = stored(root, run.run_id)
    assert found.info.run_name == "transformer-crf"
    assert found.info.status == "FINISHED"
    assert found.info.end_time is not None
    assert found.data.params == {
        "ner.head": "crf",
        "ner.training.epochs": "3",
        "ner.training.clip": "null",
        "seed": "7",
    }
    assert found.data.tags["corpus"] == "sample"
    assert found.data.tags["synthetic"] == "true"
    assert found.data.metrics["test/f1/_u24_"] == 1.0
    history = mlflow_client(resolve_tracking_uri(root)).get_metric_history(run.run_id, "train/loss")
    first, second = history
    assert (first.step, first.value) == (2, 0.5)
    assert math.isnan(second.value)
    assert [path for path in (root / ".seqlab").rglob("*") if path.is_file()] == [
        root / ".seqlab" / "mlflow-store.lock"
    ]


def test_many_values_are_split_into_requests(root: Path) -> None:
    with start(root) as run:
        run.log_params({f"p{number}": number for number in range(230)})
        run.log_metrics({f"test/f1/{number}": number for number in range(1200)})
        run.set_tags({f"t{number}": number for number in range(130)})
    data = stored(root, run.run_id).data
    assert len(data.params) == 230
    assert len(data.metrics) == 1200
    assert data.tags["t129"] == "129"


def test_long_values_are_truncated_and_logged_in_full(root: Path) -> None:
    text = "word " * 2000
    with start(root, params={"note": text}, tags={"long": text}) as run:
        pass
    data = stored(root, run.run_id).data
    assert len(data.params["note"]) == 500
    assert data.params["note"].endswith("(10000 characters)")
    assert artifact(root, run.run_id, "params/note.txt").read_text(encoding="utf-8") == text
    assert data.tags["long"].endswith("(10000 characters)")


def test_artifacts(root: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a,b\n")
    figure = Figure()
    figure.subplots().plot([1, 2])
    with start(root) as run:
        run.log_artifact(table)
        run.log_artifact(table, "tables")
        run.log_dict({"ö": 1}, "values/all.json")
        run.log_figure(figure, "plots/line.png")
    assert artifact(root, run.run_id, "table.csv").read_text() == "a,b\n"
    assert artifact(root, run.run_id, "tables/table.csv").read_text() == "a,b\n"
    assert json.loads(artifact(root, run.run_id, "values/all.json").read_text(encoding="utf-8")) == {"ö": 1}
    assert artifact(root, run.run_id, "plots/line.png").read_bytes().startswith(b"\x89PNG")


def test_datasets_are_inputs_of_the_run(root: Path) -> None:
    digest = "0123456789abcdef" * 4
    with start(root) as run:
        for context in ("train", "test"):
            run.log_dataset(
                name=f"sample-{context}",
                digest=digest,
                source="data/raw/sample",
                profile={"sentences": 5},
                context=context,
            )
    inputs = stored(root, run.run_id).inputs.dataset_inputs
    assert sorted(item.dataset.name for item in inputs) == ["sample-test", "sample-train"]
    assert sorted(item.tags[0].value for item in inputs) == ["test", "train"]
    assert {item.dataset.digest for item in inputs} == {digest[:12]}
    assert json.loads(inputs[0].dataset.profile) == {"sentences": 5, "digest": digest}


def interrupted() -> None:
    raise KeyboardInterrupt


def failed() -> None:
    raise RuntimeError("no such bucket")


@pytest.mark.parametrize(
    ("work", "kind", "status", "text"),
    [
        (failed, RuntimeError, "FAILED", "no such bucket"),
        (interrupted, KeyboardInterrupt, "KILLED", "KeyboardInterrupt"),
    ],
)
def test_an_error_ends_the_run_with_its_text(
    work: Callable[[], None], kind: type[BaseException], status: str, text: str, root: Path
) -> None:
    with pytest.raises(kind), start(root) as run:
        work()
    found = stored(root, run.run_id)
    assert found.info.status == status
    assert found.data.tags["error"] == text
    assert kind.__name__ in artifact(root, run.run_id, "error.txt").read_text()


def test_the_record_of_an_error_contains_no_credentials(root: Path) -> None:
    addresses = "http://name:secret@host, name:secret@host, http://host?token=secret"
    with pytest.raises(RuntimeError), start(root) as run:
        raise RuntimeError(addresses)
    tag = stored(root, run.run_id).data.tags["error"]
    assert tag == "http://host, host, http://host?token=***"
    text = artifact(root, run.run_id, "error.txt").read_text()
    assert tag in text
    assert "name:secret" not in text


def test_a_successful_exit_is_not_a_failure(root: Path) -> None:
    with pytest.raises(SystemExit), start(root) as run:
        raise SystemExit(0)
    assert stored(root, run.run_id).info.status == "FINISHED"


def test_a_programming_error_is_raised(root: Path) -> None:
    with start(root) as run:
        with pytest.raises(ValueError, match="could not convert string to float"):
            run.log_metrics({"loss": "high"})
        with pytest.raises(FileNotFoundError):
            run.log_artifact(root / "missing.txt")


def test_a_later_stage_resumes_the_run(root: Path, tmp_path: Path) -> None:
    run_json = tmp_path / "models" / "ner" / "run.json"
    with start(root) as run:
        run.save(run_json)
    ended = stored(root, run.run_id).info.end_time
    saved = json.loads(run_json.read_text())
    assert saved["run_id"] == run.run_id
    assert saved["experiment"] == "seqlab-ner"
    assert saved["tracking_uri"] == "sqlite:///mlflow.db"
    assert [path.name for path in run_json.parent.iterdir()] == ["run.json"]

    with TrackedRun.resume(root=root, run_json=run_json) as resumed:
        resumed.flush()
        assert stored(root, run.run_id).info.status == "RUNNING"
        resumed.log_metrics({"test/span_f1": 0.9})
    found = stored(root, run.run_id)
    assert found.data.metrics == {"test/span_f1": 0.9}
    assert found.info.status == "FINISHED"
    # The duration remains that of the training.
    assert found.info.end_time == ended


def test_the_error_is_removed_when_the_stage_succeeds(root: Path, tmp_path: Path) -> None:
    with start(root) as run:
        run.save(tmp_path / "run.json")
    with pytest.raises(RuntimeError), TrackedRun.resume(root=root, run_json=tmp_path / "run.json"):
        failed()
    assert stored(root, run.run_id).info.status == "FAILED"
    with TrackedRun.resume(root=root, run_json=tmp_path / "run.json"):
        pass
    assert stored(root, run.run_id).info.status == "FINISHED"
    assert "error" not in stored(root, run.run_id).data.tags


def test_the_end_of_a_killed_training_is_set_by_the_next_stage(root: Path, tmp_path: Path) -> None:
    run = start(root)
    run.save(tmp_path / "run.json")
    with TrackedRun.resume(root=root, run_json=tmp_path / "run.json"):
        pass
    assert stored(root, run.run_id).info.end_time is not None


def test_two_runs_can_be_open_at_once(root: Path) -> None:
    with start(root) as first, start(root) as second:
        first.log_metrics({"loss": 1})
        second.log_metrics({"loss": 2})
    assert stored(root, first.run_id).data.metrics["loss"] == 1
    assert stored(root, second.run_id).data.metrics["loss"] == 2


def test_credentials_are_not_saved(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://name:secret@host:5000")
    run = TrackedRun(root=root, run_id="abc", experiment="seqlab-ner", experiment_id="1")
    run.save(tmp_path / "run.json")
    assert json.loads((tmp_path / "run.json").read_text())["tracking_uri"] == "http://host:5000"


def test_a_missing_run_json_names_the_stage_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(SeqlabError, match=r"run\.json: there is no MLflow run to resume[\s\S]*train stage"):
        read_run_json(tmp_path / "run.json")


@pytest.mark.parametrize("content", ["{", "[]", '{"run_id": 5, "experiment": "a"}', '{"run_id": "a"}'])
def test_an_invalid_run_json(content: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(SeqlabError, match=r"run\.json: the file does not describe an MLflow run"):
        read_run_json(tmp_path / "run.json")


def test_a_run_that_the_store_does_not_contain_is_replaced_once(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved = {"run_id": "0" * 32, "experiment": "seqlab-ner", "tracking_uri": "http://name:secret@far:5000"}
    run_json = tmp_path / "run.json"
    run_json.write_text(json.dumps(saved))
    with caplog.at_level(logging.WARNING), TrackedRun.resume(root=root, run_json=run_json) as first:
        first.log_metrics({"test/span_f1": 0.5})
    assert f"does not contain run {'0' * 32} (created at http://far:5000)" in caplog.text
    with TrackedRun.resume(root=root, run_json=run_json) as second:
        pass
    assert first.run_id == second.run_id
    assert stored(root, first.run_id).data.tags["stands_in_for"] == "0" * 32
    assert json.loads(run_json.read_text()) == saved


def test_a_deleted_run_is_restored(root: Path, tmp_path: Path) -> None:
    with start(root) as run:
        run.save(tmp_path / "run.json")
    mlflow_client(resolve_tracking_uri(root)).delete_run(run.run_id)
    with TrackedRun.resume(root=root, run_json=tmp_path / "run.json") as resumed:
        resumed.log_metrics({"a": 1})
    assert stored(root, run.run_id).info.lifecycle_stage == "active"


def test_a_store_that_goes_away_while_a_run_is_resumed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start(root) as run:
        run.save(tmp_path / "run.json")
    with pytest.raises(RuntimeError), TrackedRun.resume(root=root, run_json=tmp_path / "run.json"):
        failed()
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "get_run", away)
        with TrackedRun.resume(root=root, run_json=tmp_path / "run.json") as resumed:
            resumed.log_metrics({"test/span_f1": 0.9})
    assert resumed.run_id == run.run_id
    (replay,) = replay_pending(root)
    # Resuming and the metric do not read the run.
    assert (replay.sent, replay.left) == (2, 0)
    found = stored(root, run.run_id)
    assert (found.info.status, found.data.metrics) == ("FINISHED", {"test/span_f1": 0.9})
    # The run's earlier state was unknown, so the tag was deleted as well.
    assert "error" not in found.data.tags


def away(*arguments: object) -> None:
    raise requests.ConnectionError("refused")


def test_an_interrupted_training_goes_on_in_its_run_and_logs_no_point_twice(
    root: Path, tmp_path: Path
) -> None:
    run = start(root)
    run.save(tmp_path / "run.json")
    run.log_metrics({"train/loss": 2.0}, step=1, time_ms=1_700_000_000_000)
    run.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    interrupted = stored(root, run.run_id).info
    with TrackedRun.reopen(root=root, run_json=tmp_path / "run.json") as again:
        again.log_metrics({"train/loss": 2.0}, step=1, time_ms=1_700_000_000_000)
        again.log_metrics({"train/loss": 1.0}, step=2)
    found = stored(root, run.run_id)
    assert again.run_id == run.run_id
    assert (interrupted.status, found.info.status) == ("KILLED", "FINISHED")
    assert found.info.end_time > interrupted.end_time
    assert "error" not in found.data.tags
    history = mlflow_client(resolve_tracking_uri(root)).get_metric_history(run.run_id, "train/loss")
    assert [point.step for point in history] == [1, 2]


def test_a_run_with_an_identity_is_opened_again(root: Path) -> None:
    identity = {"mlflow.parentRunId": "a" * 32, "sweep.trial": "3"}
    with pytest.raises(ValueError, match="lost"), start(root, identity=identity) as lost:
        raise ValueError("lost")
    with start(root, identity={**identity, "sweep.trial": "4"}) as other:
        pass
    with start(root, identity=identity, params={"seed": 1}) as again:
        assert again.flush() == 0
        assert stored(root, again.run_id).info.status == "RUNNING"
    assert again.run_id == lost.run_id != other.run_id
    found = stored(root, again.run_id)
    assert found.info.status == "FINISHED"
    assert found.data.params == {"seed": "1"}
    assert found.data.tags["sweep.trial"] == "3"
    assert "error" not in found.data.tags
