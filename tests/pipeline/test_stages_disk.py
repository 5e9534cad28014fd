"""A full disk ends a stage with one sentence."""

from __future__ import annotations

import errno
import sys

import pytest

from seqlab import stages


def fail(number: int) -> None:
    raise OSError(number, "the system's words", "models/ner/model.keras")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk(number: int, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["stage"])
    monkeypatch.setattr(stages, "protect_output", lambda: None)
    monkeypatch.setattr(stages.signal, "signal", lambda *_: None)
    assert stages.run_stage(lambda: fail(number)) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: models/ner/model.keras: no space is left on the disk")
    assert "dvc gc" in error


def test_another_error_of_the_system_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stage"])
    monkeypatch.setattr(stages, "protect_output", lambda: None)
    monkeypatch.setattr(stages.signal, "signal", lambda *_: None)
    with pytest.raises(OSError, match="the system's words"):
        stages.run_stage(lambda: fail(errno.EIO))
