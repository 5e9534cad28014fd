"""Sending writes to a run, and keeping them on disk during an outage of its store.

`<root>/.seqlab/mlflow-pending/<run_id>/` contains a folder for each operation that could not be sent, named
by its time in nanoseconds, with `operation.json` and a copy of the operation's file. The folder is renamed
into place, so that a killed process leaves no incomplete operation, and deleted after the operation was sent.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from seqlab.atomic import replaced_directory
from seqlab.errors import SeqlabError
from seqlab.tracking.client import is_connection_failure, mlflow_client, root_cause, without_credentials
from seqlab.tracking.operations import Operation, apply_operation
from seqlab.tracking.store import (
    STATE,
    StoreAwayError,
    check_server,
    file_lock,
    resolve_tracking_uri,
    store_errors,
)

logger = logging.getLogger(__name__)

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
    """Sends a run's operations in order, and keeps them on disk while the store cannot be reached.

    `store_uri` defaults to `resolve_tracking_uri`. A store that is away is tried again only every
    `retry_after_s` seconds, so that a server that does not respond does not slow every epoch down.
    """

    def __init__(
        self, *, root: Path, run_id: str, store_uri: str | None = None, retry_after_s: float = 15.0
    ) -> None:
        self.root = root
        self.run_id = run_id
        self.retry_after_s = retry_after_s
        self.folder = root / STATE / "mlflow-pending" / run_id
        self._store_uri = store_uri or resolve_tracking_uri(root)
        self.tracking_uri = without_credentials(self._store_uri)
        self._client = mlflow_client(self._store_uri)
        self._next_attempt = 0.0
        self._warned = False

    def write(self, operation: Operation) -> str | None:
        """Send an operation after those pending and return its result; keep it if the store is away."""
        if pending_operations(self.folder) and not self._resend():
            self.append(operation)
            return None
        try:
            with store_errors(self._store_uri):
                return apply_operation(self._client, self.run_id, operation)
        except StoreAwayError as error:
            self.keep(operation, error)
            return None

    def keep(self, operation: Operation, error: Exception) -> None:
        """Keep an operation that failed with `error`; the first time, log a warning."""
        self.append(operation)
        self._next_attempt = time.monotonic() + self.retry_after_s
        if not self._warned:
            self._warned = True
            logger.warning(
                "MLflow at %s cannot be reached (%s). Work continues; writes to run %s are kept and sent "
                "when it is back: with a later write, by the next stage, or by `seqlab replay` in %s",
                self.tracking_uri,
                root_cause(error),
                self.run_id,
                self.root,
            )

    def append(self, operation: Operation) -> None:
        """Add an operation to those pending, with a copy of its file, since the original may be temporary."""
        last = max((int(entry.name) for entry in pending_operations(self.folder)), default=0)
        # The order is kept even if the clock is set back.
        with replaced_directory(self.folder / str(max(time.time_ns(), last + 1))) as entry:
            if "file" in operation:
                source = Path(operation["file"])
                copy = shutil.copytree if source.is_dir() else shutil.copy2
                copy(source, entry / source.name)
                operation = {**operation, "file": source.name}
            with (entry / _OPERATION).open("w", encoding="utf-8") as file:
                json.dump({"tracking_uri": self.tracking_uri, "operation": operation}, file)
                file.flush()
                os.fsync(file.fileno())

    def send_pending(self, *, lock_timeout_s: float = 120.0) -> Replay:
        """Send the pending operations, oldest first, until none is left or the store is away again.

        An operation that the store rejects is moved to the folder `rejected` with the error, and the
        operations after it are sent.

        Raises:
            SeqlabError: another process is sending the run's operations, or the server denies access.
        """
        sent = rejected = 0
        # A training under way and `seqlab replay` may both send; `append` needs no lock.
        with file_lock(self.folder / "lock", timeout_s=lock_timeout_s):
            with suppress(StoreAwayError), store_errors(self._store_uri):
                check_server(self._store_uri)
                while entries := pending_operations(self.folder):
                    for entry in entries:
                        accepted = self._send(entry)
                        sent, rejected = sent + accepted, rejected + (not accepted)
            left = len(pending_operations(self.folder))
        return Replay(self.run_id, self.tracking_uri, sent, rejected, left)

    def _send(self, entry: Path) -> bool:
        from mlflow.exceptions import MlflowException
        from requests import RequestException

        operation = json.loads((entry / _OPERATION).read_text(encoding="utf-8"))["operation"]
        if "file" in operation:
            operation["file"] = str((entry / operation["file"]).resolve())
        try:
            apply_operation(self._client, self.run_id, operation)
        except (MlflowException, RequestException) as error:
            if is_connection_failure(error):
                raise
            reason, target = without_credentials(str(error)), self.folder / "rejected" / entry.name
            target.parent.mkdir(exist_ok=True)
            (entry / "error.txt").write_text(reason + "\n", encoding="utf-8")
            entry.rename(target)
            logger.warning("MLflow rejected a write to run %s: %s (kept in %s)", self.run_id, reason, target)
            return False
        # Deleted first: without this file, an operation is no longer pending even if the process is killed.
        (entry / _OPERATION).unlink()
        shutil.rmtree(entry)
        return True

    def _resend(self) -> bool:
        """Send the pending operations unless the last attempt was recent; return whether none is left."""
        if time.monotonic() < self._next_attempt:
            return False
        self._next_attempt = time.monotonic() + self.retry_after_s
        try:
            replay = self.send_pending(lock_timeout_s=0)
        except SeqlabError as error:
            logger.info("the pending writes to run %s were not sent: %s", self.run_id, error)
            return False
        if replay.left == 0:
            logger.warning("MLflow is back: %d pending writes to run %s were sent", replay.sent, self.run_id)
        return replay.left == 0


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
            replays.append(RunWriter(root=root, run_id=folder.name, store_uri=store_uri).send_pending())
    return replays
