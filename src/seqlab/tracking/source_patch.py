"""What a working tree has changed since its commit, as a patch that `git apply` applies."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from seqlab.credentials import without_credentials

PARAMS = "params.yaml"
SOURCES = ("src", "dvc.yaml", PARAMS)
"""What is compared with the commit. Data and results have digests of their own."""

MAX_BYTES = 1 << 20

PATCH = "git.patch"
"""The tag with the patch's digest, and the artifact with the patch."""

NO_PATCH = "none"
TOO_LARGE = f"larger than {MAX_BYTES >> 20} MiB"

_GIT_TIMEOUT_S = 20


def source_patch(params_text: str | None = None) -> bytes | None:
    """Return the changes of `SOURCES` in the working directory since HEAD.

    New files are included, files that Git ignores and credentials are left out. In an experiment, its
    parameters are part of the changes.

    Args:
        params_text: the content of params.yaml instead of the file's, for a trial of a sweep.

    Returns:
        Output of `git diff --binary`; empty if nothing has changed; None outside a Git repository.
    """
    paths = [path for path in SOURCES if Path(path).exists()]
    if not paths or (index := _git("rev-parse", "--git-path", "index")) is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        # In a copy of the index, new files can be announced without a change of the user's.
        copy = Path(scratch) / "index"
        if (file := Path(index.strip())).exists():
            shutil.copy2(file, copy)  # by its time, Git knows files that changed in the second of a commit
        environment, options = {"GIT_INDEX_FILE": str(copy)}, ["HEAD"]
        if params_text is not None:
            environment |= _scratch_objects(Path(scratch))
            options = ["--cached", "HEAD"]
        kind = ["--intent-to-add"] if params_text is None else []
        if _git("add", *kind, "--", *paths, **environment) is None:
            return None
        if params_text is not None and not _add_params(params_text, Path(scratch), environment):
            return None
        patch = _git("diff", "--binary", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames",
                     "--src-prefix=a/", "--dst-prefix=b/", *options, "--", *paths, **environment)  # fmt: skip
    return None if patch is None else without_credentials(patch).encode("utf-8", "surrogateescape")


def _scratch_objects(scratch: Path) -> dict[str, str]:
    """Return variables with which Git writes new objects into `scratch`, not into the repository."""
    (scratch / "objects").mkdir()
    objects = (_git("rev-parse", "--git-path", "objects") or "").strip()
    return {
        "GIT_OBJECT_DIRECTORY": str(scratch / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(Path(objects).resolve()),
    }


def _add_params(text: str, scratch: Path, environment: dict[str, str]) -> bool:
    """Put a text into the index as params.yaml; return whether that succeeded."""
    (scratch / PARAMS).write_text(text, encoding="utf-8")
    blob = _git("hash-object", "-w", "--no-filters", str(scratch / PARAMS), **environment)
    prefix = _git("rev-parse", "--show-prefix")
    if blob is None or prefix is None:
        return False
    entry = f"100644,{blob.strip()},{prefix.strip()}{PARAMS}"
    return _git("update-index", "--add", "--cacheinfo", entry, **environment) is not None


def describe_patch(patch: bytes | None) -> str:
    """Return the value of the tag `git.patch`: the patch's SHA-256, or why the run has none."""
    if not patch:
        return NO_PATCH
    return TOO_LARGE if len(patch) > MAX_BYTES else hashlib.sha256(patch).hexdigest()


def _git(*arguments: str, **environment: str) -> str | None:
    """Return git's output; None if it fails. Bytes that are not UTF-8 are kept as surrogates."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *arguments],
            env={**os.environ, **environment},
            capture_output=True,
            timeout=_GIT_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "surrogateescape") if done.returncode == 0 else None
