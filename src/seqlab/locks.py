"""Locks between processes."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqlab.errors import SeqlabError


class LockedError(SeqlabError):
    """Another process holds a lock."""


@contextmanager
def file_lock(path: Path, *, timeout_s: float = 120.0) -> Iterator[None]:
    """Hold an exclusive lock on `path`. The system releases it when the process ends, even if killed.

    Raises:
        LockedError: another process has held the lock for `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    remedy = "wait for the other process or end it, then try again"
                    what = f"another process has held this lock for {timeout_s:g} s"
                    raise LockedError(what, where=str(path), remedy=remedy) from error
            else:
                # The process that held the lock may have deleted the file.
                if path.exists() and path.stat().st_ino == os.fstat(handle.fileno()).st_ino:
                    yield
                    return
        time.sleep(0.05)
