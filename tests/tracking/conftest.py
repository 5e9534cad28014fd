from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seqlab.tracking.client import SETTINGS
from seqlab.tracking.server import ui_command, ui_environment
from seqlab.tracking.store import check_server, prepare_store


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("MLFLOW_TRACKING", "DVC_")):
            monkeypatch.delenv(name)
    # What the code sets where nothing stands is put back after each test.
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("template")
    prepare_store(root, "template")
    return root / "mlflow.db"


@pytest.fixture
def root(tmp_path: Path, empty_database: Path) -> Path:
    """A repository's root with a database that is made already, which takes seconds."""
    folder = tmp_path / "a repository"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    return folder


class Server:
    """`mlflow server` over a root's store, in a process group of its own."""

    def __init__(self, root: Path, port: int) -> None:
        self._command = ui_command(root, port=port)
        self.uri = f"http://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            env=ui_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for _ in range(300):
            try:
                check_server(self.uri)
                return
            except Exception:
                assert self._process.poll() is None, "the server ended while it started"
                time.sleep(0.1)
        raise AssertionError("the server did not answer within 30 s")

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=10)
            self._process = None


@pytest.fixture
def make_server(free_port: int) -> Iterator[Callable[[Path], Server]]:
    made: list[Server] = []

    def make(root: Path) -> Server:
        made.append(Server(root, free_port))
        return made[-1]

    yield make
    for server in made:
        server.kill()
