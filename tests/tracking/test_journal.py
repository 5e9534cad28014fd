from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from seqlab.tracking import journal as journal_module
from seqlab.tracking.journal import Journal, Replay


class Store:
    """Stands for `apply_operation`: takes operations until it is away or refuses one."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.contents: list[str] = []
        self.away_after: int | None = None
        self.refuses: str | None = None

    def __call__(self, client: Any, run_id: str, operation: dict[str, Any], files: Path) -> None:
        import requests
        from mlflow.exceptions import MlflowException

        if self.away_after is not None and len(self.taken) >= self.away_after:
            raise requests.ConnectionError("refused")
        if operation["kind"] == self.refuses:
            raise MlflowException.invalid_parameter_value("no such thing")
        self.taken.append(operation)
        if "file" in operation:
            self.contents.append((files / operation["file"]).read_text())


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    made = Store()
    monkeypatch.setattr(journal_module, "apply_operation", made)
    return made


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(root=tmp_path, run_id="abc", tracking_uri="http://host:5000")


def kinds(store: Store) -> list[str]:
    return [operation["kind"] for operation in store.taken]


def test_what_is_kept_is_sent_in_order_and_forgotten(journal: Journal, store: Store, tmp_path: Path) -> None:
    original = tmp_path / "original.txt"
    for text in ("first", "second"):
        original.write_text(text)
        journal.append({"kind": text, "file": str(original)})
    original.unlink()
    assert journal.pending
    assert journal.replay(None) == Replay("abc", "http://host:5000", sent=2)
    assert kinds(store) == ["first", "second"]
    assert store.contents == ["first", "second"]
    assert not journal.folder.exists()
    assert journal.replay(None) == Replay("abc", "http://host:5000")


def test_a_journal_is_found_again_by_another_process(journal: Journal, tmp_path: Path) -> None:
    journal.append({"kind": "a"})
    assert Journal.open(tmp_path, "abc").tracking_uri == "http://host:5000"


def test_a_store_that_goes_away_again_leaves_the_rest_in_order(journal: Journal, store: Store) -> None:
    for kind in "abcd":
        journal.append({"kind": kind})
    store.away_after = 2
    assert journal.replay(None) == Replay("abc", "http://host:5000", sent=2, left=2)
    journal.append({"kind": "e"})
    store.away_after = None
    assert journal.replay(None).sent == 3
    assert kinds(store) == ["a", "b", "c", "d", "e"]


def test_a_refused_operation_is_set_aside_with_the_reason(
    journal: Journal, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    for kind in "abc":
        journal.append({"kind": kind})
    store.refuses = "b"
    with caplog.at_level(logging.WARNING):
        assert journal.replay(None) == Replay("abc", "http://host:5000", sent=2, rejected=1)
    assert kinds(store) == ["a", "c"]
    assert "MLflow refused a write to run abc: no such thing" in caplog.text
    (line,) = journal.rejected_path.read_text().splitlines()
    assert json.loads(line)["operation"] == {"kind": "b"}
    assert not journal.pending


def test_an_error_of_our_own_loses_nothing(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    for kind in "ab":
        journal.append({"kind": kind})

    def broken(*arguments: Any) -> None:
        raise TypeError("a mistake")

    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "apply_operation", broken)
        with pytest.raises(TypeError):
            journal.replay(None)
    assert journal.replay(None).sent == 2
    assert kinds(store) == ["a", "b"]


def test_half_a_line_of_a_killed_process_spoils_nothing(
    journal: Journal, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    journal.append({"kind": "a"})
    with journal.path.open("a") as file:
        file.write('{"kind": "b", "fi')
    journal.append({"kind": "c"})
    with caplog.at_level(logging.WARNING):
        assert journal.replay(None).sent == 2
    assert kinds(store) == ["a", "c"]
    assert "journal.jsonl:3: an incomplete line is left out" in caplog.text


def test_folders_are_kept_whole(journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "weights").write_text("w")
    journal.append({"kind": "model", "file": str(folder)})
    seen: list[str] = []

    def apply(client: Any, run_id: str, operation: dict[str, Any], files: Path) -> None:
        seen.append((files / operation["file"] / "below" / "weights").read_text())

    monkeypatch.setattr(journal_module, "apply_operation", apply)
    journal.replay(None)
    assert seen == ["w"]
