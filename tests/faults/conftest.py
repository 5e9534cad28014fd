"""A real MLflow server process, and a proxy in front of it that fails as told."""

from __future__ import annotations

import http.client
import os
import resource
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from seqlab.tracking.client import SETTINGS
from seqlab.tracking.store import StoreAwayError, check_server
from seqlab.tracking.ui_server import ui_command, ui_environment


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("MLFLOW_TRACKING", "DVC_")):
            monkeypatch.delenv(name)
    # One attempt and short waits: the code's own retries are tested, not MLflow's.
    retries = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "3"}
    for name, value in {**SETTINGS, **retries}.items():
        monkeypatch.setenv(name, value)


class Server:
    """`mlflow server` over the SQLite database in `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = int(listener.getsockname()[1])
        self.start()

    def start(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            self.process = subprocess.Popen(
                ui_command(self.root, port=self.port),
                env=ui_environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        deadline = time.monotonic() + 120
        while True:
            try:
                check_server(f"http://127.0.0.1:{self.port}")
                return
            except StoreAwayError:
                assert self.process.poll() is None, "the server ended while it started"
                assert time.monotonic() < deadline, "the server did not answer"
                time.sleep(0.2)

    def signal(self, number: int) -> None:
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait(timeout=30)

    def limit_file_size(self, size: int) -> None:
        """Let writes beyond `size` bytes fail, as on a full disk; -1 removes the limit."""
        for process in [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(True)]:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


class Proxy:
    """Forwards requests to a port on loopback, unless `fault` says otherwise.

    `refuse`: nothing listens. `hang`: requests are accepted and never answered. `cut`: requests are forwarded
    and their answers end early. A number: requests are answered with this status.
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = 0
        self.held = threading.Event()
        self.abandoned = threading.Event()
        self.released = threading.Event()
        self._fault = ""
        self._listen()

    @property
    def fault(self) -> str:
        return self._fault

    @fault.setter
    def fault(self, fault: str) -> None:
        if self._fault == "refuse":
            self._listen()
        if fault == "refuse":
            self.close()
        self._fault = fault
        self.held.clear()
        self.abandoned.clear()
        self.released.set()
        self.released = threading.Event()

    def _listen(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), ProxyHandler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.proxy = self  # type: ignore[attr-defined]
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class ProxyHandler(BaseHTTPRequestHandler):
    def forward(self) -> None:
        proxy: Proxy = self.server.proxy  # type: ignore[attr-defined]
        fault, released = proxy.fault, proxy.released
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if fault == "hang":
            proxy.held.set()
            while not released.is_set():
                if select.select([self.connection], [], [], 0.05)[0]:
                    proxy.abandoned.set()
                    return
            return
        status, headers, content = int(fault or 0) if fault != "cut" else 0, {}, b"unavailable"
        if status:
            headers["Retry-After"] = "3600"
        else:
            connection = http.client.HTTPConnection("127.0.0.1", proxy.target_port, timeout=20)
            try:
                connection.request(self.command, self.path, body, dict(self.headers))
                response = connection.getresponse()
                content = response.read()
            except OSError:
                return  # the client sees a connection that ends without an answer
            finally:
                connection.close()
            status, headers["Content-Type"] = response.status, response.headers["Content-Type"]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if fault == "cut" else content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.signal(signal.SIGCONT)
    server.kill()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    proxy = Proxy(server.port)
    yield proxy
    proxy.fault = ""
    proxy.close()
