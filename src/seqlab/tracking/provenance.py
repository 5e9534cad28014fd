"""Where a run comes from: commit, data, versions, device, as tags of the run."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

NONE = "none"
LIBRARIES = ("keras", "tensorflow", "numpy", "mlflow", "dvc")

# What the pipeline itself rewrites while it runs, which says nothing about the code's state.
GENERATED = ("dvc.lock", "metrics")

_GIT_TIMEOUT_S = 20
_LONGEST_LIST = 20


def provenance_tags(
    root: Path,
    *,
    workspace: Path | None = None,
    stages: Sequence[str] = (),
    seed: int | None = None,
    device: str = "",
    execution: str = "",
    generated: Sequence[str] = GENERATED,
    with_host: bool = False,
) -> dict[str, str]:
    """Everything but the parameters that a result depends on, as flat tags.

    Args:
        root: the repository's root (DVC_ROOT).
        workspace: where the stage runs, by default the working directory. In a queued or `--temp`
            experiment it is DVC's temporary clone, whose HEAD is the experiment's base commit
            and whose `dvc.lock` is the one that is true, while `root` may have moved on.
        stages: DVC stages whose results went in (`prepare@ner`), not the running one, whose entry
            in `dvc.lock` is that of its last run.
        seed: the run's seed.
        device: what trained, e.g. `cpu` or `NVIDIA H200`.
        execution: how, e.g. `graph` or `eager`, with XLA and precision.
        generated: paths relative to the workspace whose changes do not count as dirty.
        with_host: whether to tell the machine's name.

    Returns:
        Tags, in groups: `git.*`, `dvc.*`, `version.*`, `run.*`, and MLflow's own for its columns User,
        Source and Version. Outside a Git repository the `git.*` tags say `none`.
    """
    workspace = workspace or Path.cwd()
    git = git_tags(root, workspace=workspace, generated=generated)
    stage = os.environ.get("DVC_STAGE", "")
    tags = {
        **git,
        **experiment_tags(),
        **lock_tags(workspace / "dvc.lock", stages),
        **version_tags(),
        "run.seed": NONE if seed is None else str(seed),
        "run.device": device or NONE,
        "run.execution": execution or NONE,
        "run.user": current_user(),
        "mlflow.user": current_user(),
        "mlflow.source.name": f"dvc repro {stage}" if stage else "seqlab",
        "mlflow.source.type": "LOCAL",
    }
    if git["git.commit"] != NONE:
        tags["mlflow.source.git.commit"] = git["git.commit"]
        tags["mlflow.source.git.branch"] = git["git.branch"]
    if with_host:
        tags["run.host"] = platform.node()
    return tags


def git_tags(root: Path, *, workspace: Path, generated: Sequence[str] = GENERATED) -> dict[str, str]:
    """`git.commit`, `git.branch`, `git.dirty` and, if dirty, `git.dirty_files`.

    Dirty means that a tracked file differs from the commit, untracked ones aside. In a DVC experiment
    `params.yaml` does not count: DVC keeps the experiment's own in the experiment's commit.
    During an experiment HEAD is detached, so the branch is the one whose tip the commit is.
    """
    commit = _git(workspace, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return {"git.commit": NONE, "git.branch": NONE, "git.dirty": NONE}
    branch = _git(workspace, "branch", "--show-current") or _git(
        root, "for-each-ref", "--count=1", f"--points-at={commit}", "--format=%(refname:short)", "refs/heads"
    )
    ignored = [*generated, *(["params.yaml"] if "DVC_EXP_NAME" in os.environ else [])]
    status = _git(
        workspace,
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--no-renames",
        "--",
        ".",
        *(f":(exclude){path}" for path in ignored),
    )
    tags = {"git.commit": commit, "git.branch": branch or "detached"}
    if status is None:
        return {**tags, "git.dirty": "unknown"}
    files = [line[3:] for line in status.splitlines()]
    tags["git.dirty"] = "true" if files else "false"
    if files:
        more = [f"and {len(files) - _LONGEST_LIST} more"] if len(files) > _LONGEST_LIST else []
        tags["git.dirty_files"] = ", ".join([*files[:_LONGEST_LIST], *more])
    return tags


def experiment_tags() -> dict[str, str]:
    """`dvc.exp_name` and `dvc.exp_baseline` inside `dvc exp run`, `dvc.stage` inside any stage."""
    names = {
        "dvc.exp_name": "DVC_EXP_NAME",
        "dvc.exp_baseline": "DVC_EXP_BASELINE_REV",
        "dvc.stage": "DVC_STAGE",
    }
    return {tag: os.environ[variable] for tag, variable in names.items() if os.environ.get(variable)}


def lock_tags(lock: Path, stages: Sequence[str]) -> dict[str, str]:
    """What `dvc.lock` says of stages.

    Returns:
        For each stage `dvc.stage.<stage>`, the MD5 of its entry (command, parameters, dependencies,
        outputs), and for each output `dvc.out.<path>`, its MD5 as DVC's cache knows it. A stage
        that the lock lacks is `none`. MLflow takes no `@` in a key: `prepare@ner` is written `prepare.ner`.
    """
    entries: dict[str, Any] = {}
    if lock.exists():
        entries = (yaml.safe_load(lock.read_text(encoding="utf-8")) or {}).get("stages", {})
    tags = {}
    for stage in stages:
        entry, name = entries.get(stage), stage.replace("@", ".")
        if entry is None:
            tags[f"dvc.stage.{name}"] = NONE
            continue
        canonical = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
        tags[f"dvc.stage.{name}"] = hashlib.md5(canonical, usedforsecurity=False).hexdigest()
        for out in entry.get("outs", []):
            tags[f"dvc.out.{out['path']}"] = out.get("md5", NONE)
    return tags


def version_tags() -> dict[str, str]:
    """`version.<library>`, `version.python` and `version.platform`, read without importing anything."""
    tags = {}
    for library in LIBRARIES:
        try:
            tags[f"version.{library}"] = metadata.version(library)
        except metadata.PackageNotFoundError:
            tags[f"version.{library}"] = NONE
    tags["version.python"] = platform.python_version()
    tags["version.platform"] = platform.platform()
    return tags


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, or None if there is no git, no repository, or no answer in time."""
    try:
        done = subprocess.run(
            # An optional lock would get in the way of a commit that the user makes meanwhile.
            ["git", "--no-optional-locks", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.rstrip("\n") if done.returncode == 0 else None


def current_user() -> str:
    """The name that runs are made under."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        return str(os.getuid())
