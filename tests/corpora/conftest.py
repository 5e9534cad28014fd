"""A mirror on the loopback interface, and made-up corpora to lie in it."""

from __future__ import annotations

import dataclasses
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from seqlab.corpora.mirror import Source
from seqlab.corpora.pins import Pin

HTML_PAGE = b"<!DOCTYPE html>\n<html><title>Sorry</title></html>\n"


@dataclasses.dataclass
class Fault:
    """What goes wrong with one answer: another status or body, a connection that breaks off, no ranges."""

    status: int = 200
    body: bytes | None = None
    break_off_after: int | None = None
    without_ranges: bool = False
    without_length: bool = False


class LoopbackMirror:
    """Serves a folder over http on 127.0.0.1, counts what is asked, and fails where it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[tuple[str, str | None]] = []
        self.faults: dict[str, list[Fault]] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def put(self, path: str, content: bytes) -> str:
        """Put a file into the folder and give its address."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return f"{self.address}/{path}"

    def fail(self, path: str, *faults: Fault) -> None:
        """Have the next answers for a path go wrong, one after the other."""
        self.faults.setdefault(path, []).extend(faults)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.lstrip("/")
                wanted = self.headers.get("Range")
                mirror.requests.append((path, wanted))
                queue = mirror.faults.get(path)
                fault = queue.pop(0) if queue else Fault()
                file = mirror.folder / path
                body = fault.body
                if body is None and fault.status == 200:
                    if not file.is_file():
                        return self.send_error(404)
                    body = file.read_bytes()
                if fault.status != 200:
                    return self.send_error(fault.status)
                status, start = 200, 0
                if wanted and not fault.without_ranges:
                    status, start = 206, int(wanted.removeprefix("bytes=").removesuffix("-"))
                    if start >= len(body):
                        return self.send_error(416)
                self.send_response(status)
                rest = body[start:]
                if not fault.without_length:
                    self.send_header("Content-Length", str(len(rest)))
                self.end_headers()
                self.wfile.write(rest if fault.break_off_after is None else rest[: fault.break_off_after])
                self.close_connection = True

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        return Handler


@pytest.fixture
def loopback_mirror(tmp_path):
    mirror = LoopbackMirror(tmp_path / "mirror")
    mirror.folder.mkdir()
    yield mirror
    mirror.close()


@pytest.fixture
def fault():
    return Fault


@pytest.fixture
def html_page():
    return HTML_PAGE


@pytest.fixture
def publish(loopback_mirror):
    """Put a file where a mirror holds it, and describe it as a corpus's source."""

    def put(url: str, text: str | bytes, split: str = "", role: str = "") -> Source:
        content = text if isinstance(text, bytes) else text.encode()
        path = Source(url, Pin("sha256", "0" * 64)).mirror_path
        loopback_mirror.put(path, content)
        pin = Pin.of_file(loopback_mirror.folder / path, algorithm="git-blob")
        return Source(url, pin, split, role)

    return put
