"""What a training predicted, its parameters and its cost: from a folder, Git and DVC, or MLflow."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from seqlab.errors import SeqlabError
from seqlab.evaluation.predictions import TaggedSentence, read_predictions, write_predictions
from seqlab.pipeline.record import settings_in
from seqlab.tracking.past_runs import PastRun, find_run, read_artifact
from seqlab.tracking.provenance import git_output
from seqlab.tracking.run_names import as_params
from seqlab.tracking.store import experiment_name

SPLITS = ("dev", "test")
COSTS = ("duration_s", "tokens_per_s", "parameters")

Reader = Callable[[str], bytes | None]
"""Returns the content of a file of the repository, by its path in it; None if it does not exist."""


@dataclass(frozen=True)
class StoredResult:
    """What one training predicted, from which settings, and what it cost.

    Args:
        name: as the user named it.
        origin: where it was read.
        predictions: the tagged sentences, by split.
        settings: the task's parameters as MLflow has them, with dotted keys; empty if unknown.
        corpus_digest: of the corpus's manifest; empty if unknown.
        costs: the known ones of `COSTS`.
    """

    name: str
    origin: str
    predictions: Mapping[str, list[TaggedSentence]]
    settings: Mapping[str, str] = field(default_factory=dict)
    corpus_digest: str = ""
    costs: Mapping[str, float] = field(default_factory=dict)


def read_result(name: str, *, task: str, root: Path) -> StoredResult:
    """Read the result that `name` stands for.

    The first of these that exists is read: a folder (a checkout, or a folder of predictions), the MLflow run
    with this id, a Git revision, a DVC experiment, the MLflow run whose id starts with it.

    Args:
        name: of the result.
        task: the task's name.
        root: the repository's root.

    Raises:
        SeqlabError: there is no such result, or its predictions cannot be had.
    """
    if (folder := Path(name)).is_dir():
        return _from_folder(name, folder, task=task)
    run = find_run(root, name) if len(name) == 32 else None
    commit = None if run else _commit(root, name)
    if commit:
        return _from_revision(name, commit, task=task, root=root)
    if run := run or find_run(root, name):
        return _from_run(name, run, task=task, root=root)
    raise SeqlabError(
        "there is no such result",
        where=name,
        expected="a folder, a Git revision, a DVC experiment's name, or the id of an MLflow run",
        remedy="list experiments with `dvc exp show` and runs with `make ui`; `dvc exp pull` fetches others'",
    )


@contextmanager
def predictions_of(name: str, *, task: str, root: Path) -> Iterator[Path]:
    """Yield a file or a folder of predictions: `name` itself, or those of the result that it stands for.

    Raises:
        SeqlabError: as `read_result`.
    """
    if Path(name).is_file() or any((Path(name) / f"{split}.conll").is_file() for split in SPLITS):
        yield Path(name)
        return
    with tempfile.TemporaryDirectory() as scratch:
        for split, sentences in read_result(name, task=task, root=root).predictions.items():
            write_predictions(Path(scratch) / f"{split}.conll", sentences)
        yield Path(scratch)


def _from_folder(name: str, folder: Path, *, task: str) -> StoredResult:
    def read(path: str) -> bytes | None:
        file = folder / path
        return file.read_bytes() if file.is_file() else None

    if any((folder / f"{split}.conll").is_file() for split in SPLITS):
        return StoredResult(name, "folder", _read_predictions(read, "", where=name))
    predictions = _read_predictions(read, f"data/predictions/{task}/", where=name)
    if not predictions:
        raise SeqlabError(
            f"there are no predictions of {task}",
            where=name,
            expected=f"dev.conll or test.conll in it, or in data/predictions/{task}",
            remedy="run `dvc pull` or `dvc repro` there, or name another task with --task",
        )
    return _from_repository(name, "folder", predictions, read, task=task)


def _from_revision(name: str, commit: str, *, task: str, root: Path) -> StoredResult:
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexDirError

    origin = f"Git commit {commit[:10]}"
    folder = f"data/predictions/{task}"
    try:
        files = DVCFileSystem(str(root), rev=commit)
        is_recorded = files.exists(folder)
    except DataIndexDirError:  # recorded, but its data is missing
        is_recorded = True
    except DvcException as error:
        raise SeqlabError(
            "this revision cannot be read",
            where=name,
            received=str(error),
            remedy="run from the repository's root",
        ) from error
    if not is_recorded:
        raise SeqlabError(
            f"the revision has no predictions of {task}",
            where=f"{name} ({origin})",
            expected=f"the output {folder} in its dvc.lock",
            remedy="run `dvc repro` and commit dvc.lock, or name another task with --task",
        )

    def read(path: str) -> bytes | None:
        try:
            content: bytes = files.read_bytes(path)
        except (OSError, DvcException, DataIndexDirError):  # no such file, or its data is missing
            return None
        return content

    predictions = _read_predictions(read, f"{folder}/", where=name)
    if not predictions:
        raise SeqlabError(
            f"the predictions of {task} are neither in DVC's cache nor in its remote",
            where=f"{name} ({origin})",
            expected=f"the data of {folder}",
            remedy=f"run `dvc push` where they were made (`dvc exp push` for an experiment), "
            f"or make them again: git checkout {commit[:10]} && dvc repro evaluate@{task}",
        )
    return _from_repository(name, origin, predictions, read, task=task)


def _from_repository(
    name: str, origin: str, predictions: Mapping[str, list[TaggedSentence]], read: Reader, *, task: str
) -> StoredResult:
    trained, corpus = (_read_json(read, f"metrics/{task}/{file}.json") for file in ("train", "corpus"))
    return StoredResult(
        name,
        origin,
        predictions,
        settings=_settings(read("params.yaml"), task),
        corpus_digest=corpus.get("digest", ""),
        costs={cost: float(trained[cost]) for cost in COSTS if cost in trained},
    )


def _from_run(name: str, run: PastRun, *, task: str, root: Path) -> StoredResult:
    if (found := run.tags.get("task", task)) != task:
        raise SeqlabError(
            "the run belongs to another task",
            where=name,
            expected=f"a run of {experiment_name(task)}",
            received=f"run {run.run_id[:12]} ({run.name}) of {found}",
            remedy=f"compare runs of one task, with --task {found}",
        )
    predictions = _read_predictions(
        lambda path: read_artifact(root, run.run_id, path), "predictions/", where=name
    )
    if not predictions:
        raise SeqlabError(
            "the run has no predictions",
            where=f"{name} (MLflow run {run.run_id[:12]}, {run.name})",
            expected="the artifact predictions/test.conll, which the evaluate stage logs",
            remedy=f"compare its commit ({run.tags.get('git.commit', 'unknown')[:10]}) or experiment "
            "instead, or evaluate it again with `dvc repro`",
        )
    return StoredResult(
        name,
        f"MLflow run {run.run_id[:12]} ({run.name})",
        predictions,
        settings=run.params,
        corpus_digest=run.tags.get("corpus.digest", ""),
        costs={cost: run.metrics[f"training/{cost}"] for cost in COSTS if f"training/{cost}" in run.metrics},
    )


def _read_predictions(read: Reader, prefix: str, *, where: str) -> dict[str, list[TaggedSentence]]:
    found = {}
    for split in SPLITS:
        path = f"{prefix}{split}.conll"
        if (content := read(path)) is None:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / f"{split}.conll"
            file.write_bytes(content)
            found[split] = list(read_predictions(file))
        if not found[split]:
            raise SeqlabError(
                "the predictions have no sentences", where=f"{where}: {path}", remedy="run dvc repro"
            )
    return found


def _settings(content: bytes | None, task: str) -> dict[str, str]:
    """Return a task's settings; as they are written, if params.yaml was written for other code."""
    if content is None:
        return {}
    if (settings := settings_in(content.decode(errors="replace"), task)) is not None:
        return settings
    values = yaml.safe_load(content)
    if not isinstance(values, dict) or not isinstance(values.get(task), dict):
        return {}
    corpus = values.get("corpus")
    name = corpus.get("name") if isinstance(corpus, dict) else None
    return as_params({"seed": values.get("seed"), "corpus": name, **values[task]})


def _read_json(read: Reader, path: str) -> dict[str, Any]:
    content = read(path)
    value = json.loads(content) if content else {}
    return value if isinstance(value, dict) else {}


def _commit(root: Path, name: str) -> str | None:
    """Return the commit of a Git revision or of a DVC experiment; None if there is none.

    Raises:
        SeqlabError: several experiments have the name.
    """
    if name.startswith("-"):
        return None
    if commit := git_output(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"):
        return commit
    # DVC stores an experiment as refs/exps/<2 digits of its base>/<38 digits>/<name>.
    refs = git_output(root, "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps") or ""
    lines = refs.splitlines()
    found = [line.split()[0] for line in lines if line.split("/", 4)[-1] == name and line.count("/") >= 4]
    if len(found) > 1:
        raise SeqlabError(
            "several experiments have this name",
            where=name,
            expected="one experiment, or a commit",
            received=", ".join(commit[:10] for commit in found),
            remedy="name the commit",
        )
    return found[0] if found else None
