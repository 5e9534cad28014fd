"""A full disk ends a stage with one sentence."""

from __future__ import annotations

import errno
import resource
import sys
from pathlib import Path

import pytest
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parent))

from small_task import prepare_small, small_params

from seqlab import stages
from seqlab.pipeline.preparing import prepare_task


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


def test_a_full_disk_that_tensorflow_reports(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def save() -> None:
        tf.raw_ops.WriteFile(filename="/dev/full", contents="x" * 100_000)

    monkeypatch.setattr(sys, "argv", ["stage"])
    monkeypatch.setattr(stages, "protect_output", lambda: None)
    monkeypatch.setattr(stages.signal, "signal", lambda *_: None)
    assert stages.run_stage(save) == 1
    assert capsys.readouterr().err.startswith("error: no space is left on the disk\n")


def test_another_error_of_the_system_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stage"])
    monkeypatch.setattr(stages, "protect_output", lambda: None)
    monkeypatch.setattr(stages.signal, "signal", lambda *_: None)
    with pytest.raises(OSError, match="the system's words"):
        stages.run_stage(lambda: fail(errno.EIO))


def test_a_disk_that_fills_while_a_folder_is_written_keeps_the_former_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """A limit on the size of files stands for the full disk, which tests/faults/fill_disk.py has."""
    monkeypatch.setattr(sys, "argv", ["stage"])
    monkeypatch.setattr(stages, "protect_output", lambda: None)
    monkeypatch.setattr(stages.signal, "signal", lambda *_: None)

    def files() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    prepared = prepare_small(tmp_path / "small", small_params())
    changed = small_params(embedder={"max_token_length": 9})
    before = files()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        status = stages.run_stage(lambda: prepare_task(tmp_path / "small" / "raw", prepared, task=changed))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 1
    assert "error: the file is larger than the system allows" in capsys.readouterr().err
    assert files() == before
    prepare_task(tmp_path / "small" / "raw", prepared, task=changed)
    assert files().keys() == before.keys()
    assert files() != before
