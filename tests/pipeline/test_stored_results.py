from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from dvc.repo import Repo
from git_repository import git, new_repository

from seqlab.errors import SeqlabError
from seqlab.pipeline.stored_results import read_result
from seqlab.tracking.run import TrackedRun

REPOSITORY = Path(__file__).parents[2]
SENTENCE = (("Ada", "runs"), ("B-PER", "O"))


def predictions(predicted: str) -> str:
    return f"Ada B-PER {predicted}\nruns O O\n\n"


def write_checkout(folder: Path, predicted: str) -> None:
    for name, content in {
        "data/predictions/ner/test.conll": predictions(predicted),
        "metrics/ner/corpus.json": json.dumps({"digest": "d1"}),
        "metrics/ner/train.json": json.dumps({"duration_s": 2.5, "parameters": 10, "layers": []}),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    shutil.copy(REPOSITORY / "params.yaml", folder)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository: commit `made`, commit `lost`, whose data is gone, and the experiment `quick-lr`."""
    folder = tmp_path_factory.mktemp("repository")
    with new_repository(folder):
        with Repo.init(".") as repo:
            git(folder, "add", ".")
            git(folder, "commit", "--quiet", "-m", "nothing yet")
            git(folder, "tag", "empty")
            write_checkout(folder, "O")
            repo.add("data/predictions/ner")
            git(folder, "add", ".")
            git(folder, "commit", "--quiet", "-m", "lost")
            git(folder, "tag", "lost")
            shutil.rmtree(folder / ".dvc" / "cache")
            write_checkout(folder, "B-PER")
            repo.add("data/predictions/ner")
            git(folder, "add", ".")
            git(folder, "commit", "--quiet", "-m", "made")
            git(folder, "tag", "made")
        base = "ab" + "0" * 38
        git(folder, "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/quick-lr", "HEAD")
        for name, start in (("lost", base), ("made", "cd" + base[2:])):
            git(folder, "update-ref", f"refs/exps/{start[:2]}/{start[2:]}/twice", name)
        yield folder


def refused(name: str, root: Path, task: str = "ner") -> str:
    with pytest.raises(SeqlabError) as caught:
        read_result(name, task=task, root=root)
    return str(caught.value)


def test_a_checkout(repository):
    found = read_result(".", task="ner", root=repository)
    assert found.predictions == {"test": [(*SENTENCE, ("B-PER", "O"))]}
    assert found.corpus_digest == "d1"
    assert found.costs == {"duration_s": 2.5, "parameters": 10.0}
    assert found.settings["seed"] == "13"
    assert found.settings["encoder.type"] == "transformer"
    assert found.settings["corpus"] == "sample"
    assert "training.checkpoint_minutes" not in found.settings


def test_a_folder_of_predictions_has_no_settings(repository):
    found = read_result("data/predictions/ner", task="ner", root=repository)
    assert len(found.predictions["test"]) == 1
    assert (found.settings, found.corpus_digest, found.costs) == ({}, "", {})


def test_a_folder_without_predictions(repository, tmp_path):
    text = refused(str(tmp_path), repository)
    assert "there are no predictions of ner" in text
    assert "dvc pull" in text


def test_params_of_other_code_are_read_as_they_are_written(tmp_path, repository):
    write_checkout(tmp_path, "O")
    (tmp_path / "params.yaml").write_text("seed: 3\nner: {old: {key: 1}}\n", encoding="utf-8")
    found = read_result(str(tmp_path), task="ner", root=repository)
    assert found.settings == {"seed": "3", "corpus": "null", "old.key": "1"}


@pytest.mark.parametrize("name", ["made", "HEAD", "quick-lr"])
def test_revisions_and_experiments_are_read_through_dvc(repository, name):
    found = read_result(name, task="ner", root=repository)
    assert found.predictions == {"test": [(*SENTENCE, ("B-PER", "O"))]}
    assert found.origin == f"Git commit {git(repository, 'rev-parse', 'made')[:10]}"
    assert (found.corpus_digest, found.settings["seed"]) == ("d1", "13")


def test_a_revision_before_the_first_evaluation(repository):
    assert "the revision has no predictions of ner" in refused("empty", repository)
    assert "the revision has no predictions of pos" in refused("made", repository, task="pos")


def test_predictions_that_were_not_pushed(repository):
    text = refused("lost", repository)
    assert "neither in DVC's cache nor in its remote" in text
    assert "dvc push" in text
    assert "dvc repro evaluate@ner" in text


def test_two_experiments_of_one_name(repository):
    text = refused("twice", repository)
    assert "several experiments have this name" in text
    assert git(repository, "rev-parse", "made")[:10] in text


@pytest.mark.parametrize("name", ["nothing-such", "--help", "0123456789abcdef0123456789abcdef"])
def test_nothing_has_the_name(repository, name):
    assert "there is no such result" in refused(name, repository)
    assert not (repository / "mlflow.db").exists()


@pytest.fixture(scope="module")
def runs(repository):
    """The ids of a run with predictions, one without, and one of another task."""
    ids = []
    for task in ("ner", "ner", "pos"):
        with TrackedRun.start(
            root=repository,
            experiment=f"seqlab-{task}",
            run_name=f"a {task} run",
            tags={"task": task, "corpus.digest": "d2", "git.commit": "c" * 40},
            params={"seed": 4},
        ) as run:
            if not ids:
                run.log_metrics({"training/tokens_per_s": 7})
                run.log_artifact(repository / "data/predictions/ner/test.conll", "predictions")
        ids.append(run.run_id)
    yield ids
    (repository / "mlflow.db").unlink()


def test_a_run_by_its_id_and_its_start(repository, runs):
    for name in (runs[0], runs[0][:12]):
        found = read_result(name, task="ner", root=repository)
        assert found.predictions == {"test": [(*SENTENCE, ("B-PER", "O"))]}
        assert (found.settings, found.corpus_digest) == ({"seed": "4"}, "d2")
        assert found.costs == {"tokens_per_s": 7.0}
        assert found.origin == f"MLflow run {runs[0][:12]} (a ner run)"


def test_a_run_without_predictions(repository, runs):
    text = refused(runs[1], repository)
    assert "the run has no predictions" in text
    assert "compare its commit (cccccccccc)" in text


def test_a_run_of_another_task(repository, runs):
    text = refused(runs[2], repository)
    assert "the run belongs to another task" in text
    assert "--task pos" in text
