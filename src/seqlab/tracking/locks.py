"""A lock between processes, on a file."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqlab.errors import SeqlabError


@contextmanager
def file_lock(path: Path, *, timeout_s: float = 120.0) -> Iterator[None]:
    """Holds an exclusive lock on `path`, which the system frees when the process ends, however it ends.

    Raises:
        SeqlabError: another process has held the lock for `timeout_s` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    with path.open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise SeqlabError(
                        "another process holds this lock",
                        where=str(path),
                        expected=f"to get it within {timeout_s:g} s",
                        remedy="end the process that hangs, or wait for it, and try again",
                    ) from None
                time.sleep(0.05)
        yield
