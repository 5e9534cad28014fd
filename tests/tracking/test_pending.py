"""A store that goes away while a run is open, and comes back."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from seqlab.errors import SeqlabError
from seqlab.locks import file_lock
from seqlab.tracking import pending
from seqlab.tracking.client import mlflow_client
from seqlab.tracking.pending import Replay, RunWriter, pending_operations, replay_pending
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.store import StoreAwayError, resolve_tracking_uri


class Store:
    """Replaces `apply_operation`: records operations, and fails as told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.operations: list[dict[str, Any]] = []
        self.contents: list[str] = []
        self.attempts = 0
        self.away_after: float = float("inf")
        self.errors: dict[str, Exception] = {}
        monkeypatch.setattr(pending, "apply_operation", self)

    def __call__(self, client: Any, run_id: str, operation: dict[str, Any]) -> None:
        import requests

        self.attempts += 1
        if len(self.operations) >= self.away_after:
            raise requests.ConnectionError("refused")
        if operation["kind"] in self.errors:
            raise self.errors[operation["kind"]]
        self.operations.append(operation)
        if "file" in operation:
            path = Path(operation["file"])
            self.contents.append((path / "below" / "weights" if path.is_dir() else path).read_text())

    @property
    def kinds(self) -> str:
        return "".join(operation["kind"] for operation in self.operations)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    return Store(monkeypatch)


@pytest.fixture
def writer(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> RunWriter:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{empty_database}")
    return RunWriter(root=tmp_path, run_id="abc", retry_after_s=3600.0)


def append(writer: RunWriter, kinds: str) -> None:
    for kind in kinds:
        writer.append({"kind": kind})


def result(writer: RunWriter, **counts: int) -> Replay:
    return Replay("abc", writer.tracking_uri, **counts)


def test_operations_are_sent_in_order_and_deleted(writer: RunWriter, store: Store, tmp_path: Path) -> None:
    file, folder = tmp_path / "file.txt", tmp_path / "folder"
    for kind in ("a", "b"):
        file.write_text(kind)
        writer.append({"kind": kind, "file": str(file)})
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "weights").write_text("w")
    writer.append({"kind": "c", "file": str(folder)})
    file.unlink()
    shutil.rmtree(folder)
    assert writer.send_pending() == result(writer, sent=3)
    assert store.kinds == "abc"
    assert store.contents == ["a", "b", "w"]
    assert [path.name for path in writer.folder.iterdir()] == ["lock"]
    assert writer.send_pending() == result(writer)


