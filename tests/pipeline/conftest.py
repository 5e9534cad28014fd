"""A copy of the repository with small parameters, in which the pipeline has run once."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

sys.path.insert(0, str(Path(__file__).parent))

REPOSITORY = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
COPIED = (
    "src",
    "dvc.yaml",
    "params.yaml",
    ".dvcignore",
    ".gitignore",
    "data/encoders/README.md",
    "data/example",
    "data/vectors",
    "data/.gitignore",
    "examples",
)
SMALL = {
    "corpus.sample.sentences": 200,
    **{f"{task}.training.{name}": value for task in ("ner", "pos") for name, value in {
        "epochs": 1, "batch_size": 16, "bucket_boundaries": 2, "window_length": 48, "warmup_epochs": 0.1,
    }.items()},
    **{f"{task}.embedder.{name}": 16 for task in ("ner", "pos") for name in (
        "token_embedding_dim", "character_embedding_dim", "character_filters",
    )},
    "pos.training.bucket_boundaries": [48],
    "ner.encoder.num_layers": 1,
    "ner.encoder.hidden_dim": 16,
    "ner.encoder.num_heads": 2,
    "ner.encoder.intermediate_dim": 16,
}  # fmt: skip


class Workspace:
    """A repository in a folder of its own, and the output of its first `dvc repro`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = ""

    def run(self, *command: str, fails: bool = False, path: str = "", timeout_s: int = 900) -> str:
        """Run a command in the folder and return its output. It must succeed, or fail if `fails`.

        `path` is put before PATH; by default it is the folders of the workspace's and this Python's programs.
        """
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "DVC_"))
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the copy of the sources is compiled once
        own = f"{self.folder / '.venv/bin'}{os.pathsep}{PROGRAMS}"
        environment |= {
            "PATH": os.pathsep.join([path or own, environment["PATH"].replace(str(PROGRAMS), "")]),
            "PYTHONPATH": "",
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
        """Return the stages that have changed themselves, not through an earlier stage."""
        with Repo(self.folder) as repo:
            return {name.rpartition(":")[2] for name in repo.status()}

    @contextmanager
    def restored(self, *names: str) -> Iterator[None]:
        """Restore files when the block ends."""
        kept = {name: (self.folder / name).read_text(encoding="utf-8") for name in names}
        try:
            yield
        finally:
            for name, text in kept.items():
                (self.folder / name).write_text(text, encoding="utf-8")

    def json(self, path: str) -> Any:
        """Return a JSON file's content."""
        return json.loads((self.folder / path).read_text(encoding="utf-8"))


def follow_recipe(folder: Path) -> Any:
    """Make the changes of CONTRIBUTING.md's section on encoders as they are written there.

    A block that starts with a path is a new file. In a diff, each removed line, which must exist exactly
    once, is replaced by the added lines after it.

    Returns:
        The section `encoder` of the parameters.
    """
    page = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = page.split("## Adding an encoder\n")[1].split("\n## ")[0]
    for step in re.split(r"^\d\. ", section, flags=re.M)[1:]:
        named = re.search(r"`(src/[^`]+\.py)`", step)
        for kind, code in re.findall(r"^```(python|diff)\n(.*?)^```", step, flags=re.M | re.S):
            path = folder / named[1]
            if kind == "python":
                path.write_text(code, encoding="utf-8")
                continue
            text = path.read_text(encoding="utf-8")
            for removed, added in re.findall(r"^-(.*\n)((?:^\+.*\n)+)", code, flags=re.M):
                assert text.count(removed) == 1, removed
                text = text.replace(removed, re.sub(r"^\+", "", added, flags=re.M))
            path.write_text(text, encoding="utf-8")
    (setting,) = re.findall(r"`encoder: (\{.*?\})`", section)
    return yaml.safe_load(setting)


def copy_repository(folder: Path, python: Path | None = None) -> Workspace:
    """Copy the repository's files into `folder`, with this environment, or one of a `python` alone.

    `python` then also runs the environment's `dvc` and `seqlab`.
    """
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
    if python is None:
        (folder / ".venv").symlink_to(sys.prefix)
    else:
        (folder / ".venv/bin").mkdir(parents=True)
        (folder / ".venv/bin/python").symlink_to(python)
        for name in ("dvc", "seqlab"):
            program = folder / ".venv/bin" / name
            program.write_text(f'#!/bin/sh\nexec {python} -m {name} "$@"\n', encoding="utf-8")
            program.chmod(0o755)
    return Workspace(folder)


def commit(workspace: Workspace) -> None:
    """Make a Git repository of a workspace, with one commit."""
    for command in (
        ("git", "init", "-q", "-b", "main"),
        ("git", "config", "user.name", "Test"),
        ("git", "config", "user.email", "test@example.invalid"),
        ("git", "add", "-A"),
        ("git", "commit", "-q", "-m", "start"),
    ):
        workspace.run(*command)


def make_workspace(folder: Path, python: Path | None = None) -> Workspace:
    """Copy the repository, set small parameters, and commit.

    The POS tagger gets the encoder of CONTRIBUTING.md's recipe.
    """
    workspace = copy_repository(folder, python)
    workspace.change(SMALL | {"pos.encoder": follow_recipe(folder)})
    commit(workspace)
    return workspace


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory, warm: Path) -> Workspace:
    """A workspace in which `dvc repro` has run, started by its path without an active environment.

    The download, NER's preparation and NER's training run in a new Python. The other stages and the commands
    that follow run in the warm one.
    """
    without_packages = tmp_path_factory.mktemp("bin")
    python = without_packages / "python-of-task"
    warm_ones = '*" pos"|*"evaluate ner"|*"export ner"|"-m dvc "*|"-m seqlab "*'
    choice = f'{warm_ones}) exec {warm} "$@";; *) exec {sys.executable} "$@";;'
    python.write_text(f'#!/bin/sh\ncase "$*" in {choice} esac\n', encoding="utf-8")
    python.chmod(0o755)
    workspace = make_workspace(tmp_path_factory.mktemp("workspace"), python)
    (without_packages / "python").symlink_to(getattr(sys, "_base_executable", "/usr/bin/python3"))
    workspace.output = workspace.run(str(PROGRAMS / "dvc"), "repro", path=str(without_packages))
    return workspace
