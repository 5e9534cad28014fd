from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from git_repository import CORPUS, forget_environment, git, new_repository

from seqlab.cli import main
from seqlab.errors import SeqlabError
from seqlab.params_file import load_params
from seqlab.pipeline import reproducing
from seqlab.pipeline.record import start_training_run
from seqlab.pipeline.reproducing import find_original
from seqlab.pipeline.reproduction_report import INPUTS, compare_runs
from seqlab.tracking.past_runs import PastRun, find_run
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.store import resolve_tracking_uri

PARAMS = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")
LOCK = """\
schema: '2.0'
stages:
  download:
    deps:
    - {path: ../own/train.conll, md5: aa}
  prepare@ner:
    outs:
    - {path: data/prepared/ner, md5: 0123.dir}
"""
SCORES = {"best_dev/span_f1": 0.5, "test/span_f1": 0.75, "test/token_accuracy": 0.9}
RESULT = {"weights.digest": "1" * 64, "run.device": "cpu", "run.strategy": "none"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A repository with a run that was made from uncommitted changes; the repository and the run's id."""
    folder = tmp_path_factory.mktemp("trained") / "repository"
    (folder / "src").mkdir(parents=True)
    with new_repository(folder):
        Path("params.yaml").write_text(PARAMS, encoding="utf-8")
        Path("src/code.py").write_text("a = 1\n", encoding="utf-8")
        Path(".dvc").mkdir()
        Path(".dvc/config").touch()
        Path(".gitignore").write_text("/.seqlab/\n/mlflow.db\n/mlartifacts/\n/.dvc/config.local\n")
        git(folder, "add", "-A")
        git(folder, "commit", "--quiet", "-m", "first")
        Path("src/code.py").write_text("a = 2\n", encoding="utf-8")
        Path("src/new.py").write_text("b = 1\n", encoding="utf-8")
        Path("params.yaml").write_text(PARAMS.replace("\nseed: ", "\nseed: 1", 1), encoding="utf-8")
        Path("dvc.lock").write_text(LOCK, encoding="utf-8")
        with start_training_run("ner", params=load_params(), corpus=CORPUS, root=folder) as run:
            run.set_tags({**RESULT, "dvc.exp_name": "quick"})
            run.log_metrics(SCORES)
        Path("dvc.lock").unlink()
        git(folder, "checkout", "--quiet", ".")
        Path("src/new.py").unlink()
        yield folder, run.run_id


@pytest.fixture
def clone(trained, tmp_path, monkeypatch):
    """A fresh clone in the working directory, with the repository's store."""
    folder, run_id = trained
    forget_environment(monkeypatch)
    git(tmp_path, "clone", "--quiet", str(folder), "clone")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path / "clone")
    return tmp_path / "clone", run_id


class Stages:
    """Replaces DVC: the data is pulled or made, and training and evaluation log a run."""

    def __init__(self, root, run_id, *, digest="d" * 64, has_data=True, tags=None, fails=()):
        self.root, self.run_id, self.digest, self.has_data = root, run_id, digest, has_data
        self.tags, self.fails, self.commands = tags or {}, fails, []

    def __call__(self, work, environment, *arguments, capture_output=False):
        self.work, self.environment = work, environment
        self.commands.append(arguments)
        fails = any(argument in self.fails for argument in arguments) or (
            arguments[0] == "pull" and not self.has_data
        )
        if not fails and "prepare@ner" in arguments:
            prepared = work / "data/prepared/ner"
            prepared.mkdir(parents=True)
            (prepared / "corpus.json").write_text(json.dumps({"corpus": "files", "digest": self.digest}))
            (work / "dvc.lock").write_text((work / "dvc.lock").read_text().replace("md5: aa", "md5: bb"))
        if "train@ner" in arguments:
            original = find_run(self.root, self.run_id)
            tags = {key: value for key, value in original.tags.items() if key != "dvc.exp_name"} | self.tags
            run = TrackedRun.start(root=self.root, experiment="e", run_name="n", tags=tags)
            run.log_params(original.params)
            run.log_metrics(SCORES)
            run.finish()
            run.save(work / "models/ner/run.json")
        return subprocess.CompletedProcess(arguments, int(fails))


def replace_dvc(monkeypatch, clone, **options):
    stages = Stages(*clone, **options)
    monkeypatch.setattr(reproducing, "_run_dvc", stages)
    return stages


def error(capsys):
    return capsys.readouterr().err


