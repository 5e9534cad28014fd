from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from seqlab.tracking.client import SETTINGS
from seqlab.tracking.store import StoreAwayError, check_server, prepare_store
from seqlab.tracking.ui_server import ui_command, ui_environment


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("MLFLOW_TRACKING", "DVC_")):
            monkeypatch.delenv(name)
    # Variables that the code adds are removed after each test.
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("template")
    prepare_store(root, "template")
    return root / "mlflow.db"


@pytest.fixture
def root(tmp_path: Path, empty_database: Path) -> Path:
    """A repository's root with a new database, which takes MLflow seconds to create."""
    folder = tmp_path / "a repository"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    return folder


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A saved MLflow model with an export that contains no real model."""
    from mlflow.models import Model

    export = tmp_path / "model" / "artifacts" / "export"
    export.mkdir(parents=True)
    (export / "config.json").write_text("{}", encoding="utf-8")
    Model().save(str(tmp_path / "model" / "MLmodel"))
    return tmp_path / "model"


class Proxy(ThreadingHTTPServer):
    """Forwards requests to a server, or answers all of them with `status` if it is not 0."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), ProxyHandler)
        self.target_port = port
        self.uri = f"http://127.0.0.1:{self.server_port}"
        self.status = 0
        self.content_type = "text/html"
        self.delay_s = 0.0


class ProxyHandler(BaseHTTPRequestHandler):
    server: Proxy

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, content_type, content = self.server.status, self.server.content_type, b"{}"
        if not status:
            connection = http.client.HTTPConnection("127.0.0.1", self.server.target_port, timeout=20)
            connection.request(self.command, self.path, body, dict(self.headers))
            response = connection.getresponse()
            status, content_type = response.status, response.headers["Content-Type"]
            content = response.read()
            connection.close()
        time.sleep(self.server.delay_s)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        pass


def serve(proxy: Proxy) -> Iterator[Proxy]:
    with proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.02,))
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


@pytest.fixture
def stub() -> Iterator[Proxy]:
    """An HTTP server that is not MLflow and answers every request with its `status`."""
    proxy = Proxy()
    proxy.status = 200
    yield from serve(proxy)


@pytest.fixture
def server(root: Path, free_port: int) -> Iterator[Proxy]:
    """A proxy in front of `mlflow server` over the root's store."""
    process = subprocess.Popen(
        ui_command(root, port=free_port),
        env=ui_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 240
        while True:
            try:
                check_server(f"http://127.0.0.1:{free_port}")
                break
            except StoreAwayError:
                assert process.poll() is None, "the server ended while it started"
                assert time.monotonic() < deadline, "the server did not answer"
                time.sleep(0.2)
        yield from serve(Proxy(free_port))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
