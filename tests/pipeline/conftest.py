"""A copy of the repository with small parameters, in which the whole DAG has run once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
COPIED = (
    "src",
    "dvc.yaml",
    "params.yaml",
    ".dvcignore",
    ".gitignore",
    "data/example",
    "data/vectors",
    "data/.gitignore",
)
SMALL = {
    "corpus.sample.sentences": 200,
    **{f"{task}.training.{name}": value for task in ("ner", "pos") for name, value in {
        "epochs": 1, "batch_size": 16, "bucket_boundaries": [16, 48], "warmup_epochs": 0.1,
    }.items()},
    **{f"{task}.embedder.{name}": 16 for task in ("ner", "pos") for name in (
        "token_embedding_dim", "character_embedding_dim", "character_filters",
    )},
    "ner.encoder.num_layers": 1,
    "ner.encoder.hidden_dim": 16,
    "ner.encoder.num_heads": 2,
    "ner.encoder.intermediate_dim": 16,
    "pos.encoder.units": 8,
}  # fmt: skip


class Workspace:
    """A repository in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str, fails: bool = False, timeout_s: int = 900) -> str:
        """Run a command in the folder and return what it printed; it must succeed, or fail where asked."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "DVC_"))
        }
        environment |= {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}",
            "PYTHONPATH": "src",
            "DVC_NO_ANALYTICS": "1",
            "COLUMNS": "200",
        }
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=timeout_s
        )
        output = done.stdout + done.stderr
        assert (done.returncode != 0) is fails, output
        return output

    def change(self, values: Mapping[str, Any]) -> None:
        """Set parameters, named with dots, in params.yaml."""
        path = self.folder / "params.yaml"
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
        for name, value in values.items():
            *sections, last = name.split(".")
            section = params
            for part in sections:
                section = section[part]
            section[last] = value
        path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")

    def changed_stages(self) -> set[str]:
        """The stages that DVC finds changed, by themselves and not through an earlier stage."""
        return set(json.loads(self.run("dvc", "status", "--json")))

    def json(self, path: str) -> Any:
        """A JSON file's content."""
        return json.loads((self.folder / path).read_text(encoding="utf-8"))


def make_workspace(folder: Path) -> Workspace:
    """Copy the repository's own files into `folder`, set small parameters, and commit."""
    for name in COPIED:
        source, target = REPOSITORY / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, target)
    shutil.copytree(
        REPOSITORY / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache", "config.local")
    )
    workspace = Workspace(folder)
    workspace.change(SMALL)
    for command in (
        ("git", "init", "-q", "-b", "main"),
        ("git", "config", "user.name", "Test"),
        ("git", "config", "user.email", "test@example.invalid"),
        ("git", "add", "-A"),
        ("git", "commit", "-q", "-m", "start"),
    ):
        workspace.run(*command)
    return workspace


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace in which `dvc repro` has run."""
    workspace = make_workspace(tmp_path_factory.mktemp("workspace"))
    workspace.output = workspace.run("dvc", "repro")
    return workspace