def test_code_parameters_lock_cache_and_store_are_the_runs(clone, monkeypatch, capsys):
    root, run_id = clone
    (root / ".dvc/config.local").write_text(
        "[cache]\n    dir = ../../cache\n['remote \"r\"']\n    url = ../x\n"
    )
    stages = replace_dvc(monkeypatch, clone)
    monkeypatch.setenv("DVC_EXP_NAME", "other")
    assert main(["reproduce", run_id[:10]]) == 0
    work = stages.work
    assert work == root / ".seqlab/reproduce" / run_id[:12]
    assert (work / "src/code.py").read_text() == "a = 2\n"
    assert (work / "src/new.py").read_text() == "b = 1\n"
    assert load_params(work / "params.yaml").seed == int(find_run(root, run_id).params["seed"])
    from dvc.config import Config

    config = Config(str(work / ".dvc"))
    assert Path(config["cache"]["dir"]).resolve() == root.parent / "cache"
    assert Path(config["remote"]["r"]["url"]).resolve() == root / "x"
    assert stages.environment["MLFLOW_TRACKING_URI"] == resolve_tracking_uri(root)
    assert "DVC_EXP_NAME" not in stages.environment
    assert stages.commands[0] == ("pull", "--quiet", "prepare@ner")
    assert stages.commands[1][-2:] == ("train@ner", "evaluate@ner")
    assert "--force" in stages.commands[1]
    assert git(root, "status", "--porcelain") == ""
    assert "Reproduced: equal weights and scores." in capsys.readouterr().out
    again = find_run(root, json.loads((work / "models/ner/run.json").read_text())["run_id"])
    assert again.tags["reproduces"] == run_id
    assert again.tags["reproduction"] == "Reproduced: equal weights and scores."
    assert main(["reproduce", run_id]) == 0, "the earlier worktree is replaced"


def test_other_weights_are_not_a_reproduction(clone, monkeypatch, capsys):
    replace_dvc(monkeypatch, clone, tags={"weights.digest": "2" * 64})
    assert main(["reproduce", "quick"]) == 1
    assert "Not reproduced: nothing differs that the training depends on" in capsys.readouterr().out


def test_the_worktree_may_be_elsewhere(clone, monkeypatch, tmp_path, capsys):
    stages = replace_dvc(monkeypatch, clone)
    assert main(["reproduce", clone[1], "--folder", str(tmp_path / "again")]) == 0
    assert stages.work == tmp_path / "again"
    assert main(["reproduce", clone[1], "--folder", str(tmp_path / "again")]) == 1
    assert "the folder is not empty" in error(capsys)


def test_a_corpus_that_changed_is_named(clone, monkeypatch, capsys):
    stages = replace_dvc(monkeypatch, clone, digest="e" * 64, has_data=False)
    assert main(["reproduce", clone[1]]) == 1
    printed = error(capsys)
    assert "../own/train.conll: the corpus differs from that of the run" in printed
    assert f"expected: corpus digest {'d' * 12}\n  received: {'e' * 12}" in printed
    assert not any("train@ner" in command for command in stages.commands)


def test_a_corpus_that_cannot_be_had(clone, monkeypatch, capsys):
    replace_dvc(monkeypatch, clone, has_data=False, fails=["repro"])
    assert main(["reproduce", clone[1]]) == 1
    assert "the run's data is not available\n  received: neither DVC's cache nor its remote" in error(capsys)


def test_a_run_whose_evaluation_failed_has_the_tag(clone, monkeypatch, capsys):
    stages = replace_dvc(monkeypatch, clone, fails=["evaluate@ner"])
    assert main(["reproduce", clone[1]]) == 1
    assert "a stage failed (see above)" in error(capsys)
    again = json.loads((stages.work / "models/ner/run.json").read_text())["run_id"]
    assert find_run(clone[0], again).tags["reproduces"] == clone[1]


def past_run(tags=None, *, status="FINISHED", params=None, metrics=None):
    tags = {"task": "ner", **(tags or {})}
    return PastRun("f" * 32, "n", status, params or {}, tags, metrics or {}, 1.0)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"git.commit": "none"}, "the run has no commit"),
        ({"git.commit": "0" * 40}, "this clone does not contain the run's commit\n  expected: commit 00000"),
        ({"git.dirty_files": "README.md, src/a.py"}, "does not contain\n.*\n  received: src/a.py"),
        ({"git.patch": "larger than 1 MiB"}, "received: git.patch: larger than 1 MiB"),
    ],
)  # fmt: skip
def test_what_cannot_be_reproduced(clone, monkeypatch, tags, message):
    monkeypatch.setattr(reproducing, "find_original", lambda *_, **__: past_run(tags))
    with pytest.raises(SeqlabError, match=message):
        reproducing.reproduce_run("x", root=clone[0], tolerance=0.02)


