from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from seqlab.tracking.operations import safe_key
from seqlab.tracking.provenance import git_tags, lock_tags, provenance_tags, version_tags

LOCK = """\
schema: '2.0'
stages:
  prepare@ner:
    cmd: python -m seqlab.stages.prepare ner
    outs:
    - path: data/prepared/ner
      hash: md5
      md5: 0123.dir
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repository"
    (folder / "metrics" / "ner").mkdir(parents=True)
    for name in ("code.py", "dvc.lock", "params.yaml", "metrics/ner/evaluate.json"):
        (folder / name).write_text("schema: '2.0'\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    monkeypatch.chdir(folder)
    return folder


def test_a_clean_tree(repository: Path) -> None:
    assert git_tags(repository) == {
        "git.commit": git(repository, "rev-parse", "HEAD"),
        "git.branch": "main",
        "git.dirty": "false",
    }


def test_only_changes_that_the_pipeline_does_not_make_are_dirty(repository: Path) -> None:
    for name in ("dvc.lock", "metrics/ner/evaluate.json"):
        (repository / name).write_text("2\n")
    (repository / "untracked.py").write_text("2\n")
    assert git_tags(repository)["git.dirty"] == "false"
    (repository / "code.py").write_text("2\n")
    (repository / "params.yaml").write_text("2\n")
    tags = git_tags(repository)
    assert tags["git.dirty"] == "true"
    assert tags["git.dirty_files"] == "code.py, params.yaml"


def test_a_long_list_of_changed_files_is_truncated(repository: Path) -> None:
    for number in range(23):
        (repository / f"f{number:02d}").write_text("1")
    git(repository, "add", "-A")
    assert git_tags(repository)["git.dirty_files"].endswith("f19, and 3 more")


def test_the_commit_of_a_temporary_experiment_is_its_base_commit(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = git(repository, "rev-parse", "HEAD")
    # Like DVC's: a clone with a detached HEAD and uncommitted parameters.
    temporary = tmp_path / "exps" / "tmp1"
    git(tmp_path, "clone", "-q", str(repository), str(temporary))
    git(temporary, "checkout", "-q", "--detach", base)
    git(temporary, "branch", "-qD", "main")
    (temporary / "params.yaml").write_text("2\n")
    (repository / "code.py").write_text("changed meanwhile\n")
    monkeypatch.setenv("DVC_EXP_NAME", "lazy-crab")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", base)
    monkeypatch.chdir(temporary)
    tags = provenance_tags(repository, stages=[], seed=0, device="cpu")
    assert tags["git.commit"] == tags["mlflow.source.git.commit"] == base
    assert tags["git.branch"] == "main"
    assert tags["git.dirty"] == "false"
    assert tags["dvc.exp_name"] == "lazy-crab"
    assert tags["dvc.exp_baseline"] == base


def test_a_commit_without_a_branch(repository: Path) -> None:
    git(repository, "commit", "-q", "--allow-empty", "-m", "two")
    git(repository, "checkout", "-q", "--detach", "HEAD~1")
    assert git_tags(repository)["git.branch"] == "detached"


def test_without_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    tags = provenance_tags(tmp_path, stages=[], seed=0, device="cpu")
    assert (tags["git.commit"], tags["git.branch"], tags["git.dirty"]) == ("none", "none", "none")
    assert "mlflow.source.git.commit" not in tags
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_tags(tmp_path)["git.commit"] == "none"


def test_a_repository_without_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q")
    assert git_tags(tmp_path)["git.commit"] == "none"


def test_the_lock_file_gives_stages_and_outputs(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text(LOCK)
    entry = (
        '{"cmd":"python -m seqlab.stages.prepare ner",'
        '"outs":[{"hash":"md5","md5":"0123.dir","path":"data/prepared/ner"}]}'
    )
    assert lock_tags(tmp_path / "dvc.lock", ["prepare@ner", "download"]) == {
        "dvc.stage.prepare.ner": hashlib.md5(entry.encode()).hexdigest(),
        "dvc.out.data/prepared/ner": "0123.dir",
        "dvc.stage.download": "none",
    }


@pytest.mark.parametrize("content", [None, ""])
def test_a_missing_or_empty_lock_file(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "dvc.lock").write_text(content)
    assert lock_tags(tmp_path / "dvc.lock", ["download"]) == {"dvc.stage.download": "none"}


def test_versions_of_installed_libraries() -> None:
    import numpy

    tags = version_tags()
    assert tags["version.numpy"] == numpy.__version__
    assert tags["version.python"].count(".") == 2


def test_tags_of_a_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "train@ner")
    (tmp_path / "dvc.lock").write_text(LOCK)
    tags = provenance_tags(tmp_path, stages=["prepare@ner"], seed=0, device="cpu")
    assert tags["run.seed"] == "0"
    assert tags["run.device"] == "cpu"
    assert tags["run.execution"] == "none"
    assert tags["mlflow.source.name"] == "dvc repro train@ner"
    assert tags["dvc.stage"] == "train@ner"
    assert tags["dvc.out.data/prepared/ner"] == "0123.dir"
    assert {safe_key(key) for key in tags} == set(tags)
