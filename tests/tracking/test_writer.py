"""A tracking server that goes away in the middle of a training, and comes back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqlab.tracking.client import mlflow_client
from seqlab.tracking.replay import replay_pending
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.store import check_server, resolve_tracking_uri


def test_no_training_is_lost_when_the_server_goes_away(
    root: Path,
    tmp_path: Path,
    make_server: Callable[[Path], Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server = make_server(root)
    server.start()
    check_server(server.uri)
    client = mlflow_client(resolve_tracking_uri(root))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    run_json, picture = tmp_path / "run.json", tmp_path / "picture.txt"

    with (
        caplog.at_level(logging.WARNING),
        TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a", params={"seed": 1}) as run,
    ):
        run.log_metrics({"train/loss": 3}, step=1)
        run.log_text("before", "before.txt")
        server.kill()
        run.log_metrics({"train/loss": 2}, step=2)
        picture.write_text("pixels")
        run.log_artifact(picture, "plots/picture.txt")
        picture.unlink()
        run.log_metrics({"train/loss": 1}, step=3)
        run.save(run_json)
    pending = root / ".seqlab" / "mlflow-pending" / run.run_id
    warnings = [record.getMessage() for record in caplog.records if record.name.startswith("seqlab")]
    assert len(warnings) == 1
    assert f"MLflow at {server.uri} cannot be reached (" in warnings[0]
    assert f"with `seqlab replay` in {root}" in warnings[0]

    # Evaluate finds the server still away, and scores all the same.
    with TrackedRun.resume(root=root, run_json=run_json) as resumed:
        resumed.log_metrics({"test/span_f1": 0.9})
    assert resumed.run_id == run.run_id
    assert [replay.left for replay in replay_pending(root)] == [7]
    assert client.get_run(run.run_id).info.status == "RUNNING"

    server.start()
    (replay,) = replay_pending(root)
    assert str(replay) == f"run {run.run_id} at {server.uri}: 7 sent, 0 refused, 0 still waiting"
    assert not pending.exists()
    found = client.get_run(run.run_id)
    assert found.info.status == "FINISHED"
    assert found.data.metrics == {"train/loss": 1.0, "test/span_f1": 0.9}
    history = client.get_metric_history(run.run_id, "train/loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    for name, text in (("before.txt", "before"), ("plots/picture.txt", "pixels")):
        assert Path(client.download_artifacts(run.run_id, name)).read_text() == text


class Failing:
    """Stands for a run's store that is away for a while."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from seqlab.tracking import journal, operations, writer

        self.away = False
        self.attempts = 0
        self._real = operations.apply_operation
        monkeypatch.setattr(writer, "apply_operation", self)
        monkeypatch.setattr(journal, "apply_operation", self)

    def __call__(self, *arguments: Any) -> str | None:
        import requests

        self.attempts += 1
        if self.away:
            raise requests.ConnectionError("refused")
        return self._real(*arguments)


def test_a_later_write_sends_what_waits_first(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a") as run:
        store = Failing(monkeypatch)
        run._writer.retry_after_s = 0.0
        store.away = True
        run.log_params({"seed": 1})
        store.away = False
        with caplog.at_level(logging.WARNING):
            run.log_metrics({"loss": 1}, step=1)
        assert f"MLflow is back: 1 writes of run {run.run_id} are sent" in caplog.text
        found = mlflow_client(resolve_tracking_uri(root)).get_run(run.run_id)
        assert found.data.params == {"seed": "1"}
        assert found.data.metrics == {"loss": 1.0}


def test_a_server_that_hangs_is_not_asked_at_every_write(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a") as run:
        store = Failing(monkeypatch)
        run._writer.retry_after_s = 3600.0
        store.away = True
        for step in range(5):
            run.log_metrics({"loss": 1}, step=step)
        assert store.attempts == 1
    # The next process looks again, and sends the five and the run's end.
    store.away = False
    (replay,) = replay_pending(root)
    assert (replay.sent, replay.left) == (6, 0)
    assert mlflow_client(resolve_tracking_uri(root)).get_run(run.run_id).info.status == "FINISHED"
