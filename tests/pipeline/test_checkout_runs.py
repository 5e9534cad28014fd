from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from git_repository import CORPUS, git, new_repository

from seqlab.cli import main
from seqlab.params_file import load_params
from seqlab.pipeline.checkout_runs import checkout_runs
from seqlab.pipeline.record import start_training_run

REPOSITORY = Path(__file__).parents[2]
PARAMS = (REPOSITORY / "params.yaml").read_text(encoding="utf-8").replace("tasks: [ner, pos]", "tasks: [ner]")


def write(name: str, content: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(content, encoding="utf-8")


def write_lock(prepared: str = "aa") -> None:
    run_json = Path("models/ner/run.json")
    md5 = hashlib.md5(run_json.read_bytes()).hexdigest() if run_json.exists() else "none yet"
    stages = {
        "prepare@ner": {"cmd": "prepare", "outs": [{"path": "data/prepared/ner", "md5": prepared}]},
        "train@ner": {"cmd": "train", "outs": [{"path": "models/ner/run.json", "md5": md5}]},
    }
    write("dvc.lock", yaml.safe_dump({"schema": "2.0", "stages": stages}))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A repository with one run."""
    folder = tmp_path_factory.mktemp("repository")
    with new_repository(folder):
        write("params.yaml", PARAMS)
        write("src/code.py", "")
        write_lock()
        git(".", "add", "params.yaml", "src")
        git(".", "commit", "--quiet", "-m", "first")
        with start_training_run("ner", params=load_params(), corpus=CORPUS, root=folder) as run:
            run.log_metrics({"test/span_f1": 0.75, "test/token_accuracy": 0.9})
            run.save(Path("models/ner/run.json"))
        yield folder, run.run_id, Path("models/ner/run.json").read_text(encoding="utf-8")


@pytest.fixture
def checkout(trained):
    """The repository as the run left it."""
    _, run_id, run_json = trained
    write("params.yaml", PARAMS)
    write("models/ner/run.json", run_json)
    write("metrics/ner/corpus.json", json.dumps({"digest": "d" * 64}))
    write("metrics/ner/evaluate.json", json.dumps({"test": {"span_f1": 0.75, "token_accuracy": 0.9}}))
    write_lock()
    return run_id


def problems() -> str:
    (found,) = checkout_runs(Path.cwd())
    return "\n".join(found.problems)


def test_a_checkout_that_is_as_in_its_run(checkout, capsys):
    (found,) = checkout_runs(Path.cwd())
    assert (found.run_id, found.problems, found.notes) == (checkout, [], [])
    assert main(["runs"]) == 0
    text = capsys.readouterr().out
    assert checkout[:12] in text
    assert "as in the run" in text


def test_a_task_without_a_run(checkout, capsys):
    Path("models/ner/run.json").unlink()
    assert main(["runs"]) == 1
    assert "no run" in capsys.readouterr().out


def test_other_parameters(checkout, capsys):
    write("params.yaml", PARAMS.replace("seed: 13\ndevice", "seed: 14\ndevice"))
    assert problems() == "params.yaml differs: seed is 14 (run: 13)"
    assert main(["runs"]) == 1
    text = capsys.readouterr().out
    assert "differs" in text
    assert "ner: params.yaml differs: seed is 14 (run: 13)" in text


def test_other_prepared_data_and_another_corpus(checkout):
    write_lock(prepared="bb")
    write("metrics/ner/corpus.json", json.dumps({"digest": "e" * 64}))
    data = "data/prepared/ner, the corpus (digest eeeeeeeeeeee, run: dddddddddddd)"
    assert problems() == f"the run was trained on other data: {data}"


def test_other_scores(checkout):
    write("metrics/ner/evaluate.json", json.dumps({"test": {"span_f1": 0.5}}))
    assert problems() == "ner's evaluate.json has span_f1 0.5000 on test (run: 0.7500)"


def test_no_scores(checkout):
    Path("metrics/ner/evaluate.json").unlink()
    assert problems() == "ner has not been evaluated: run `dvc repro`"


def test_another_runs_file(checkout):
    write("models/ner/run.json", json.dumps({"run_id": checkout, "experiment": "seqlab-ner"}))
    assert problems() == "models/ner/run.json is not the one of dvc.lock: run `dvc checkout`"


def test_a_run_of_another_store(checkout):
    write("models/ner/run.json", json.dumps({"run_id": "f" * 32, "experiment": "seqlab-ner"}))
    write_lock()
    assert "does not contain the run: set MLFLOW_TRACKING_URI to the store that does" in problems()


def test_nothing_trained(checkout):
    Path("models/ner/run.json").unlink()
    assert problems() == "models/ner/run.json is missing; dvc.lock has train@ner: run `dvc pull`"
    write("dvc.lock", "schema: '2.0'\nstages: {}\n")
    assert problems() == "models/ner/run.json is missing; run `dvc repro`"


def test_code_that_has_changed_since_is_noted(checkout):
    write("src/code.py", "changed = True\n")
    git(".", "commit", "--quiet", "-am", "second")
    (found,) = checkout_runs(Path.cwd())
    assert found.problems == []
    assert len(found.notes) == 1
    assert found.notes[0].startswith("the code has changed since commit ")
    assert found.notes[0].endswith(": 1 files")
    git(".", "reset", "--quiet", "--hard", "HEAD~1")
