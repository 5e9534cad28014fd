"""Writes to a run, kept on disk until a background thread has sent them, so that no store delays a training.

`<root>/.seqlab/mlflow-pending/<run_id>/` contains a folder for each operation that was not sent yet, named
by its time in nanoseconds, with `operation.json` and a copy of the operation's file. The folder is renamed
into place, so that a killed process leaves no incomplete operation, and deleted after the operation was sent.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from seqlab.atomic import replaced_directory
from seqlab.credentials import without_credentials
from seqlab.errors import SeqlabError
from seqlab.locks import LockedError, file_lock
from seqlab.tracking.client import is_access_denied, is_connection_failure, mlflow_client, root_cause
from seqlab.tracking.operations import Operation, apply_operation
from seqlab.tracking.store import (
    STATE,
    StoreAwayError,
    check_server,
    resolve_tracking_uri,
    store_errors,
    usable_store,
)

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 15.0
"""A store that is away is tried again after this time."""

FLUSH_TIMEOUT_S = 5.0
"""At its end, a stage waits this long for a store that accepts nothing. What is left is replayed later."""

FLUSH_LIMIT_S = 30.0
"""At its end, a stage waits at most this long for a store that accepts writes slowly."""

_LOCK_RETRY_S = 0.2
_OPERATION = "operation.json"


@dataclass(frozen=True)
class Replay:
    """How many of a run's pending operations were sent, rejected by its store, or left because it is away."""

    run_id: str
    tracking_uri: str
    sent: int = 0
    rejected: int = 0
    left: int = 0

    def __str__(self) -> str:
        counts = f"{self.sent} sent, {self.rejected} rejected, {self.left} still pending"
        return f"run {self.run_id} at {self.tracking_uri}: {counts}"


