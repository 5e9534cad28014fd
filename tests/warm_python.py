"""A `python` whose programs start with TensorFlow, Keras, MLflow and DVC imported, to save up to 6 s of CPU.

`warm_python` imports them in a server, which forks for each program. The `python` that it writes passes its
arguments, environment, working directory and standard streams on, and ends as the program does; if it is
killed, so is the program. Nothing of seqlab is imported before the fork.

Not for what happens before or while libraries are imported, nor for what the seed of Python's hashes may
change: it is the server's in all programs.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import random
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# Python's start without `site`: what it imports counts.
CLIENT = """#!{executable} -IS
import array, json, os, signal, socket, sys

if sys.argv[1:] in ([], ["-"]) or os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
    os.execv({executable!r}, [{executable!r}, *sys.argv[1:]])
request = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
streams = array.array("i", [0, 1, 2])
server.sendmsg([b"%10d" % len(request)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
server.sendall(request)
answers = server.makefile()
pid = int(answers.readline())
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, lambda number, _: os.kill(pid, number))
status = int(answers.readline() or -signal.SIGKILL)
if status < 0:
    if -status != signal.SIGKILL:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
os._exit(status)
"""


LIBRARIES = (
    "tensorflow",
    "keras",
    "dvc.cli.parser",
    "dvc.repo.experiments.queue.celery",
    "matplotlib.figure",
    "mlflow.pyfunc",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
)


@contextlib.contextmanager
def warm_python(folder: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """Write `python` to `folder`, whose path must be short, and serve it until the block ends.

    Args:
        folder: an empty folder.
        environment: variables that the libraries read when they are imported.

    Yields:
        The path of `python`.
    """
    address = str(folder / "socket")
    program = folder / "python"
    program.write_text(CLIENT.format(executable=sys.executable, address=address), encoding="utf-8")
    program.chmod(0o755)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # no threads before the fork
        environment = {**environment, name: "1"}
    server = subprocess.Popen(
        [sys.executable, "-P", __file__, address, str(program)],
        env={**os.environ, **environment, "PYTHONPATH": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        assert server.stdout.readline() == b"ready\n"
        yield program
    finally:
        server.stdin.close()
        server.wait(timeout=60)
        server.stdout.close()


class Server:
    """Forks for each request, until standard input ends."""

    def __init__(self, address: str) -> None:
        self.running: dict[int, socket.socket] = {}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(address)
        self.listener.listen(64)
        self.ended, self.wake = os.pipe()
        os.set_blocking(self.wake, False)
        signal.set_wakeup_fd(self.wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector = selectors.DefaultSelector()
        for readable in (0, self.ended, self.listener):
            self.selector.register(readable, selectors.EVENT_READ)

    def serve(self) -> tuple[list[str], str, dict[str, str]]:
        """Return the arguments, folder and environment of a program, in the process that is to run it."""
        while True:
            for key, _ in self.selector.select():
                if key.fileobj == 0:
                    self._stop()
                elif key.fileobj == self.ended:
                    os.read(self.ended, 4096)
                    self._report()
                elif key.fileobj is self.listener:
                    if request := self._fork():
                        return request
                else:  # its client was killed
                    self.selector.unregister(key.fileobj)
                    for pid in [pid for pid, client in self.running.items() if client is key.fileobj]:
                        os.kill(pid, signal.SIGKILL)

    def _fork(self) -> Any:
        client, _ = self.listener.accept()
        streams, request = receive(client)
        if pid := os.fork():
            for stream in streams:
                os.close(stream)
            self.running[pid] = client
            self.selector.register(client, selectors.EVENT_READ)
            self._send(client, pid)
            return None
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for pipe in (self.ended, self.wake):
            os.close(pipe)
        for opened in (client, self.listener, self.selector, *self.running.values()):
            opened.close()
        return request

    def _report(self) -> None:
        while self.running and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            client = self.running.pop(ended[0])
            with contextlib.suppress(KeyError):
                self.selector.unregister(client)
            self._send(client, os.waitstatus_to_exitcode(ended[1]))
            client.close()

    def _stop(self) -> None:
        for pid in self.running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        sys.exit()

    def _send(self, client: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            client.sendall(b"%d\n" % number)


def receive(client: socket.socket) -> tuple[list[int], Any]:
    """Return the standard streams and the request of a client."""
    size, streams, _, _ = socket.recv_fds(client, 10, 3)
    content = b""
    while len(content) < int(size):
        content += client.recv(int(size) - len(content))
    return streams, json.loads(content)


def run(arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Run the program that `python ARGUMENTS` runs: options `-I` and `-P`, then `-c`, `-m` or a script."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed()
    sys.modules["numpy"].random.seed()
    options = set()
    while arguments[0] in ("-I", "-P"):
        options.add(arguments.pop(0))
    if "-I" not in options:
        sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    kind = arguments[0] if arguments[0] in ("-c", "-m") else ""
    name, *sys.argv[1:] = arguments[1:] if kind else arguments
    sys.argv[0] = kind or name
    if not options:
        sys.path.insert(0, {"-c": "", "-m": folder}.get(kind, str(Path(name).resolve().parent)))
    if kind == "-m":
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(name, "<string>", "exec"), vars(sys.modules["__main__"]))
    else:
        runpy.run_path(name, run_name="__main__")


def main(address: str, program: str) -> None:
    for library in LIBRARIES:
        importlib.import_module(library)
    sys.executable = program
    gc.collect()
    gc.freeze()
    server = Server(address)
    print("ready", flush=True)
    request = server.serve()
    status: Any = 0
    try:
        run(*request)
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    if not isinstance(status, int):
        print(status, file=sys.stderr)
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(status)  # Python's own end takes 0.4 s to free the libraries


if __name__ == "__main__":
    main(*sys.argv[1:])
