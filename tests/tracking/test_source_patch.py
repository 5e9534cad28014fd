from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seqlab.tracking.source_patch import MAX_BYTES, describe_patch, source_patch

CHANGED = ("src/kept.py", "src/new.py", "src/table.bin", "params.yaml")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repository"
    (folder / "src").mkdir(parents=True)
    for name in ("src/kept.py", "src/removed.py", "params.yaml", "notes.md"):
        (folder / name).write_text("one\n", encoding="utf-8")
    (folder / ".gitignore").write_text("*.log\n", encoding="utf-8")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    monkeypatch.chdir(folder)
    return folder


def test_a_patch_makes_the_changed_tree_from_the_commit(repository: Path, tmp_path: Path) -> None:
    (repository / "src/kept.py").write_bytes(b"two\nLatin-1: " + b"\xe9\n")
    (repository / "src/new.py").write_text("new\n", encoding="utf-8")
    (repository / "src/table.bin").write_bytes(bytes(range(256)))
    (repository / "src/ignored.log").write_text("new\n", encoding="utf-8")
    (repository / "src/removed.py").unlink()
    (repository / "params.yaml").write_text("staged\n", encoding="utf-8")
    (repository / "notes.md").write_text("two\n", encoding="utf-8")
    git(repository, "add", "params.yaml")
    git(repository, "config", "diff.noprefix", "true")
    git(repository, "config", "color.ui", "always")
    before = git(repository, "status", "--porcelain")
    patch = source_patch()
    assert patch is not None
    assert len(describe_patch(patch)) == 64
    assert git(repository, "status", "--porcelain") == before
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(repository), str(other))
    (tmp_path / "patch").write_bytes(patch)
    git(other, "apply", str(tmp_path / "patch"))
    assert [(other / name).read_bytes() for name in CHANGED] == [
        (repository / name).read_bytes() for name in CHANGED
    ]
    assert not (other / "src/removed.py").exists()
    assert not (other / "src/ignored.log").exists()
    assert (other / "notes.md").read_text(encoding="utf-8") == "one\n"


def test_a_patch_has_no_credentials(repository: Path) -> None:
    (repository / "params.yaml").write_text("mirror: https://me:topsecret@host/x\n", encoding="utf-8")
    patch = source_patch()
    assert patch is not None
    assert b"+mirror: https://host/x" in patch
    assert b"topsecret" not in patch


def test_nothing_changed_too_much_changed_and_no_repository(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert describe_patch(source_patch()) == "none"
    assert describe_patch(b"x" * (MAX_BYTES + 1)) == "larger than 1 MiB"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "params.yaml").touch()
    assert source_patch() is None
    assert describe_patch(None) == "none"


def test_the_patch_of_a_trial_is_that_of_a_tree_with_its_parameters(repository: Path) -> None:
    (repository / "src/new.py").write_text("new\n", encoding="utf-8")
    (repository / "src/removed.py").unlink()
    objects = sorted((repository / ".git/objects").rglob("*"))
    patch = source_patch("a trial's\n")
    assert (repository / "params.yaml").read_text(encoding="utf-8") == "one\n"
    assert sorted((repository / ".git/objects").rglob("*")) == objects
    (repository / "params.yaml").write_text("a trial's\n", encoding="utf-8")
    assert patch == source_patch()
    assert patch == source_patch("a trial's\n")
