from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tracking"))
sys.path.insert(0, str(Path(__file__).parent))

from shared_server import Postgres, SharedServer, postgres, s3_endpoint


@pytest.fixture(scope="session")
def database() -> Iterator[Postgres]:
    with postgres() as started:
        yield started


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    with s3_endpoint() as address:
        yield address


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, database: Postgres, s3: str) -> Iterator[SharedServer]:
    database.client("createdb", "mlflow")
    folder = tmp_path_factory.mktemp("server")
    started = SharedServer(folder, uri=database.uri("mlflow"), pgpass=database.pgpass, s3=s3)
    started.start()
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="session")
def users(server: SharedServer) -> dict[str, dict[str, str]]:
    """The environment of each user."""
    roles = {"ann": "writer", "bob": "writer", "eve": "reader"}
    return {name: server.new_login("add", name, "--role", role) for name, role in roles.items()}
