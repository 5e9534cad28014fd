"""Git repositories for tests, and the environment in which they are used."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CORPUS = {
    "corpus": "sample",
    "title": "sample",
    "licence": "none",
    "digest": "d" * 64,
    "synthetic": True,
    "auxiliary_columns": [],
    "splits": {split: {"sentences": 3, "tokens": 9} for split in ("train", "dev", "test")},
}
"""What start_training_run reads of a corpus.json."""


def git(folder: Path | str, *arguments: str) -> str:
    """Run git as a made-up author, and return its output."""
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def forget_environment(patch: pytest.MonkeyPatch) -> None:
    """Remove the variables that name another store, experiment or repository."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW_TRACKING", "DVC_", "GIT_")):
            patch.delenv(name)


@contextmanager
def new_repository(folder: Path) -> Iterator[None]:
    """Make an empty repository, and work in it until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        forget_environment(patch)
        patch.chdir(folder)
        git(folder, "init", "--quiet", "--initial-branch", "main")
        yield
