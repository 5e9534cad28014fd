from __future__ import annotations

from pathlib import Path

import pytest

from seqlab.errors import SeqlabError
from seqlab.locks import file_lock


def test_a_lock_held_by_another_process_raises_after_the_timeout(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.lock"
    with (
        file_lock(path),
        pytest.raises(SeqlabError, match=r"a\.lock: another process has held this lock for 0.1 s"),
        file_lock(path, timeout_s=0.1),
    ):
        pass


def test_a_lock_is_released_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), file_lock(tmp_path / "a.lock"):
        raise RuntimeError
    with file_lock(tmp_path / "a.lock", timeout_s=0):
        pass
