"""The shared server as docs/server.md sets it up: PostgreSQL, artifacts in S3, TLS, users with roles."""

from __future__ import annotations

import os
import subprocess
import time

import pytest
import requests
from shared_server import BUCKET, PROGRAMS, SharedServer, environment, s3_client
from writer import check_runs, write_at_once

from seqlab.errors import SeqlabError
from seqlab.tracking.client import mlflow_client
from seqlab.tracking.registry import promote
from seqlab.tracking.store import prepare_store

EPOCHS = 20


def test_two_writers_at_once_lose_and_repeat_nothing(server, users, s3, tmp_path):
    folders = write_at_once(tmp_path, {name: users[name] for name in ("ann", "bob")}, runs=5, epochs=EPOCHS)
    with environment(users["ann"]):
        client = mlflow_client(server.address)
        check_runs(folders, EPOCHS, client)
        (experiment,) = {client.get_experiment_by_name("seqlab-shared").artifact_location}
        assert experiment.startswith("mlflow-artifacts:/"), "clients need no keys of the object store"
    objects = s3_client(s3).list_objects_v2(Bucket=BUCKET, Prefix="mlflow/")["Contents"]
    assert len([entry for entry in objects if entry["Key"].endswith("/artifacts/note.txt")]) == 10
    with environment(users["bob"]):
        promoted = promote(tmp_path, name="seqlab-shared", alias="1", force=True)
        assert str(promoted.version.version) == "1"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/2.0/mlflow/experiments/search?max_results=1",
        "/ajax-api/2.0/mlflow/users/current",
        "/api/2.0/mlflow-artifacts/artifacts?path=",
        "/get-artifact?path=note.txt&run_id=0",
    ],
)
def test_without_a_valid_login_nothing_is_read(server, path):
    assert server.request(path) == 401
    assert server.request(path, auth=("admin", "password1234")) == 401
    assert server.request(path, headers={"Host": "elsewhere.example"}) == 403


def test_nothing_but_the_sign_of_life_is_open(server):
    assert server.request("/health") == 200
    assert server.request("/version") == 401
    assert server.request("/version", auth=("admin", server.password)) == 200
    address = f"http://127.0.0.1:{server.port}/health"
    with pytest.raises(requests.ConnectionError):
        requests.get(address, timeout=20)


def test_a_client_without_a_login_is_told_what_to_set(server, tmp_path):
    message = r"denies access[\s\S]*set MLFLOW_TRACKING_USERNAME"
    with environment(server.login()), pytest.raises(SeqlabError, match=message):
        prepare_store(tmp_path, "seqlab-shared")


def test_a_reader_writes_nothing_and_a_writer_deletes_only_what_is_its_own(server, users, tmp_path):
    with environment(users["ann"]):
        experiment_id = prepare_store(tmp_path, "seqlab-read")
    with environment(users["eve"]):
        client = mlflow_client(server.address)
        assert client.get_experiment(experiment_id).name == "seqlab-read"
        with pytest.raises(Exception, match="Permission denied"):
            client.create_run(experiment_id)
        assert client.search_runs([experiment_id]) == []
    with environment(users["bob"]):
        client = mlflow_client(server.address)
        client.create_run(experiment_id)
        with pytest.raises(Exception, match="Permission denied"):
            client.delete_experiment(experiment_id)
    with environment(users["ann"]):
        mlflow_client(server.address).delete_experiment(experiment_id)


def test_a_user_without_a_role_sees_only_what_is_its_own(server, users, tmp_path):
    with environment(users["ann"]):
        experiment_id = prepare_store(tmp_path, "seqlab-hidden")
    created = requests.post(
        server.address + "/api/2.0/mlflow/users/create",
        json={"username": "dan", "password": "password-of-dan"},
        auth=("admin", server.password),
        verify=str(server.certificate),
        timeout=20,
    )
    assert created.status_code == 200
    with environment(server.login("dan", "password-of-dan")):
        client = mlflow_client(server.address)
        assert client.search_experiments() == []
        with pytest.raises(Exception, match="Permission denied"):
            client.get_experiment(experiment_id)
        own = prepare_store(tmp_path, "seqlab-of-dan")
        assert [experiment.experiment_id for experiment in client.search_experiments()] == [own]


def test_users_are_added_listed_and_removed(server, users):
    assert server.manage_users("list").split("\n")[:4] == [
        "admin administrator",
        "ann writer",
        "bob writer",
        "eve reader",
    ]
    first = server.new_login("add", "carl", "--role", "reader")
    second = server.new_login("password", "carl")
    statuses = [
        server.request("/version", auth=("carl", login["MLFLOW_TRACKING_PASSWORD"]))
        for login in (first, second)
    ]
    assert statuses == [401, 200]
    with pytest.raises(
        SystemExit, match=r"error: HTTP 400: .*User \(username=carl\) already exists"
    ) as raised:
        server.manage_users("add", "carl", "--role", "reader")
    assert "hash" not in str(raised.value)
    server.manage_users("remove", "carl")
    deadline = time.monotonic() + 30  # each worker remembers a password for 10 s
    while server.request("/version", auth=("carl", second["MLFLOW_TRACKING_PASSWORD"])) != 401:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    with pytest.raises(SystemExit, match="error: HTTP 404"):
        server.manage_users("password", "carl")


def test_a_backup_is_restored_into_another_database(server, users, database, s3, tmp_path):
    (folder,) = write_at_once(tmp_path, {"ann": users["ann"]}, runs=1, epochs=EPOCHS)
    backup = tmp_path / "mlflow.dump"
    database.client("pg_dump", "--format=custom", f"--file={backup}", "mlflow")
    database.client("createdb", "restored")
    database.client("pg_restore", "--exit-on-error", "--dbname=restored", str(backup))
    uri = database.uri("restored")
    variables = {"PATH": os.environ["PATH"], "PGPASSFILE": str(database.pgpass)}
    for command in (
        ["mlflow", "db", "upgrade", uri],
        ["python", "-m", "mlflow.server.auth", "db", "upgrade", "--url", uri],
    ):
        subprocess.run(
            [PROGRAMS / command[0], *command[1:]], env=variables, check=True, timeout=300, capture_output=True
        )
    (tmp_path / "second").mkdir()
    second = SharedServer(tmp_path / "second", uri=uri, pgpass=database.pgpass, s3=s3)
    second.start()
    try:
        with environment({**users["ann"], **second.login()}):
            check_runs([folder], EPOCHS, mlflow_client(second.address))
    finally:
        second.stop()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"MLFLOW_FLASK_SERVER_SECRET_KEY": ""}, "MLFLOW_FLASK_SERVER_SECRET_KEY is empty"),
        ({"MLFLOW_AUTH_ADMIN_PASSWORD": "short"}, "Password must be at least 12 characters"),
    ],
)
def test_a_server_without_secrets_does_not_start(database, s3, tmp_path, change, message):
    database.client("createdb", (name := f"empty{len(str(change))}"))
    server = SharedServer(tmp_path, uri=database.uri(name), pgpass=database.pgpass, s3=s3)
    server.settings |= change
    with pytest.raises(AssertionError, match=message):
        server.start()
