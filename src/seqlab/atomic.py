"""Atomic writes: a file or folder is replaced as a whole, or left unchanged if writing fails."""

from __future__ import annotations

import csv
import fcntl
import glob
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_LOCKED_AFTER_S = 60
"""A younger temporary folder may not be locked yet."""


@contextmanager
def replaced_directory(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that replaces `path` on success, and is deleted if the block raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    made = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    lock = os.open(made, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made.chmod(0o755)
        yield made
        if path.exists():
            shutil.rmtree(path)
        made.rename(path)
    finally:
        os.close(lock)
        shutil.rmtree(made, ignore_errors=True)


def _remove_abandoned(path: Path) -> None:
    """Delete the temporary folders of `path` whose process was killed; the system released their locks."""
    for folder in path.parent.glob(f".{glob.escape(path.name)}.????????"):
        if folder.is_dir() and time.time() - folder.stat().st_mtime > _LOCKED_AFTER_S:
            lock = os.open(folder, os.O_RDONLY)
            try:
                with suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path with `path`'s suffix, whose file replaces `path` if the block does not raise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    made = Path(name)
    try:
        yield made
        made.chmod(0o644)
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    with replaced_file(path) as made:
        made.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV with a header, atomically.

    Raises:
        ValueError: there are no rows, or the rows differ in their keys.
    """
    if not rows:
        raise ValueError(f"{path}: no rows, so no columns to write")
    for row in rows:
        if row.keys() != rows[0].keys():
            raise ValueError(f"{path}: columns {list(row)} in a table of {list(rows[0])}")
    with replaced_file(path) as made, made.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
