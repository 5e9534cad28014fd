from __future__ import annotations

from pathlib import Path

import pytest

from seqlab.tracking.journal import Journal, Replay
from seqlab.tracking.replay import replay_pending, uri_with_credentials


def test_nothing_pending(tmp_path: Path) -> None:
    assert replay_pending(tmp_path) == []


def test_a_server_still_away_leaves_everything(tmp_path: Path, free_port: int) -> None:
    uri = f"http://127.0.0.1:{free_port}"
    journal = Journal(root=tmp_path, run_id="abc", tracking_uri=uri)
    journal.append({"kind": "a"})
    journal.append({"kind": "b"})
    assert replay_pending(tmp_path) == [Replay("abc", uri, left=2)]
    assert journal.pending


def test_credentials_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://name:secret@host")
    assert uri_with_credentials(tmp_path, "http://host") == "http://name:secret@host"
    assert uri_with_credentials(tmp_path, "http://other") == "http://other"
