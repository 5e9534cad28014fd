"""A training whose MLflow server fails in every way that a server can. Nothing is delayed, lost, doubled."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from seqlab.tracking.client import mlflow_client
from seqlab.tracking.pending import replay_pending
from seqlab.tracking.run import TrackedRun

PASSWORD = "swordfish%40home"
PATIENT = {"timeout_s": 60.0, "limit_s": 60.0}


@pytest.fixture
def root(tmp_path: Path, proxy: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://name:{PASSWORD}@127.0.0.1:{proxy.port}")
    return tmp_path


def history(server: Any, run: TrackedRun) -> list[tuple[int, float]]:
    client = mlflow_client(f"sqlite:///{server.root / 'mlflow.db'}")
    assert client.get_run(run.run_id).info.status == "FINISHED"
    return [(point.step, point.value) for point in client.get_metric_history(run.run_id, "train/loss")]


def answer(fault: str) -> Callable[[Any, Any], Iterator[None]]:
    def fail(server: Any, proxy: Any) -> Iterator[None]:
        proxy.fault = fault
        yield
        proxy.fault = ""

    fail.__name__ = fault
    return fail


def stop(server: Any, proxy: Any) -> Iterator[None]:
    server.signal(signal.SIGSTOP)
    yield
    server.signal(signal.SIGCONT)


def kill(server: Any, proxy: Any) -> Iterator[None]:
    server.kill()
    yield
    server.start()


def fill_disk(server: Any, proxy: Any) -> Iterator[None]:
    server.limit_file_size(0)
    yield
    server.limit_file_size(-1)


FAULTS = [*map(answer, ("refuse", "hang", "cut", "429", "500", "503")), stop, kill, fill_disk]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_training_goes_on_and_replay_sends_what_is_missing(
    fault: Callable[[Any, Any], Iterator[None]],
    root: Path,
    server: Any,
    proxy: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        caplog.at_level(logging.WARNING),
        TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a") as run,
    ):
        run.log_metrics({"train/loss": 4}, step=1)
        assert run.flush(**PATIENT) == 0
        failing = fault(server, proxy)
        next(failing)
        run.log_metrics({"train/loss": 3}, step=2)
        assert run.flush(**PATIENT) == 1
        run.log_metrics({"train/loss": 2}, step=3)
        run.save(root / "run.json")
    assert "cannot be reached" in caplog.text
    next(failing, None)
    (replay,) = replay_pending(root)
    assert (replay.sent, replay.rejected, replay.left) == (3, 0, 0)
    assert history(server, run) == [(1, 4.0), (2, 3.0), (3, 2.0)]
    assert replay_pending(root) == []

    files = [path for path in root.rglob("*") if path.is_file()]
    texts = [caplog.text, str(replay), *(path.read_text(encoding="utf-8") for path in files)]
    assert not any("swordfish" in text for text in texts)


def test_every_fault_in_one_training(root: Path, server: Any, proxy: Any) -> None:
    """A fault in each epoch, metrics and files: each is there once, and the metrics in order."""
    faults = ("refuse", "cut", "429", "hang", "500", "503")
    with TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a") as run:
        assert run.flush(**PATIENT) == 0
        for epoch, fault in enumerate(faults, start=1):
            proxy.fault = fault
            run.log_metrics({"train/loss": 1 / epoch}, step=epoch)
            run.log_dict({"epoch": epoch}, f"epochs/{epoch}.json")
            assert run.flush(timeout_s=10.0, limit_s=10.0) >= 1
        run.log_metrics({"train/loss": 0.0}, step=7)
    proxy.fault = ""
    (replay,) = replay_pending(root)
    assert (replay.rejected, replay.left) == (0, 0)
    assert history(server, run) == [*((epoch, 1 / epoch) for epoch in range(1, 7)), (7, 0.0)]
    folder = server.root / "mlartifacts"
    written = {path.name: path.read_text() for path in folder.rglob(f"{run.run_id}/artifacts/epochs/*")}
    assert {name: json.loads(text) for name, text in written.items()} == {
        f"{epoch}.json": {"epoch": epoch} for epoch in range(1, 7)
    }


def test_the_server_of_the_ui_listens_on_this_machine_only(server: Any) -> None:
    main = psutil.Process(server.process.pid)
    sockets = [c for process in (main, *main.children(recursive=True)) for c in process.net_connections()]
    listening = {(c.laddr.ip, c.laddr.port) for c in sockets if c.status == psutil.CONN_LISTEN}
    assert listening == {("127.0.0.1", server.port)}


def test_the_pending_writes_contain_no_credentials(root: Path, proxy: Any, server: Any) -> None:
    with TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a") as run:
        proxy.fault = "503"
        run.set_tags({"source": f"http://name:{PASSWORD}@host/data, Bearer swordfish@home"})
        run.log_metrics({"train/loss": 1}, step=1)
    files = list((root / ".seqlab").rglob("operation.json"))
    assert files
    assert not any("swordfish" in file.read_text() for file in files)


def test_a_server_that_comes_back_receives_everything_from_a_later_write(
    root: Path, server: Any, proxy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING),
        TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a") as run,
    ):
        proxy.fault = "503"
        run.log_metrics({"train/loss": 2}, step=1)
        assert run.flush() >= 1
        proxy.fault = ""
        run.log_metrics({"train/loss": 1}, step=2)
    assert "MLflow is reachable again" in caplog.text
    assert history(server, run) == [(1, 2.0), (2, 1.0)]
    assert replay_pending(root) == []


def test_no_write_waits_for_an_answer(
    root: Path, server: Any, proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a") as run:
        assert run.flush(**PATIENT) == 0
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
        proxy.fault = "hang"
        run.log_metrics({"train/loss": 3}, step=1)
        assert proxy.held.wait(30)
        run.log_metrics({"train/loss": 2}, step=2)
        run.log_metrics({"train/loss": 1}, step=3)
        # The first request is still open: no write has waited until it timed out.
        assert not proxy.abandoned.is_set()
    assert not proxy.abandoned.is_set()
    proxy.fault = ""
    assert sum(replay.left for replay in replay_pending(root)) == 0
    assert history(server, run) == [(1, 3.0), (2, 2.0), (3, 1.0)]
