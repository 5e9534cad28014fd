"""Writing to a run whether or not its store can be reached."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from seqlab.tracking.client import is_connection_failure, mlflow_client, root_cause, without_credentials
from seqlab.tracking.journal import Journal
from seqlab.tracking.operations import Operation, apply_operation
from seqlab.tracking.replay import COMMAND
from seqlab.tracking.store import StoreAwayError, check_server, resolve_tracking_uri

logger = logging.getLogger(__name__)


class RunWriter:
    """Sends a run's operations in order; keeps them in the run's journal while its store is away.

    Args:
        root: the repository's root.
        run_id: the run that is written to.
        retry_after_s: seconds between two looks at a server that is away, so that one that hangs
            does not slow a training down.
    """

    def __init__(self, *, root: Path, run_id: str, retry_after_s: float = 15.0) -> None:
        self.root = root
        self.run_id = run_id
        self.retry_after_s = retry_after_s
        self._store_uri = resolve_tracking_uri(root)
        self.tracking_uri = without_credentials(self._store_uri)
        self._client = mlflow_client(self._store_uri)
        self._journal = Journal(root=root, run_id=run_id, tracking_uri=self.tracking_uri)
        self._next_look = 0.0
        self._warned = False

    def write(self, operation: Operation) -> str | None:
        """Sends an operation, after those that wait; or keeps it, if the store cannot be reached.

        Returns:
            What `apply_operation` returns, or None if the operation is kept.
        """
        if self._journal.pending and not self._send_pending():
            self._journal.append(operation)
            return None
        try:
            return apply_operation(self._client, self.run_id, operation, Path())
        except Exception as error:
            if not is_connection_failure(error):
                raise
            self.keep(operation, error)
            return None

    def keep(self, operation: Operation, error: Exception) -> None:
        """Puts an operation in the journal because of a failure, and warns of it once."""
        self._journal.append(operation)
        self._next_look = time.monotonic() + self.retry_after_s
        if not self._warned:
            self._warned = True
            logger.warning(
                "MLflow at %s cannot be reached (%s). The work goes on; what belongs to run %s is kept and "
                "sent when the server is back: by a later write or stage, or with `%s` in %s",
                self.tracking_uri,
                root_cause(error),
                self.run_id,
                COMMAND,
                self.root,
            )

    def _send_pending(self) -> bool:
        """Sends the journal if the store is back; whether nothing is pending any more."""
        if time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + self.retry_after_s
        try:
            check_server(self._store_uri, timeout_s=2.0)
        except StoreAwayError:
            return False
        replay = self._journal.replay(self._client)
        if replay.left == 0:
            logger.warning("MLflow is back: %d writes of run %s are sent", replay.sent, self.run_id)
        return replay.left == 0
