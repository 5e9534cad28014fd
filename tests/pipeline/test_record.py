from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from small_task import REPOSITORY

from seqlab.params_file import parse_params
from seqlab.pipeline.evaluating import EvaluatedTask
from seqlab.pipeline.record import log_epoch, log_training, record_evaluation, save_view, start_training_run
from seqlab.tracking.client import mlflow_client
from seqlab.tracking.store import resolve_tracking_uri

COUNTS = {"sentences": 3, "tokens": 9}
CORPUS = {
    "corpus": "files",
    "title": "own files",
    "licence": "not stated",
    "digest": "0" * 64,
    "synthetic": True,
    "auxiliary_columns": ["upos"],
    "splits": dict.fromkeys(("train", "dev", "test"), COUNTS),
}
ROW = {
    "epoch": 1, "train_loss": 0.5, "span_f1": 0.75, "learning_rate": 0.001, "duration_s": 2.0, "steps": 4,
    "tokens": 9, "padding_efficiency": 0.9, "ended_ms": 1_800_000_000_000,
}  # fmt: skip
SUMMARY = {
    "run_eagerly": False, "jit_compile": True, "strategy": "mirrored", "replicas": 8, "device": "cpu",
    "training_traces": 2, "batch_shapes": 2, "best_epoch": 1, "parameters": 10, "rows_dropped_per_epoch": 1,
    "duration_s": 3.0, "tokens_per_s": 3.0, "weights_digest": "1" * 64, "dev": {"span_f1": 0.75},
}  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A store with one run, trained and evaluated; its root and the run."""
    root = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("MLFLOW_TRACKING", "DVC_")):
                patch.delenv(name)
        params = parse_params(yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8")))
        with start_training_run("ner", params=params, corpus=CORPUS, root=root) as run:
            log_epoch(run, ROW)
            log_training(run, "ner", summary=SUMMARY, history=[ROW], corpus=CORPUS)
            run.save(root / "run.json")
        (root / "evaluate.json").write_text("{}", encoding="utf-8")
        (root / "errors.html").write_text("<p>errors</p>", encoding="utf-8")
        scores = {"tokens": 9, "span_f1": 0.5, "per_type": {"PER": {"span_f1": 0.25}}}
        bars = [{"group": "PER", "measure": "span_f1", "value": 0.25, "gold": 2}]
        confusion = [{"actual": "O", "predicted": "O", "count": 9, "share": 1.0}]
        both = {"dev": scores, "test": scores}
        evaluated = EvaluatedTask(scores=both, confusion=confusion, bars=bars, errors=[])
        (root / "dev.conll").write_text("a O O\n\n", encoding="utf-8")
        record_evaluation(
            "ner",
            evaluated,
            corpus=CORPUS,
            root=root,
            run_json=root / "run.json",
            metrics=root,
            predictions=root,
        )
        view = save_view("ner", section=params.task("ner"), root=root)
        client = mlflow_client(resolve_tracking_uri(root))
    return client, client.get_run(run.run_id), view


def test_a_run_has_parameters_data_and_execution_mode(recorded):
    _, run, _ = recorded
    assert run.info.status == "FINISHED"
    assert run.data.params["encoder.type"] == "transformer"
    assert run.data.params["corpus"] == "files"
    assert run.data.tags["corpus"] == "files (synthetic)"
    assert run.data.tags["corpus.auxiliary_columns"] == "upos"
    assert run.data.tags["run.execution"] == "graph, XLA"
    assert run.data.tags["run.training_traces"] == "2"
    assert run.data.tags["weights.digest"] == "1" * 64
    assert run.data.tags["run.threads"].isdigit()
    assert run.data.tags["run.processor"]
    assert "scores on it say nothing about real text" in run.data.tags["mlflow.note.content"]
    assert {given.dataset.name for given in run.inputs.dataset_inputs} == {
        "files-train", "files-dev", "files-test",
    }  # fmt: skip


def test_metrics_are_grouped_by_split(recorded):
    client, run, _ = recorded
    metrics = run.data.metrics
    assert metrics["train/loss"] == 0.5
    assert metrics["dev/span_f1"] == metrics["best_dev/span_f1"] + 0.25 == 0.75
    assert (metrics["test/span_f1"], metrics["test_span_f1/PER"]) == (0.5, 0.25)
    assert [point.step for point in client.get_metric_history(run.info.run_id, "train/loss")] == [1]
    assert "test/tokens" not in metrics


def test_plots_and_reports_are_artifacts(recorded):
    client, run, _ = recorded
    names = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert names >= {"training.json", "evaluate.json", "errors.html"}
    plots = {file.path for file in client.list_artifacts(run.info.run_id, "plots")}
    assert plots == {f"plots/{name}.png" for name in ("learning_curve", "confusion", "scores")}
    assert [file.path for file in client.list_artifacts(run.info.run_id, "predictions")] == [
        "predictions/dev.conll"
    ]


def test_the_first_metric_of_a_run_is_the_score_on_dev(recorded):
    # MLflow's page that compares runs opens on it. SQLite returns metrics in the order of their first point.
    _, run, _ = recorded
    assert next(iter(run.data.metrics)) == "dev/span_f1"


def test_names_have_the_experiment_or_commit_and_what_differs(tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith(("MLFLOW_TRACKING", "DVC_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit():
        Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        git("add", "params.yaml")
        git("commit", "-m", "parameters")
        return git("rev-parse", "HEAD")[:7]

    def train():
        corpus = {**CORPUS, "corpus": values["corpus"]["name"]}
        with start_training_run("ner", params=parse_params(values), corpus=corpus, root=tmp_path) as run:
            pass
        return mlflow_client(resolve_tracking_uri(tmp_path)).get_run(run.run_id).info.run_name

    git("init")
    first = commit()
    assert train() == f"{first} transformer-crf"
    values["ner"].setdefault("training", {})["learning_rate"] = 0.005
    assert train() == f"{first} training.learning_rate=0.005"
    values["seed"] = 7
    monkeypatch.setenv("DVC_EXP_NAME", "dozy-lark")
    assert train() == "dozy-lark seed=7 training.learning_rate=0.005"
    monkeypatch.delenv("DVC_EXP_NAME")
    # What is committed differs from the previous run only.
    values["seed"] = 8
    second = commit()
    assert train() == f"{second} seed=8"
    Path("params.yaml").write_text("other: code", encoding="utf-8")
    git("commit", "-am", "parameters of other code")
    assert train() == f"{git('rev-parse', 'HEAD')[:7]} transformer-crf"


def test_the_view_is_an_address_of_the_experiment(recorded):
    _, run, view = recorded
    assert view.startswith(f"/#/experiments/{run.info.experiment_id}/runs?")
