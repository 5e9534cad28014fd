"""Sends what earlier runs could not."""

from __future__ import annotations

from pathlib import Path

from seqlab.tracking.client import mlflow_client, without_credentials
from seqlab.tracking.journal import Journal, Replay, pending_folder
from seqlab.tracking.store import StoreAwayError, check_server, resolve_tracking_uri

COMMAND = "seqlab replay"
"""What a user types to have `replay_pending` called."""


def replay_pending(root: Path) -> list[Replay]:
    """Sends every run's pending writes, in order, to the store they belong to, and deletes what is sent.

    Args:
        root: the repository's root.

    Returns:
        What became of each journal, none if nothing was pending. Where a server is still away,
        everything of it is `left`.
    """
    replays = []
    for path in sorted(pending_folder(root).glob("*/journal.jsonl")):
        journal = Journal.open(root, path.parent.name)
        uri = uri_with_credentials(root, journal.tracking_uri)
        try:
            check_server(uri)
        except StoreAwayError:
            replays.append(Replay(journal.run_id, journal.tracking_uri, left=journal.waiting()))
        else:
            replays.append(journal.replay(mlflow_client(uri)))
    return replays


def uri_with_credentials(root: Path, tracking_uri: str) -> str:
    """A stored address, with the credentials of MLFLOW_TRACKING_URI where that is the same address."""
    current = resolve_tracking_uri(root)
    return current if without_credentials(current) == tracking_uri else tracking_uri
