from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from seqlab.errors import SeqlabError
from seqlab.tracking.client import mlflow_client
from seqlab.tracking.store import (
    StoreAwayError,
    artifact_folder,
    check_server,
    prepare_store,
    resolve_tracking_uri,
)


def test_the_default_store_is_at_the_root_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert resolve_tracking_uri(Path("..")) == f"sqlite:///{tmp_path}/mlflow.db"


@pytest.mark.parametrize(
    ("variable", "uri"),
    [
        ("http://host:5000/", "http://host:5000"),
        ("sqlite:////absolute/runs.db", "sqlite:////absolute/runs.db"),
        ("sqlite:///runs.db", "sqlite:///{root}/runs.db"),
        ("postgresql://u:p@host/db", "postgresql://u:p@host/db"),
    ],
)
def test_the_environment_names_another_store(
    variable: str, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", variable)
    assert resolve_tracking_uri(tmp_path) == uri.format(root=tmp_path)


@pytest.mark.parametrize("folder", ["./mlruns", "file:///tmp/mlruns"])
def test_a_folder_is_no_store(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", folder)
    with pytest.raises(SeqlabError, match=r"MLFLOW_TRACKING_URI: a folder cannot hold runs[\s\S]*unset"):
        resolve_tracking_uri(tmp_path)


def test_artifacts_lie_beside_the_database() -> None:
    root = Path("/root")
    assert artifact_folder(root, "sqlite:////data/runs.db") == Path("/data/mlartifacts")
    assert artifact_folder(root, "postgresql://host/db") == Path("/root/mlartifacts")
    assert artifact_folder(root, "http://host") is None


def test_four_processes_make_a_fresh_store_at_the_same_moment(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, mlflow; from seqlab.tracking.store import prepare_store;"
        "print('ready', flush=True); sys.stdin.readline();"
        "print(prepare_store(pathlib.Path(sys.argv[1]), sys.argv[2]), flush=True)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("seqlab-ner", "seqlab-pos") * 2
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    ids = [out.strip() for out, _ in answers]
    assert len(set(ids[0::2])) == len(set(ids[1::2])) == 1
    assert ids[0] != ids[1]
    # Not one line of the migrations reaches the terminal.
    assert [err for _, err in answers] == [""] * 4
    client = mlflow_client(resolve_tracking_uri(tmp_path))
    location = client.get_experiment_by_name("seqlab-ner").artifact_location
    assert location == (tmp_path / "mlartifacts" / "seqlab-ner").as_uri()


def test_a_deleted_experiment_is_restored(root: Path) -> None:
    experiment_id = prepare_store(root, "seqlab-ner")
    client = mlflow_client(resolve_tracking_uri(root))
    client.delete_experiment(experiment_id)
    assert prepare_store(root, "seqlab-ner") == experiment_id
    assert client.get_experiment(experiment_id).lifecycle_stage == "active"


def test_a_moved_repository_is_told(root: Path) -> None:
    prepare_store(root, "seqlab-ner")
    moved = root.with_name("moved")
    root.rename(moved)
    with pytest.raises(SeqlabError, match=r"'seqlab-ner' keeps its artifacts where no folder is any more"):
        prepare_store(moved, "seqlab-ner")
    # A copy beside the original is no move.
    shutil.copytree(moved, root)
    assert prepare_store(moved, "seqlab-ner")


def test_a_database_needs_no_server() -> None:
    check_server("sqlite:////nowhere/mlflow.db")


def test_a_server_that_is_away_is_told_with_its_address(
    free_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://name:secret@127.0.0.1:{free_port}")
    with pytest.raises(StoreAwayError) as raised:
        prepare_store(tmp_path, "seqlab-ner")
    text = str(raised.value)
    assert text.startswith(f"http://127.0.0.1:{free_port}: the MLflow tracking server does not answer")
    assert "start the server, or unset MLFLOW_TRACKING_URI" in text
    assert "secret" not in text


def test_a_host_that_accepts_and_never_answers_is_given_up() -> None:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        uri = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(StoreAwayError, match="does not answer") as raised:
            check_server(uri, timeout_s=0.3)
    assert "timed out" in str(raised.value).lower()


class Answer(BaseHTTPRequestHandler):
    status, content_type = 200, "text/html"

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Type", self.content_type)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def answering() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "content_type", "kind", "text"),
    [
        (200, "text/html", SeqlabError, "does not answer as an MLflow tracking server does"),
        (404, "application/json", SeqlabError, "received: HTTP 404, application/json"),
        (401, "application/json", SeqlabError, "refuses access[\\s\\S]*MLFLOW_TRACKING_USERNAME"),
        (403, "text/plain", SeqlabError, "refuses access[\\s\\S]*--allowed-hosts"),
        (503, "text/html", StoreAwayError, "is in trouble[\\s\\S]*HTTP 503"),
    ],
)
def test_answers_that_no_training_should_start_on(
    status: int,
    content_type: str,
    kind: type[Exception],
    text: str,
    answering: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Answer, "status", status)
    monkeypatch.setattr(Answer, "content_type", content_type)
    with pytest.raises(kind, match=text) as raised:
        check_server(answering)
    assert type(raised.value) is kind


def test_an_answer_with_json_passes(answering: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answer, "content_type", "application/json")
    check_server(answering)