def test_changes_to_files_that_no_stage_reads_need_no_patch(clone):
    assert (
        reproducing._required_patch(past_run({"git.dirty_files": "README.md, docs/a.md"}), clone[0]) is None
    )


@pytest.mark.parametrize(
    ("artifact", "content", "message"),
    [
        ("git.patch", b"--- a/src/code.py\n+++ b/src/code.py\n@@ -1 +1 @@\n-a = 7\n+a = 8\n",
         "the run's changes do not apply to its commit\n  received: error: patch failed"),
        ("git.patch", None, "changes that it does not contain"),
    ],
)  # fmt: skip
def test_a_patch_that_does_not_apply_or_is_missing(clone, monkeypatch, artifact, content, message):
    read = reproducing.read_artifact
    monkeypatch.setattr(
        reproducing, "read_artifact", lambda *names: content if names[-1] == artifact else read(*names)
    )
    with pytest.raises(SeqlabError, match=message):
        reproducing.reproduce_run(clone[1], root=clone[0], tolerance=0.02)


def test_parameters_that_the_run_does_not_contain_are_named(clone):
    with pytest.raises(SeqlabError, match=r"expected: seed: -5\n  received: seed: [0-9]"):
        reproducing._check_params(past_run(params={"seed": "-5"}), "ner", clone[0])


@pytest.mark.parametrize("reference", ["f" * 32, "no-such-experiment", "models:/seqlab-ner/1", "models:/m-1"])
def test_an_unknown_run(clone, reference):
    with pytest.raises(SeqlabError, match="there is no such run"):
        find_original(reference, root=clone[0], task=None)


def test_a_run_that_did_not_finish_and_runs_of_several_tasks(clone, monkeypatch):
    monkeypatch.setattr(reproducing, "find_run", lambda *_: past_run(status="KILLED"))
    with pytest.raises(SeqlabError, match=r"no result to compare with\n.*\n  received: KILLED"):
        find_original("f" * 32, root=clone[0], task=None)
    monkeypatch.setattr(reproducing, "find_run", lambda *_: None)
    runs = [past_run(), past_run({"task": "pos"})]
    monkeypatch.setattr(reproducing, "find_experiment_runs", lambda *_: runs)
    with pytest.raises(SeqlabError, match="runs of several tasks\n  received: ner, pos"):
        find_original("quick", root=clone[0], task=None)
    assert find_original("quick", root=clone[0], task="pos") is runs[1]


EQUAL = {
    **dict.fromkeys(INPUTS, "1"),
    **RESULT,
}


@pytest.mark.parametrize(
    ("tags", "change", "outcome", "is_reproduced"),
    [
        ({}, 0.0, "Reproduced: equal weights and scores.", True),
        ({"weights.digest": "2"}, 0.0, "Not reproduced: nothing differs", False),
        ({"weights.digest": "2", "version.keras": "2"}, 0.02, "Reproduced: scores within .*Keras", True),
        ({"weights.digest": "2", "run.threads": "2"}, 0.1, "Not reproduced: scores differ", False),
        ({"weights.digest": "2", "run.device": "GPU:0"}, 0.02, "Reproduced: .*device", True),
        ({"corpus.digest": "2"}, 0.0, "Not reproduced: other corpus.", False),
    ],
)  # fmt: skip
def test_the_outcome_follows_from_inputs_weights_and_scores(tags, change, outcome, is_reproduced):
    first = past_run(EQUAL, metrics=SCORES)
    second = past_run({**EQUAL, **tags}, metrics={**SCORES, "test/span_f1": 0.75 - change})
    blocks, text, found = compare_runs(first, second, present={}, tolerance=0.05)

    assert re.match(outcome, text)
    assert found is is_reproduced
    rows = {row[0]: row[-1] for row in blocks[1].rows}
    assert rows["test span_f1"] == (f"{-change:+.4f}" if change else "equal")


def test_runs_without_a_digest_of_weights_are_compared_by_scores():
    tags = {key: value for key, value in EQUAL.items() if key != "weights.digest"}
    first = past_run(tags, metrics=SCORES)
    _, text, found = compare_runs(first, first, present={}, tolerance=0.05)
    assert text == "Reproduced: equal scores; the run has no digest of its weights."
    assert found


def test_other_parameters_and_a_missing_score_are_no_reproduction():
    first = past_run(EQUAL, metrics=SCORES, params={"seed": "1"})
    _, text, found = compare_runs(first, past_run(EQUAL, metrics=SCORES), present={}, tolerance=0.05)
    assert (text, found) == ("Not reproduced: other parameters.", False)
    _, text, found = compare_runs(past_run(EQUAL, metrics=SCORES), past_run(EQUAL), present={}, tolerance=1)
    assert found is False
