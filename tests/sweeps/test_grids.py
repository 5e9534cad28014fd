"""Grids and repeated seeds by DVC: the command of docs/sweeps.md queues every combination."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

from git_repository import git, new_repository

from seqlab.params_file import parse_params_text

REPOSITORY = Path(__file__).parents[2]


def test_one_command_queues_every_combination(tmp_path, monkeypatch):
    from dvc.cli import main
    from dvc.repo import Repo

    page = (REPOSITORY / "docs/sweeps.md").read_text(encoding="utf-8")
    command = re.search(r"^dvc (exp run --queue .*)$", page, re.M)[1]
    root = tmp_path / "repository"
    with new_repository(root):
        monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
        git(root, "config", "user.name", "a")
        git(root, "config", "user.email", "a@example.org")
        for name in ("dvc.yaml", "params.yaml"):
            shutil.copy(REPOSITORY / name, root)
        assert main(["init", "--quiet"]) == 0
        git(root, "add", "-A")
        git(root, "commit", "--quiet", "-m", "start")
        assert main(shlex.split(command)) == 0
        with Repo(root) as repo:
            queued = {entry.name: entry.stash_rev for entry in repo.experiments.celery_queue.iter_queued()}
        texts = [git(root, "show", f"{revision}:params.yaml") for revision in queued.values()]
    params = [parse_params_text(text, where="params.yaml") for text in texts]
    assert sorted(queued) == ["grid-1", "grid-2", "grid-3", "grid-4"]
    assert sorted((p.seed, p.task("pos").training.learning_rate) for p in params) == [
        (1, 0.002), (1, 0.004), (2, 0.002), (2, 0.004),
    ]  # fmt: skip
