"""A repository with a corpus beside it, and sweeps of its trainings in this process."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))

from git_repository import forget_environment, git, new_repository
from small_task import ENCODERS, REPOSITORY, SMALL, sentences

from seqlab.sweeps.spec import CheckedSweep, read_sweep
from seqlab.tracking.store import prepare_store
from seqlab.yaml_text import with_values

SPEC = {
    "task": "ner",
    "trials": 3,
    "search": "random",
    "space": {"ner.training.learning_rate": {"log_uniform": [1e-3, 1e-2]}},
}


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without runs, which takes MLflow seconds to create."""
    root = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        forget_environment(patch)
        prepare_store(root, "template")
    return root / "mlflow.db"


@pytest.fixture
def repository(tmp_path: Path, empty_store: Path) -> Iterator[Path]:
    """A Git repository, the working directory, with small parameters; its corpus is outside."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    values = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    values = with_values(values, {f"ner.{part}": {**values["ner"][part], **SMALL[part]} for part in SMALL})
    values["ner"] |= {"encoder": ENCODERS["none"], "head": {"type": "softmax", "label_smoothing": 0.0}}
    values["corpus"]["name"] = "files"
    values["corpus"]["files"]["columns"] = ["token", "upos", "ner"]
    for number, (split, count) in enumerate((("train", 40), ("dev", 10), ("test", 10))):
        (corpus / f"{split}.conll").write_text(sentences(count, shift=number), encoding="utf-8")
        values["corpus"]["files"][split] = f"../corpus/{split}.conll"
    root = tmp_path / "repository"
    with new_repository(root):
        (root / ".gitignore").write_text("/.seqlab/\n/mlflow.db*\n/mlartifacts/\n", encoding="utf-8")
        (root / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
        git(root, "add", "-A")
        git(root, "commit", "--quiet", "-m", "start")
        shutil.copy(empty_store, root / "mlflow.db")
        yield root


@pytest.fixture
def make_sweep(repository: Path) -> Callable[..., CheckedSweep]:
    """Write and read `lr.yaml`, with changes."""

    def make(**changes: Any) -> CheckedSweep:
        path = repository / "lr.yaml"
        content = {name: value for name, value in {**SPEC, **changes}.items() if value is not None}
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return read_sweep(path, repository / "params.yaml")

    return make
