"""Runs that are open on this machine, so that the run of a killed process does not stay RUNNING.

`<root>/.seqlab/open-runs/<run_id>.json` exists while a process writes to the run, and is locked by it. The
system releases the lock when the process ends, however it ends: a file without a lock is that of a killed
process, even if another process now has its pid.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqlab.atomic import replaced_file
from seqlab.tracking.store import STATE


class OpenRun:
    """The record of an open run, from its construction until `close` or the end of the process."""

    def __init__(self, root: Path, *, run_id: str, experiment: str, tracking_uri: str) -> None:
        self.path = _folder(root) / f"{run_id}.json"
        content = {
            "run_id": run_id,
            "experiment": experiment,
            "tracking_uri": tracking_uri,
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        # Locked before it has its name, so that no other process finds it unlocked.
        with replaced_file(self.path) as made:
            made.write_text(json.dumps(content) + "\n", encoding="utf-8")
            self._lock: int | None = os.open(made, os.O_RDWR)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def note_write(self) -> None:
        """Set the file's time, which becomes the end of the run if this process is killed."""
        self.path.touch()

    def close(self) -> None:
        """Remove the record: the run's end was written."""
        if self._lock is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None


def killed_runs(root: Path, *, experiment: str, tracking_uri: str) -> Iterator[tuple[str, int]]:
    """Yield the id and last write (ms since 1970) of an experiment's runs whose process was killed.

    A record is removed after its run was dealt with. Runs of other machines and of running processes are left
    out.
    """
    wanted = {"experiment": experiment, "tracking_uri": tracking_uri, "host": socket.gethostname()}
    for path in sorted(_folder(root).glob("[!.]*.json")):
        try:
            with path.open() as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                record: dict[str, Any] = json.load(handle)
                if any(record.get(key) != value for key, value in wanted.items()):
                    continue
                yield path.stem, path.stat().st_mtime_ns // 1_000_000
                path.unlink(missing_ok=True)
        except (BlockingIOError, FileNotFoundError):
            continue


def _folder(root: Path) -> Path:
    return root / STATE / "open-runs"