class RunWriter:
    """Writes a run's operations to disk, and sends them in order from a background thread.

    `write` never waits for the store. The thread exists while something is pending; it tries a store that is
    away again every `retry_after_s` seconds. `store_uri` defaults to `resolve_tracking_uri`.
    """

    def __init__(
        self, *, root: Path, run_id: str, store_uri: str | None = None, retry_after_s: float = RETRY_AFTER_S
    ) -> None:
        self.root = root
        self.run_id = run_id
        self.retry_after_s = retry_after_s
        self.folder = root / STATE / "mlflow-pending" / run_id
        self._store_uri = store_uri or resolve_tracking_uri(root)
        self.tracking_uri = without_credentials(self._store_uri)
        self._client = mlflow_client(self._store_uri)
        self._last_name: int | None = None
        # The condition guards everything below; it is notified of each change.
        self._changed = threading.Condition()
        self._sender: threading.Thread | None = None
        self._results: dict[str, str | SeqlabError] = {}
        self._failures = 0  # attempts since the start that found the store away
        self._away = self._warned = self._stopped = False
        self._next_attempt = self._last_sent = 0.0

    def write(self, operation: Operation) -> str:
        """Keep an operation on disk and return the name of its folder; the background thread sends it."""
        name = self.append(operation)
        with self._changed:
            self._stopped = False
            self._start_sender()
        return name

    def write_and_wait(self, operation: Operation) -> str | None:
        """Write an operation and wait until it was sent; return its result, or None if the store is away.

        Raises:
            SeqlabError: the store rejected the operation.
        """
        with self._changed:
            failures, self._next_attempt = self._failures, 0.0
            name = self.write(operation)
            while self._sender and name not in self._results and failures == self._failures:
                self._changed.wait()
            result = self._results.pop(name, None)
        if isinstance(result, SeqlabError):
            raise result
        return result

    def flush(self, *, timeout_s: float = FLUSH_TIMEOUT_S, limit_s: float = FLUSH_LIMIT_S) -> int:
        """Wait until everything was sent; return how many operations are still pending.

        The wait ends if the store turns out to be away, after `timeout_s` seconds in which nothing was sent,
        or after `limit_s` seconds in any case. What is left stays on disk.
        """
        start = time.monotonic()
        with self._changed:
            failures, self._next_attempt = self._failures, 0.0
            if pending_operations(self.folder):
                self._start_sender()
            while self._sender and failures == self._failures:
                deadline = min(max(start, self._last_sent) + timeout_s, start + limit_s)
                if not self._changed.wait(deadline - time.monotonic()) and time.monotonic() >= deadline:
                    break
            self._stopped = True
            self._changed.notify_all()
            left = len(pending_operations(self.folder))
            if left:
                self._warn("it answers slowly or not at all")
            else:
                self.remove_empty_folder()
        return left

    def note_away(self, error: Exception) -> None:
        """Note that the store is away: it is tried again after `retry_after_s`. Warn the first time."""
        with self._changed:
            self._failures += 1
            self._away = True
            self._next_attempt = time.monotonic() + self.retry_after_s
            self._warn(root_cause(error))
            self._changed.notify_all()

    def append(self, operation: Operation) -> str:
        """Keep an operation on disk, with a copy of its file; return the name of its folder.

        Raises:
            SeqlabError: the operation cannot be written to disk.
        """
        if "file" in operation and not Path(operation["file"]).exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), operation["file"])
        try:
            try:
                return self._append(operation)
            except FileNotFoundError:  # `seqlab replay` has just removed the run's empty folder
                return self._append(operation)
        except OSError as error:
            raise SeqlabError(
                "a write to MLflow cannot be kept on disk",
                where=str(self.folder),
                received=str(error),
                remedy="free disk space, or make the folder writable",
            ) from error

    def _append(self, operation: Operation) -> str:
        if self._last_name is None:
            self._last_name = max((int(entry.name) for entry in pending_operations(self.folder)), default=0)
        # The order is kept even if the clock is set back.
        self._last_name = max(time.time_ns(), self._last_name + 1)
        name = str(self._last_name)
        with replaced_directory(self.folder / name) as entry:
            if "file" in operation:
                source = Path(operation["file"])
                copy = shutil.copytree if source.is_dir() else shutil.copy2
                copy(source, entry / source.name)
                operation = {**operation, "file": source.name}
            with (entry / _OPERATION).open("w", encoding="utf-8") as file:
                json.dump({"tracking_uri": self.tracking_uri, "operation": operation}, file)
                file.flush()
                os.fsync(file.fileno())
        return name

    def remove_empty_folder(self) -> None:
        """Remove the run's folder if nothing is pending and nothing was rejected."""
        with suppress(SeqlabError, OSError), file_lock(self.folder / "lock", timeout_s=0):
            if [path.name for path in self.folder.iterdir()] == ["lock"]:
                (self.folder / "lock").unlink()
                self.folder.rmdir()

    def send_pending(self, *, lock_timeout_s: float = 120.0) -> Replay:
        """Send the pending operations, oldest first, until none is left or the store is away again.

        An operation that the store rejects is moved to the folder `rejected` with the error, and the
        operations after it are sent.

        Raises:
            SeqlabError: another process is sending the run's operations, or the server denies access.
        """
        sent = rejected = 0
        with suppress(StoreAwayError):
            for accepted in self._send_all(check=True, lock_timeout_s=lock_timeout_s):
                sent, rejected = sent + accepted, rejected + (not accepted)
        left = len(pending_operations(self.folder))
        return Replay(self.run_id, self.tracking_uri, sent, rejected, left)

    def _send_all(self, *, check: bool, lock_timeout_s: float) -> Iterator[bool]:
        """Send what is pending, oldest first; yield for each operation whether the store accepted it."""
        # A training under way and `seqlab replay` may both send; `append` needs no lock.
        with file_lock(self.folder / "lock", timeout_s=lock_timeout_s), store_errors(self._store_uri):
            if check:
                check_server(self._store_uri)
            while entries := pending_operations(self.folder):
                for entry in entries:
                    yield self._send(entry)

    def _send(self, entry: Path) -> bool:
        from mlflow.exceptions import MlflowException
        from requests import RequestException

        operation = json.loads((entry / _OPERATION).read_text(encoding="utf-8"))["operation"]
        if "file" in operation:
            operation["file"] = str((entry / operation["file"]).resolve())
        try:
            result = apply_operation(self._client, self.run_id, operation)
        except (MlflowException, RequestException) as error:
            if is_connection_failure(error) or is_access_denied(error):
                raise
            reason, target = without_credentials(str(error)), self.folder / "rejected" / entry.name
            target.parent.mkdir(exist_ok=True)
            (entry / "error.txt").write_text(reason + "\n", encoding="utf-8")
            entry.rename(target)
            logger.warning("MLflow rejected a write to run %s: %s (kept in %s)", self.run_id, reason, target)
            self._results[entry.name] = SeqlabError(
                "MLflow rejected a write", where=f"run {self.run_id}", received=reason, remedy=f"see {target}"
            )
            return False
        if result is not None:
            self._results[entry.name] = result
        # Deleted first: without this file, an operation is no longer pending even if the process is killed.
        (entry / _OPERATION).unlink()
        shutil.rmtree(entry)
        return True

    def _start_sender(self) -> None:
        if self._sender is None:
            self._sender = threading.Thread(
                target=self._send_in_background, name=f"mlflow-{self.run_id}", daemon=True
            )
            self._sender.start()
        self._changed.notify_all()

    def _send_in_background(self) -> None:
        """Send what is pending until nothing is left or `flush` gives up."""
        while True:
            with self._changed:
                wait_s = self._next_attempt - time.monotonic()
                if wait_s > 0 and not self._stopped:
                    self._changed.wait(wait_s)
                    continue
                if self._stopped or not pending_operations(self.folder):
                    self._sender = None
                    self._changed.notify_all()
                    return
            sent = 0
            try:
                for _ in self._send_all(check=self._away, lock_timeout_s=0):
                    sent += 1
                    with self._changed:
                        self._last_sent = time.monotonic()
                        self._changed.notify_all()
                        if self._stopped:
                            break
            except LockedError:
                # `seqlab replay` is sending this run's operations.
                with self._changed:
                    self._next_attempt = time.monotonic() + _LOCK_RETRY_S
            except Exception as error:  # whatever happens here must not end a training
                self.note_away(error)
            else:
                if self._away:
                    logger.warning(
                        "MLflow is reachable again: %d pending writes to run %s were sent",
                        sent,
                        self.run_id,
                    )
                self._away = False

    def _warn(self, reason: str) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "MLflow at %s cannot be reached (%s). Work continues; writes to run %s are kept and sent "
                "when it is back: with a later write, by the next stage, or by `seqlab replay` in %s",
                self.tracking_uri,
                reason,
                self.run_id,
                self.root,
            )


def pending_operations(folder: Path) -> list[Path]:
    """Return the folders of a run's pending operations, oldest first."""
    return sorted(path.parent for path in folder.glob(f"[0-9]*/{_OPERATION}"))


def replay_pending(root: Path) -> list[Replay]:
    """Send the pending operations of every run, in order, to the store that the run belongs to."""
    current = resolve_tracking_uri(root)
    replays = []
    for folder in sorted((root / STATE / "mlflow-pending").glob("*")):
        if entries := pending_operations(folder):
            uri = json.loads((entries[0] / _OPERATION).read_text(encoding="utf-8"))["tracking_uri"]
            # Credentials are not stored; they are those of MLFLOW_TRACKING_URI if the address is the same.
            store_uri = current if without_credentials(current) == uri else uri
            with usable_store(store_uri):
                writer = RunWriter(root=root, run_id=folder.name, store_uri=store_uri)
                replays.append(writer.send_pending())
                writer.remove_empty_folder()
    return replays
