from __future__ import annotations

import shutil
import socket
import traceback
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE
from sqlalchemy import event

from seqlab.errors import SeqlabError
from seqlab.tracking.client import mlflow_client
from seqlab.tracking.store import (
    StoreAwayError,
    artifact_folder,
    check_server,
    prepare_store,
    resolve_tracking_uri,
    store_errors,
    usable_store,
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
        ("HTTP://name:secret@host", "http://name:secret@host"),
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


@pytest.mark.parametrize("folder", ["./mlruns", "file:///tmp/mlruns", "name:secret@host:5000"])
def test_a_folder_cannot_be_the_store(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", folder)
    message = r"MLFLOW_TRACKING_URI: MLflow cannot store runs in a folder[\s\S]*unset"
    with pytest.raises(SeqlabError, match=message) as raised:
        resolve_tracking_uri(tmp_path)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("http://[x", "its host or port is invalid"),
        ("http://name:secret@[x", "its host or port is invalid"),
        ("http://name:secr#secret@host", "its host or port is invalid"),
        ("HTTP://name:secret/secret@host", "its host or port is invalid"),
        ("http://host:port", "its host or port is invalid"),
        ("http://", "it has no host"),
        ("http://name:secret@", "it has no host"),
        ("http://name:secret word@host", "it contains white space"),
        ("http://name:12#secret@host", "`@` or `#` follows its host"),
        ("http://name:12/secret@host", "`@` or `#` follows its host"),
    ],
)
def test_an_invalid_address(
    address: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    message = (
        rf"MLFLOW_TRACKING_URI: not the address of an MLflow server: {problem}\n  expected: .*percent-enc"
    )
    with pytest.raises(SeqlabError, match=message) as raised:
        resolve_tracking_uri(tmp_path)
    assert "secr" not in str(raised.value)


@pytest.mark.parametrize(
    "address",
    [
        "htp://name:secret@host",
        "http://name:secret@*.host",
        "databricks://name:secret@host",
        "mysql://name:secret@host:1/db",
        "postgresql://name:secret@host:x/db",
        "sqlite:////proc/no/mlflow.db",
    ],
)
def test_an_unusable_store_is_an_error_without_credentials(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    message = r"the MLflow tracking store cannot be used\n[\s\S]*remedy: correct MLFLOW_TRACKING_URI"
    with pytest.raises(SeqlabError, match=message) as raised:
        prepare_store(tmp_path, "seqlab-ner")
    assert "secret" not in "".join(traceback.format_exception(raised.value))


def test_artifacts_are_stored_beside_the_database() -> None:
    root = Path("/root")
    assert artifact_folder(root, "sqlite:////data/runs.db") == Path("/data/mlartifacts")
    assert artifact_folder(root, "postgresql://host/db") == Path("/root/mlartifacts")
    assert artifact_folder(root, "http://host") is None


def test_a_deleted_experiment_is_restored(root: Path) -> None:
    experiment_id = prepare_store(root, "seqlab-ner")
    client = mlflow_client(resolve_tracking_uri(root))
    client.delete_experiment(experiment_id)
    assert prepare_store(root, "seqlab-ner") == experiment_id
    assert client.get_experiment(experiment_id).lifecycle_stage == "active"


def artifact_uris(root: Path) -> tuple[str, str, str]:
    """Return the addresses of the experiment's, the run's and the model version's artifacts."""
    client = MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("seqlab-ner")
    (run,) = client.search_runs([experiment.experiment_id])
    return (
        experiment.artifact_location,
        run.info.artifact_uri,
        client.get_model_version_download_uri("ner", "1"),
    )


@pytest.fixture
def original(root: Path) -> Path:
    """A repository whose store contains a run with an artifact and a model version."""
    experiment_id = prepare_store(root, "seqlab-ner")
    client = MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    run = client.create_run(experiment_id)
    client.log_text(run.info.run_id, "of the original", "note.txt")
    client.create_registered_model("ner")
    client.create_model_version("ner", source=run.info.artifact_uri, run_id=run.info.run_id)
    return root


@pytest.mark.parametrize("is_moved", [False, True])
def test_a_copied_or_moved_repository_has_artifacts_of_its_own(
    is_moved: bool, original: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = original.with_name("a copy")
    (shutil.move if is_moved else shutil.copytree)(original, copy)
    before = None if is_moved else artifact_uris(original)
    experiment_id = prepare_store(copy, "seqlab-ner")
    folder = copy / "mlartifacts" / "seqlab-ner"
    assert all(uri.startswith(folder.as_uri()) for uri in artifact_uris(copy))
    assert f"from {original / 'mlartifacts'} to {copy / 'mlartifacts'}" in caplog.text
    client = MlflowClient(f"sqlite:///{copy / 'mlflow.db'}")
    run_id = client.create_run(experiment_id).info.run_id
    client.log_text(run_id, "of the copy", "note.txt")
    assert (folder / run_id / "artifacts" / "note.txt").read_text() == "of the copy"
    if not is_moved:
        assert artifact_uris(original) == before
        assert not list((original / "mlartifacts").rglob(run_id))
    caplog.clear()
    prepare_store(copy, "seqlab-ner")
    assert caplog.text == ""


def test_artifacts_that_only_the_original_has_are_still_found(original: Path) -> None:
    copy = original.with_name("copy")
    copy.mkdir()
    shutil.copy(original / "mlflow.db", copy)
    _, *before = artifact_uris(original)
    prepare_store(copy, "seqlab-ner")
    experiment, *after = artifact_uris(copy)
    assert experiment == (copy / "mlartifacts" / "seqlab-ner").as_uri()
    assert after == before


def test_an_artifact_folder_from_elsewhere_that_is_missing_raises(root: Path) -> None:
    prepare_store(root, "seqlab-pos")
    elsewhere = root.with_name("elsewhere")
    client = MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    client.create_experiment("seqlab-ner", artifact_location=elsewhere.as_uri())
    with pytest.raises(SeqlabError, match=r"the artifact folder of .* 'seqlab-ner' no longer exists"):
        prepare_store(root, "seqlab-ner")
    elsewhere.mkdir()
    assert prepare_store(root, "seqlab-ner")


def test_experiments_are_of_training_and_have_a_description(root: Path) -> None:
    prepare_store(root, "seqlab-ner")
    client = MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    location = root / "mlartifacts" / "seqlab-pos"
    location.mkdir()
    tags = {"mlflow.note.content": "ours"}
    client.create_experiment("seqlab-pos", artifact_location=location.as_uri(), tags=tags)
    prepare_store(root, "seqlab-pos")
    new, old = (client.get_experiment_by_name(f"seqlab-{task}").tags for task in ("ner", "pos"))
    assert new["mlflow.experimentKind"] == old["mlflow.experimentKind"] == "custom_model_development"
    assert "seqlab reproduce RUN_ID" in new["mlflow.note.content"]
    assert old["mlflow.note.content"] == "ours"


def test_a_full_disk_is_said_without_a_traceback(
    root: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """SQLite's own limit on the size of a database fails as a full disk does."""
    experiment_id = prepare_store(root, "seqlab-ner")
    uri = resolve_tracking_uri(root)
    client = mlflow_client(uri)
    engine = client._tracking_client.store.engine
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count = 1"))
    engine.dispose()
    message = r"mlflow.db: no space is left on the disk\n  received: database or disk is full\n  remedy: free"
    with pytest.raises(SeqlabError, match=message), usable_store(uri):
        client.create_run(experiment_id, tags={f"text {i}": 4000 * "x" for i in range(100)})
    assert "Traceback" not in caplog.text + "".join(capfd.readouterr())


def test_a_database_needs_no_server() -> None:
    check_server("sqlite:////nowhere/mlflow.db")


@pytest.mark.parametrize("scheme", ["http", "HTTP"])
def test_a_server_that_is_away_raises_with_its_address(
    scheme: str, free_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{scheme}://name:secret@127.0.0.1:{free_port}")
    with pytest.raises(StoreAwayError) as raised:
        prepare_store(tmp_path, "seqlab-ner")
    text = str(raised.value)
    assert text.startswith(f"http://127.0.0.1:{free_port}: the MLflow tracking store cannot be reached")
    assert "start the server, or unset MLFLOW_TRACKING_URI" in text
    assert "secret" not in "".join(traceback.format_exception(raised.value))


def test_errors_of_the_store_contain_no_credentials() -> None:
    uri = "http://name:secret@host"
    with pytest.raises(ValueError, match="invalid http://host") as raised, store_errors(uri):
        raise ValueError(f"invalid {uri}")
    assert "secret" not in str(raised.value)
    locked = MlflowException("database is locked", error_code=TEMPORARILY_UNAVAILABLE)
    with pytest.raises(StoreAwayError, match="wait until no other process"), store_errors("sqlite:////a.db"):
        raise locked


def test_a_host_that_never_responds_times_out() -> None:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        uri = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(StoreAwayError, match="cannot be reached") as raised:
            check_server(uri, timeout_s=0.3)
    assert "timed out" in str(raised.value).lower()


def test_a_busy_server_may_answer_later_than_a_connection_may_take(
    stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.content_type, stub.delay_s = "application/json", 0.5
    monkeypatch.setattr("seqlab.tracking.store._CONNECT_TIMEOUT_S", 0.2)
    check_server(stub.uri)


@pytest.mark.parametrize(
    ("status", "content_type", "kind", "text"),
    [
        (200, "text/html", SeqlabError, "this is not an MLflow tracking server"),
        (404, "application/json", SeqlabError, "received: HTTP 404, application/json"),
        (401, "application/json", SeqlabError, "denies access[\\s\\S]*MLFLOW_TRACKING_USERNAME"),
        (403, "text/plain", SeqlabError, "denies access[\\s\\S]*--allowed-hosts"),
        (429, "text/plain", StoreAwayError, "is overloaded[\\s\\S]*HTTP 429"),
        (503, "text/html", StoreAwayError, "internal error[\\s\\S]*HTTP 503"),
    ],
)
def test_responses_that_stop_a_training_before_it_starts(
    status: int, content_type: str, kind: type[Exception], text: str, stub: Any
) -> None:
    stub.status, stub.content_type = status, content_type
    with pytest.raises(kind, match=text) as raised:
        check_server(stub.uri)
    assert type(raised.value) is kind


def test_a_json_response_passes(stub: Any) -> None:
    stub.content_type = "application/json"
    check_server(stub.uri)
