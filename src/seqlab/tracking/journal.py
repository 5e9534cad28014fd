"""Writes that could not be sent, kept on disk until they can."""

from __future__ import annotations

import json
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seqlab.tracking.client import is_connection_failure
from seqlab.tracking.locks import file_lock
from seqlab.tracking.operations import Operation, apply_operation
from seqlab.tracking.store import STATE

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)


def pending_folder(root: Path) -> Path:
    """The folder that holds a journal per run, outside everything that DVC or Git keeps."""
    return root / STATE / "mlflow-pending"


@dataclass(frozen=True)
class Replay:
    """What became of a run's journal.

    Attributes:
        run_id: the run.
        tracking_uri: the store that it belongs to, without credentials.
        sent: operations that the store took.
        rejected: operations that it refused for a reason of their own; kept in `rejected.jsonl`.
        left: operations still waiting, because the store cannot be reached.
    """

    run_id: str
    tracking_uri: str
    sent: int = 0
    rejected: int = 0
    left: int = 0

    def __str__(self) -> str:
        counts = f"{self.sent} sent, {self.rejected} refused, {self.left} still waiting"
        return f"run {self.run_id} at {self.tracking_uri}: {counts}"


class Journal:
    """The operations of one run that are still to be sent, as JSON lines, with copies of their files.

    Args:
        root: the repository's root.
        run_id: the run that the operations belong to.
        tracking_uri: its store, without credentials; written in the first line for a later replay.
    """

    def __init__(self, *, root: Path, run_id: str, tracking_uri: str) -> None:
        self.root = root
        self.run_id = run_id
        self.tracking_uri = tracking_uri
        self.folder = pending_folder(root) / run_id
        self.path = self.folder / "journal.jsonl"
        self.rejected_path = self.folder / "rejected.jsonl"
        self._lock = pending_folder(root) / f"{run_id}.lock"

    @classmethod
    def open(cls, root: Path, run_id: str) -> Journal:
        """The journal that an earlier process left, with the store's address from its first line."""
        with (pending_folder(root) / run_id / "journal.jsonl").open(encoding="utf-8") as lines:
            header = json.loads(lines.readline())
        return cls(root=root, run_id=run_id, tracking_uri=header["tracking_uri"])

    @property
    def pending(self) -> bool:
        """Whether anything waits to be sent."""
        return self.path.exists()

    def waiting(self) -> int:
        """How many operations wait to be sent."""
        with file_lock(self._lock):
            return len(self._read()) if self.pending else 0

    def append(self, operation: Operation) -> None:
        """Keeps an operation; its file, if it has one, is copied, since the original may be gone by then."""
        with file_lock(self._lock):
            self.folder.mkdir(parents=True, exist_ok=True)
            if "file" in operation:
                operation = {**operation, "file": self._keep(Path(operation["file"]))}
            lines = [] if self.pending else [json.dumps({"tracking_uri": self.tracking_uri})]
            lines.append(json.dumps(operation))
            with self.path.open("a+b") as journal:
                if journal.tell() and not self._ends_with_newline():
                    journal.write(b"\n")
                journal.write("".join(line + "\n" for line in lines).encode())
                journal.flush()
                os.fsync(journal.fileno())

    def replay(self, client: MlflowClient) -> Replay:
        """Sends what waits, in order, and forgets what is sent; stops where the store is away again.

        An operation that the store refuses for another reason is set aside in `rejected.jsonl`
        with the reason, and those after it are sent all the same.
        """
        from mlflow.exceptions import MlflowException

        with file_lock(self._lock):
            waiting = self._read() if self.pending else []
            sent = rejected = 0
            for number, operation in enumerate(waiting):
                try:
                    apply_operation(client, self.run_id, operation, self.folder)
                    sent += 1
                except Exception as error:
                    if is_connection_failure(error):
                        self._rewrite(waiting[number:])
                        left = len(waiting) - number
                        return Replay(self.run_id, self.tracking_uri, sent, rejected, left)
                    if not isinstance(error, MlflowException):
                        self._rewrite(waiting[number:])
                        raise
                    self._reject(operation, error)
                    rejected += 1
            self._forget(keep_files=rejected > 0)
            return Replay(self.run_id, self.tracking_uri, sent, rejected)

    def _keep(self, source: Path) -> str:
        files = self.folder / "files"
        files.mkdir(exist_ok=True)
        place = files / f"{len(list(files.iterdir())):06d}" / source.name
        if source.is_dir():
            shutil.copytree(source, place)
        else:
            place.parent.mkdir()
            shutil.copy2(source, place)
        return str(place.relative_to(self.folder))

    def _ends_with_newline(self) -> bool:
        with self.path.open("rb") as journal:
            journal.seek(-1, os.SEEK_END)
            return journal.read() == b"\n"

    def _read(self) -> list[Operation]:
        operations = []
        lines = self.path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines[1:], start=2):
            try:
                operations.append(json.loads(line))
            except json.JSONDecodeError:
                # A process killed while it wrote leaves half a line.
                logger.warning("%s:%d: an incomplete line is left out", self.path, number)
        return operations

    def _rewrite(self, operations: list[Operation]) -> None:
        lines = [{"tracking_uri": self.tracking_uri}, *operations]
        fresh = self.path.with_suffix(".new")
        fresh.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        fresh.replace(self.path)

    def _reject(self, operation: Operation, error: Exception) -> None:
        logger.warning(
            "MLflow refused a write to run %s: %s (kept in %s)", self.run_id, error, self.rejected_path
        )
        with self.rejected_path.open("a", encoding="utf-8") as rejected:
            rejected.write(json.dumps({"error": str(error), "operation": operation}) + "\n")

    def _forget(self, *, keep_files: bool) -> None:
        self.path.unlink(missing_ok=True)
        if not keep_files and not self.rejected_path.exists() and self.folder.exists():
            shutil.rmtree(self.folder)
