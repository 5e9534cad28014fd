"""The provenance of a run as tags: commit, data, library versions, device."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from seqlab.cores import available_cores

NONE = "none"
LIBRARIES = ("keras", "tensorflow", "numpy", "mlflow", "dvc")

# The pipeline changes these files itself, so they do not make the working tree dirty.
GENERATED = ("dvc.lock", "metrics")

_GIT_TIMEOUT_S = 20
_MAX_FILES = 20
_DVC_VARIABLES = {
    "dvc.exp_name": "DVC_EXP_NAME",
    "dvc.exp_baseline": "DVC_EXP_BASELINE_REV",
    "dvc.stage": "DVC_STAGE",
}


def provenance_tags(root: Path, *, stages: Sequence[str], seed: int, device: str) -> dict[str, str]:
    """Return tags for everything that a result depends on, except the parameters.

    The commit and `dvc.lock` are those of the working directory. In a queued or `--temp` experiment this is
    DVC's temporary clone, whose HEAD is the experiment's base commit, while `root` may have changed since.
    `stages` are the DVC stages that the run depends on (`prepare@ner`), without the running stage, whose
    entry in `dvc.lock` is that of its previous run.

    Returns:
        The tags `git.*`, `dvc.*`, `version.*` and `run.*`, and those of MLflow's columns User, Source and
        Version. Outside a Git repository the `git.*` tags are `none`.
    """
    git, user = git_tags(root), current_user()
    stage = os.environ.get("DVC_STAGE", "")
    tags = {
        **git,
        **{tag: os.environ[name] for tag, name in _DVC_VARIABLES.items() if os.environ.get(name)},
        **lock_tags(Path("dvc.lock"), stages),
        **version_tags(),
        "run.seed": str(seed),
        "run.device": device,
        "run.execution": NONE,
        "run.processor": processor(),
        "run.threads": str(threads()),
        "run.user": user,
        "mlflow.user": user,
        "mlflow.source.name": f"dvc repro {stage}" if stage else "seqlab",
        "mlflow.source.type": "LOCAL",
    }
    if git["git.commit"] != NONE:
        tags["mlflow.source.git.commit"] = git["git.commit"]
        tags["mlflow.source.git.branch"] = git["git.branch"]
    return tags


def git_tags(root: Path) -> dict[str, str]:
    """Return `git.commit`, `git.branch`, `git.dirty` and perhaps `git.dirty_files` of the working directory.

    Dirty means that a tracked file differs from the commit. In a DVC experiment `params.yaml` is ignored,
    because DVC stores it in the experiment's commit. HEAD is then detached, so the branch is one of `root`
    whose tip is the commit.
    """
    commit = git_output(".", "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return {"git.commit": NONE, "git.branch": NONE, "git.dirty": NONE}
    branch = git_output(".", "branch", "--show-current") or git_output(
        root, "for-each-ref", "--count=1", f"--points-at={commit}", "--format=%(refname:short)", "refs/heads"
    )
    tags = {"git.commit": commit, "git.branch": branch or "detached"}
    ignored = [*GENERATED, *(["params.yaml"] if "DVC_EXP_NAME" in os.environ else [])]
    exclude = [f":(exclude){path}" for path in ignored]
    status = git_output(
        ".", "status", "--porcelain", "--untracked-files=no", "--no-renames", "--", ".", *exclude
    )
    if status is None:
        return {**tags, "git.dirty": "unknown"}
    files = [line[3:] for line in status.splitlines()]
    tags["git.dirty"] = "true" if files else "false"
    if files:
        more = [f"and {len(files) - _MAX_FILES} more"] if len(files) > _MAX_FILES else []
        tags["git.dirty_files"] = ", ".join([*files[:_MAX_FILES], *more])
    return tags


def committed_text(path: str) -> str | None:
    """Return the text of a file of the working directory as HEAD has it; None if HEAD does not have it."""
    return git_output(".", "show", f"HEAD:./{path}")


def lock_tags(lock: Path, stages: Sequence[str]) -> dict[str, str]:
    """Return tags for the entries of stages in `dvc.lock`.

    Returns:
        For each stage, `dvc.stage.<stage>` is the MD5 of its entry (command, parameters, dependencies,
        outputs), or `none` if it has no entry. For each output, `dvc.out.<path>` is its MD5 in DVC's cache.
        MLflow does not allow `@` in a key, so `prepare@ner` is written `prepare.ner`.
    """
    entries, tags = locked_stages(lock), {}
    for stage in stages:
        entry, key = entries.get(stage), f"dvc.stage.{stage.replace('@', '.')}"
        if entry is None:
            tags[key] = NONE
            continue
        canonical = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
        tags[key] = hashlib.md5(canonical, usedforsecurity=False).hexdigest()
        tags |= {f"dvc.out.{out['path']}": out.get("md5", NONE) for out in entry.get("outs", [])}
    return tags


def locked_stages(lock: Path) -> dict[str, Any]:
    """Return the entries of `dvc.lock` by stage, none if there is no such file."""
    content = yaml.safe_load(lock.read_text(encoding="utf-8")) if lock.exists() else None
    return (content or {}).get("stages", {})


def version_tags() -> dict[str, str]:
    """Return `version.<library>`, `version.python` and `version.platform` without importing the libraries."""
    tags = {"version.python": platform.python_version(), "version.platform": platform.platform()}
    for library in LIBRARIES:
        try:
            tags[f"version.{library}"] = metadata.version(library)
        except metadata.PackageNotFoundError:
            tags[f"version.{library}"] = NONE
    return tags


def processor() -> str:
    """Return the processor's model, or its architecture if the system does not say more."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def threads() -> int:
    """Return TF_NUM_INTRAOP_THREADS, or the usable cores, which TensorFlow's threads share out."""
    given = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    if given.isdigit() and int(given):
        return int(given)
    return available_cores()


def current_user() -> str:
    """Return the user's name, or the numeric id of a user without a name (in a container)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def git_output(folder: Path | str, *arguments: str) -> str | None:
    """Return git's output, or None if git or the repository is missing or the command times out."""
    try:
        done = subprocess.run(
            # Optional locks could make a commit fail that the user makes at the same time.
            ["git", "--no-optional-locks", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.rstrip("\n") if done.returncode == 0 else None
