from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from seqlab.tracking.same_run import find_mixed_runs, warn_of_mixed_runs

FILES = ("models/ner/run.json", "models/ner/export/config.json", "metrics/ner/evaluate.json")


def write_ids(root: Path, *run_ids: str | None) -> None:
    for name, run_id in zip(FILES, run_ids, strict=True):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(json.dumps({"run_id": run_id} if run_id else {"test": {}}), encoding="utf-8")


@pytest.mark.parametrize("model", ["models/ner", "models/ner/export"])
def test_scores_of_another_commit_beside_the_model_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_ids(Path(), "b" * 32, "b" * 32, "a" * 32)
    warn_of_mixed_runs(Path(model))
    assert capsys.readouterr().err == (
        f"warning: {model}: the model, its export and its scores come from different runs\n"
        "  expected: one run id in all of their files\n"
        "  received: models/ner/run.json: bbbbbbbbbbbb, models/ner/export/config.json: bbbbbbbbbbbb, "
        "metrics/ner/evaluate.json: aaaaaaaaaaaa\n"
        "  remedy: after `git checkout` or `git pull`, run `dvc checkout`; after a stage that failed, "
        "run `dvc repro`\n"
    )


@pytest.mark.parametrize("run_ids", [("a", "a", "a"), ("a", "a", None), (None, None, "a")])
def test_files_of_one_run_or_without_an_id_are_not_reported(
    tmp_path: Path, run_ids: tuple[str | None, ...]
) -> None:
    write_ids(tmp_path, *run_ids)
    assert find_mixed_runs(tmp_path / "models" / "ner") is None


@pytest.mark.parametrize(
    ("locked", "is_reported"), [(b'{"run_id": "a"}', False), (b'{"run_id": "b"}', True), (None, False)]
)
def test_a_model_that_dvc_lock_does_not_name_is_reported(
    tmp_path: Path, locked: bytes | None, is_reported: bool
) -> None:
    """After `git checkout` alone, the files in DVC's cache are of one run, but not of the commit's."""
    write_ids(tmp_path, "a", "a", "a")
    out = f"    - path: models/ner/run.json\n      md5: {hashlib.md5(locked).hexdigest()}\n" if locked else ""
    other = out.replace(hashlib.md5(locked or b"").hexdigest(), "0" * 32)
    lock = f"stages:\n  export@ner:\n    deps:\n{other}  train@ner:\n    outs:\n{out}  x:\n    deps:\n{other}"
    (tmp_path / "dvc.lock").write_text(lock, encoding="utf-8")
    error = find_mixed_runs(tmp_path / "models" / "ner" / "export")
    assert (error is not None) is is_reported
    if error:
        assert "expected: the files that dvc.lock names" in str(error)
        assert "run `dvc checkout`" in str(error)


def test_an_export_older_than_its_model_is_reported(tmp_path: Path) -> None:
    write_ids(tmp_path, "b", "a", "b")
    assert find_mixed_runs(tmp_path / "models" / "ner" / "export") is not None


def test_files_that_cannot_be_read_are_not_compared(tmp_path: Path) -> None:
    write_ids(tmp_path, "a", "a", "b")
    (tmp_path / FILES[2]).write_text("[", encoding="utf-8")
    assert find_mixed_runs(tmp_path / "models" / "ner") is None
    assert find_mixed_runs(tmp_path / "elsewhere") is None