def test_operations_stay_in_order_if_the_clock_is_set_back(
    writer: RunWriter, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(writer, "a")
    monkeypatch.setattr(pending.time, "time_ns", lambda: 1)
    append(writer, "bc")
    writer.send_pending()
    assert store.kinds == "abc"


def test_the_rest_stays_pending_if_the_store_goes_away_again(writer: RunWriter, store: Store) -> None:
    append(writer, "abcd")
    store.away_after = 2
    assert writer.send_pending() == result(writer, sent=2, left=2)
    append(writer, "e")
    store.away_after = float("inf")
    assert writer.send_pending() == result(writer, sent=3)
    assert store.kinds == "abcde"


def test_a_later_write_sends_pending_operations_first(
    writer: RunWriter, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.away_after = 0
    writer.write({"kind": "a"})
    assert writer.flush() == 1
    store.away_after = float("inf")
    with caplog.at_level(logging.WARNING):
        writer.write({"kind": "b"})
        assert writer.flush() == 0
    assert store.kinds == "ab"
    assert "MLflow is reachable again: 2 pending writes to run abc were sent" in caplog.text
    assert not writer.folder.exists()


def test_a_store_that_is_away_is_not_tried_at_every_write(writer: RunWriter, store: Store) -> None:
    store.away_after = 0
    writer.note_away(ConnectionError("refused"))
    for _ in range(5):
        writer.write({"kind": "a"})
    assert store.attempts == 0
    # The end of a stage is a last attempt.
    assert writer.flush() == 5
    assert store.attempts == 1
    # A later process tries again.
    store.away_after = float("inf")
    assert replay_pending(writer.root) == [result(writer, sent=5)]
    assert replay_pending(writer.root) == []


def test_a_write_does_not_wait_for_another_process_that_sends(writer: RunWriter, store: Store) -> None:
    append(writer, "a")
    with file_lock(writer.folder / "lock"):
        writer.write({"kind": "b"})
        assert writer.flush(timeout_s=0) == 2
        assert store.kinds == ""
    writer.write({"kind": "c"})
    assert writer.flush() == 0
    assert store.kinds == "abc"


def rejections() -> list[Exception]:
    import requests
    from mlflow.exceptions import MlflowException

    response = requests.Response()
    response.status_code = 413
    message = "no such thing at http://name:secret@host"
    return [
        MlflowException.invalid_parameter_value(message),
        requests.HTTPError(message, response=response),
    ]


@pytest.mark.parametrize("error", rejections())
def test_a_rejected_operation_is_set_aside_with_the_reason(
    writer: RunWriter, store: Store, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    append(writer, "abc")
    store.errors["b"] = error
    with caplog.at_level(logging.WARNING):
        assert writer.send_pending() == result(writer, sent=2, rejected=1)
    assert store.kinds == "ac"
    assert "MLflow rejected a write to run abc: no such thing at http://host" in caplog.text
    (entry,) = (writer.folder / "rejected").iterdir()
    assert json.loads((entry / "operation.json").read_text())["operation"] == {"kind": "b"}
    assert (entry / "error.txt").read_text() == "no such thing at http://host\n"
    assert not pending_operations(writer.folder)


def test_a_rejected_write_does_not_end_the_training(
    writer: RunWriter, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.errors["a"] = rejections()[0]
    writer.write({"kind": "a"})
    writer.write({"kind": "b"})
    assert writer.flush() == 0
    assert store.kinds == "b"
    assert "MLflow rejected a write to run abc: no such thing at http://host" in caplog.text
    with pytest.raises(SeqlabError, match="run abc: MLflow rejected a write\n  received: no such thing"):
        writer.write_and_wait({"kind": "a"})
    assert [path.name for path in writer.folder.iterdir() if path.name != "lock"] == ["rejected"]


def test_an_expired_token_rejects_nothing(
    writer: RunWriter, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    from mlflow.exceptions import RestException

    store.errors["a"] = RestException({"error_code": "PERMISSION_DENIED", "message": "expired"})
    writer.write({"kind": "a"})
    assert writer.flush() == 1
    assert writer.write_and_wait({"kind": "b"}) is None
    assert "cannot be reached" in caplog.text
    with pytest.raises(SeqlabError, match="the MLflow tracking server denies access"):
        replay_pending(writer.root)
    store.errors.clear()
    assert replay_pending(writer.root) == [result(writer, sent=2)]
    assert not writer.folder.exists()


@pytest.mark.parametrize("error", [TypeError("a mistake"), OSError(28, "No space left on device")])
def test_no_error_while_sending_ends_a_training(
    writer: RunWriter, store: Store, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    store.errors["a"] = error
    writer.write({"kind": "a"})
    assert writer.flush() == 1
    assert f"({error}). Work continues" in caplog.text
    store.errors.clear()
    writer.write({"kind": "b"})
    assert writer.flush() == 0
    assert store.kinds == "ab"


def test_the_wait_at_the_end_is_bounded(
    writer: RunWriter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answered = threading.Event()
    monkeypatch.setattr(pending, "apply_operation", lambda *_: answered.wait(60))
    writer.write({"kind": "a"})
    assert writer.flush(timeout_s=0.1) == 1
    assert "it answers slowly or not at all" in caplog.text
    answered.set()
    assert writer.flush() == 0


def test_a_folder_that_is_removed_meanwhile_is_made_again(
    writer: RunWriter, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdtemp = tempfile.mkdtemp

    def removed(**options: Any) -> str:
        Path(options["dir"]).rmdir()
        monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
        return mkdtemp(**options)

    monkeypatch.setattr(tempfile, "mkdtemp", removed)
    writer.write({"kind": "a"})
    assert writer.flush() == 0
    assert store.kinds == "a"


def test_a_write_that_cannot_be_kept_says_why(
    writer: RunWriter, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pending.os, "fsync", full)
    with pytest.raises(SeqlabError, match=r"a write to MLflow cannot be kept on disk[\s\S]*No space left"):
        writer.write({"kind": "a"})
    assert pending_operations(writer.folder) == []


def test_an_unexpected_error_loses_nothing(writer: RunWriter, store: Store) -> None:
    append(writer, "ab")
    store.errors["a"] = TypeError("a mistake")
    with pytest.raises(TypeError):
        writer.send_pending()
    store.errors.clear()
    assert writer.send_pending().sent == 2
    assert store.kinds == "ab"


def test_an_incomplete_operation_of_a_killed_process_is_ignored(
    writer: RunWriter, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(writer, "a")
    (writer.folder / ".123.half").mkdir()
    (writer.folder / ".123.half" / "operation.json").write_text('{"operation": {"ki')
    # A process killed after it sent an operation, while it deleted the folder.
    (writer.folder / "456").mkdir()
    (writer.folder / "456" / "copy.txt").write_text("sent")
    append(writer, "c")
    assert writer.send_pending().sent == 2
    assert store.kinds == "ac"


def test_an_operation_sent_by_a_killed_process_is_sent_again(
    writer: RunWriter, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(writer, "ab")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            writer.send_pending()
    assert writer.send_pending().sent == 2
    assert store.kinds == "aab"


def test_credentials_are_taken_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    checked: list[str] = []
    monkeypatch.setattr(pending, "check_server", checked.append)
    for run_id, address in (("a", "http://name:secret@host"), ("b", "http://other")):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        append(RunWriter(root=tmp_path, run_id=run_id), "x")
    files = (tmp_path / ".seqlab" / "mlflow-pending").rglob("*.json")
    assert not any("secret" in file.read_text() for file in files)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://name:secret@host")
    assert [replay.tracking_uri for replay in replay_pending(tmp_path)] == ["http://host", "http://other"]
    assert checked == ["http://name:secret@host", "http://other"]


def test_a_server_that_denies_access_rejects_nothing(
    tmp_path: Path, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", stub.uri)
    stub.status = 401
    writer = RunWriter(root=tmp_path, run_id="abc")
    append(writer, "a")
    writer.write({"kind": "b"})
    writer.flush()
    with pytest.raises(SeqlabError, match="denies access"):
        replay_pending(tmp_path)
    assert len(pending_operations(writer.folder)) == 2


def test_nothing_is_lost_while_the_server_answers_503(
    root: Path, tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = mlflow_client(resolve_tracking_uri(root))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    run_json, picture = tmp_path / "run.json", tmp_path / "picture.txt"

    with (
        caplog.at_level(logging.WARNING),
        TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a", params={"seed": 1}) as run,
    ):
        run.log_metrics({"train/loss": 3}, step=1)
        run.log_dict({"before": 1}, "before.json")
        assert run.flush() == 0
        server.status = 503
        run.log_metrics({"train/loss": 2}, step=2)
        picture.write_text("pixels")
        run.log_artifact(picture, "plots")
        picture.unlink()
        run.log_metrics({"train/loss": 1}, step=3)
        run.save(run_json)
    warnings = [record.getMessage() for record in caplog.records if record.name.startswith("seqlab")]
    assert len(warnings) == 1
    assert f"MLflow at {server.uri} cannot be reached (" in warnings[0]
    assert f"by `seqlab replay` in {root}" in warnings[0]

    # Evaluate starts while the server is still away.
    with TrackedRun.resume(root=root, run_json=run_json) as resumed:
        resumed.log_metrics({"test/span_f1": 0.9})
    assert resumed.run_id == run.run_id
    assert [replay.left for replay in replay_pending(root)] == [8]
    with pytest.raises(StoreAwayError, match="HTTP 503"):
        TrackedRun.start(root=root, experiment="seqlab-ner", run_name="b")
    assert client.get_run(run.run_id).info.status == "RUNNING"

    server.status = 0
    (replay,) = replay_pending(root)
    assert str(replay) == f"run {run.run_id} at {server.uri}: 8 sent, 0 rejected, 0 still pending"
    found = client.get_run(run.run_id)
    assert found.info.status == "FINISHED"
    assert found.data.metrics == {"train/loss": 1.0, "test/span_f1": 0.9}
    history = client.get_metric_history(run.run_id, "train/loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert json.loads(Path(client.download_artifacts(run.run_id, "before.json")).read_text()) == {"before": 1}
    assert Path(client.download_artifacts(run.run_id, "plots/picture.txt")).read_text() == "pixels"
