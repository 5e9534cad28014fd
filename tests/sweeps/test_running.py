"""Sweeps whose trials run one after the other in this process, as Ray Tune would run them."""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from seqlab.cli import main
from seqlab.errors import SeqlabError
from seqlab.locks import file_lock
from seqlab.params_file import load_params
from seqlab.ray_cluster import connect
from seqlab.sweeps import running, trainable
from seqlab.sweeps.data import data_key, pack, unpack
from seqlab.sweeps.journal import SweepFolder, Trial, best_trial
from seqlab.sweeps.running import run_sweep
from seqlab.sweeps.search_algorithm import Recoveries, SweepSearch, make_scheduler
from seqlab.sweeps.trainable import EPOCH, SCORE, Shared, TrialTrainable
from seqlab.tracking.client import mlflow_client
from seqlab.tracking.store import resolve_tracking_uri


class FakeTrial:
    def __init__(self, number: int) -> None:
        self.trial_id = f"t{number}"


def tune_here(state: Any, address: str | None) -> None:
    """Replaces `running._tune`: one process, one trial at a time."""
    spec, uri = state.sweep.spec, resolve_tracking_uri(state.root)
    search, scheduler = SweepSearch(state, mode=spec.mode), make_scheduler(spec, state.folder.trials)
    shared = Shared(state.root, state.folder.path, spec.task, spec.metric, spec.mode, 1, 0, uri, "archives")
    worker = None
    for number in itertools.count():
        trial = FakeTrial(number)
        config = search.suggest(trial.trial_id)
        if config == Searcher.FINISHED:
            break
        scheduler.on_trial_add(None, trial)
        if worker is None:
            worker = TrialTrainable.__new__(TrialTrainable)
            worker.setup(config, shared=shared)
        else:
            assert worker.reset_config(config)
        while True:
            result = worker.step()
            if result.get("done"):
                scheduler.on_trial_complete(None, trial, result)
                break
            search.on_trial_result(trial.trial_id, result)
            if scheduler.on_trial_result(None, trial, result) == TrialScheduler.STOP:
                break
        search.on_trial_complete(trial.trial_id, result)
    if worker:
        worker.cleanup()


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_tune", tune_here)
    for name in ("MLFLOW_TRACKING_URI", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.setenv(name, "")  # what a worker sets is undone after the test


SCORES = {0: [0.5, 0.6, 0.7], 1: [0.1, 0.1, 0.2], 2: [0.6, 0.8, 0.75], 3: [0.2, 0.3, 0.3]}


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replaces the training by one with given scores; returns the numbers of the trials that were started."""
    started: list[int] = []

    def train_in(job: Any, shared: Any, *, on_run: Any, on_epoch: Any) -> dict[str, Any]:
        started.append(job.number)
        on_run(f"run-{job.number}")
        for epoch, score in enumerate(SCORES[job.number], 1):
            on_epoch({"epoch": epoch, "span_f1": score})
        return {"dev": {"span_f1": max(SCORES[job.number])}, "epochs": 3}

    monkeypatch.setattr(trainable, "train_in", train_in)
    return started


def test_the_trials_are_runs_below_the_sweeps_run(repository, make_sweep, capsys):
    sweep = make_sweep(trials=2)
    lines: list[str] = []
    trials = run_sweep(sweep, root=repository, report=lines.append)
    assert [trial.status for trial in trials] == ["finished", "finished"]
    assert lines[0] == "preparing the data of ner (files)"
    assert len([line for line in lines if "preparing" in line]) == 1
    assert "1 of 2 done; best" in lines[1]
    assert "left" in lines[1]
    client = mlflow_client(resolve_tracking_uri(repository))
    runs = client.search_runs([client.get_experiment_by_name("seqlab-ner").experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert parent.info.run_name == "sweep lr"
    assert parent.data.params["sweep.search"] == "random"
    best = best_trial(trials, mode="max")
    assert parent.data.tags["sweep.best_run"] == best.run_id
    for trial in trials:
        run = client.get_run(trial.run_id)
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.tags["mlflow.source.name"] == "seqlab sweep"
        assert run.data.params["embedder.token_embedding_dim"] == "8"
        assert float(run.data.params["training.learning_rate"]) in trial.values.values()
        assert run.info.run_name.startswith(f"lr-{trial.number} learning_rate=0.00")
        assert {file.path for file in client.list_artifacts(trial.run_id)} >= {"git.patch", "training.json"}
        folder = repository / f".seqlab/sweeps/lr/trials/{trial.number}"
        params = load_params(folder / "params.yaml")
        assert params.task("ner").training.learning_rate in trial.values.values()
        assert (folder / "model/model.keras").is_file()
        assert not (folder / ".seqlab").exists()
    assert not any((repository / name).exists() for name in ("data", "models", "metrics"))

    before = (repository / "params.yaml").read_text(encoding="utf-8")
    assert main(["sweep", "--apply", "lr"]) == 0
    assert load_params().task("ner").training.learning_rate == best.values["ner.training.learning_rate"]
    assert f"best: trial {best.number}" in capsys.readouterr().out
    (repository / "params.yaml").write_text(before, encoding="utf-8")
    assert run_sweep(sweep, root=repository, report=lines.append) == trials
    assert lines[-1] == "sweep lr: all 2 trials have ended"


def test_bad_trials_are_stopped(repository, make_sweep, trained):
    trials = run_sweep(make_sweep(trials=4, stop_early="asha", grace_epochs=1), root=repository)
    assert [trial.status for trial in trials] == ["finished", "stopped", "finished", "stopped"]
    assert trials[1].score is None
    assert trials[1].scores == [(1, 0.1)]
    assert trials[2].scores == [(1, 0.6), (2, 0.8), (3, 0.8)]  # best so far
    assert best_trial(trials, mode="max").number == 2


def test_the_rule_that_stops_knows_earlier_trials(make_sweep):
    past = [Trial(n, {}, "finished", scores=[(1, 0.6), (2, 0.7), (3, 0.8)]) for n in range(4)]
    for rule in ("asha", "median"):
        scheduler = make_scheduler(make_sweep(stop_early=rule, grace_epochs=1).spec, past)
        new = FakeTrial(9)
        scheduler.on_trial_add(None, new)
        assert scheduler.on_trial_result(None, new, {EPOCH: 1, SCORE: 0.1}) == TrialScheduler.STOP
    scheduler = make_scheduler(make_sweep().spec, past)
    assert scheduler.on_trial_result(None, new, {EPOCH: 1, SCORE: 0.1}) == TrialScheduler.CONTINUE


def test_a_stopped_training_ends_its_run_as_killed(repository, make_sweep, monkeypatch):
    monkeypatch.setattr(running, "_tune", lambda state, address: stop_after_one_epoch(state))
    (trial,) = run_sweep(make_sweep(trials=1), root=repository)
    assert trial.status == "stopped"
    run = mlflow_client(resolve_tracking_uri(repository)).get_run(trial.run_id)
    assert run.info.status == "KILLED"
    assert run.data.tags["error"] == "stopped early by the sweep after epoch 1"


def stop_after_one_epoch(state: Any) -> None:
    spec = state.sweep.spec
    search, uri = SweepSearch(state, mode=spec.mode), resolve_tracking_uri(state.root)
    worker = TrialTrainable.__new__(TrialTrainable)
    shared = Shared(state.root, state.folder.path, spec.task, spec.metric, spec.mode, 1, 0, uri, "archives")
    worker.setup(search.suggest("t0"), shared=shared)
    search.on_trial_complete("t0", worker.step())
    worker.cleanup()


def test_a_trial_that_fails_is_noted_and_the_sweep_goes_on(repository, make_sweep, monkeypatch, capsys):
    def train_in(job: Any, shared: Any, **_: Any) -> dict[str, Any]:
        if job.number == 1:
            raise SeqlabError("the loss is nan", remedy="lower it")
        if job.number == 2:
            raise ZeroDivisionError("0")
        return {"dev": {"span_f1": 0.5}, "epochs": 1}

    monkeypatch.setattr(trainable, "train_in", train_in)
    make_sweep(trials=3)
    assert main(["sweep", "lr.yaml"]) == 0
    trials = SweepFolder(repository, "lr").trials
    assert [trial.status for trial in trials] == ["finished", "failed", "failed"]
    assert trials[1].error == "the loss is nan\n  remedy: lower it"
    assert trials[2].error == "ZeroDivisionError: 0"
    printed = capsys.readouterr().out
    assert "trial 1: failed: the loss is nan | 2 of 3 done; best 0.5000 (trial 0)" in printed
    assert "seqlab sweep --apply lr" in printed
    parent = json.loads((repository / ".seqlab/sweeps/lr/run.json").read_text(encoding="utf-8"))["run_id"]
    metrics = mlflow_client(resolve_tracking_uri(repository)).get_run(parent).data.metrics
    assert (metrics["sweep/finished"], metrics["sweep/failed"]) == (1, 2)


def test_an_interrupted_sweep_goes_on(repository, make_sweep, trained, monkeypatch, capsys):
    make_sweep(trials=4)
    note = running.Progress.note

    def interrupt(self: Any, number: int, result: Any) -> None:
        note(self, number, result)
        if number == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(running.Progress, "note", interrupt)
        assert main(["sweep", "lr.yaml"]) == 130
    assert "sweep lr was interrupted; the same command continues it" in capsys.readouterr().err
    before = SweepFolder(repository, "lr").trials
    assert [trial.status for trial in before] == ["finished", "finished", "running"]
    parent = (repository / ".seqlab/sweeps/lr/run.json").read_text(encoding="utf-8")
    assert main(["sweep", "lr.yaml"]) == 0
    assert trained == [0, 1, 2, 2, 3]
    after = SweepFolder(repository, "lr").trials
    assert [trial.status for trial in after] == ["finished"] * 4
    assert [trial.values for trial in after[:3]] == [trial.values for trial in before]
    assert (repository / ".seqlab/sweeps/lr/run.json").read_text(encoding="utf-8") == parent
    assert "sweep lr is continued: 2 of 4 trials have ended" in capsys.readouterr().out


def test_a_sweep_can_get_more_trials_but_no_other_space(repository, make_sweep, trained):
    run_sweep(make_sweep(trials=1), root=repository)
    assert len(run_sweep(make_sweep(trials=2), root=repository)) == 2
    other = make_sweep(trials=2, space={"seed": {"choice": [1, 2]}})
    with pytest.raises(SeqlabError, match=r"started with other settings[\s\S]*changed since: space"):
        run_sweep(other, root=repository)


def test_a_retried_trial_counts_once(repository, make_sweep, monkeypatch):
    lines: list[str] = []

    def lose_one(state: Any, address: Any) -> None:
        search = SweepSearch(state, mode="max")
        search.suggest("t0")
        search.on_trial_result("t0", {EPOCH: 1, SCORE: 0.2, "run_id": "r"})
        Recoveries(search).on_trial_recover(0, [], FakeTrial(0))
        search.on_trial_result("t0", {EPOCH: 1, SCORE: 0.3, "run_id": "r"})
        search.on_trial_result("t0", {EPOCH: 2, SCORE: 0.1, "run_id": "r"})
        search.on_trial_complete("t0", {EPOCH: 3, SCORE: 0.4, "end": "finished", "run_id": "r"})
        search.suggest("t1")
        search.on_trial_complete("t1", error=True)

    monkeypatch.setattr(running, "_tune", lose_one)
    trials = run_sweep(make_sweep(trials=2), root=repository, report=lines.append)
    assert (trials[0].attempts, trials[0].scores, trials[0].run_id) == (
        2,
        [(1, 0.3), (2, 0.3), (3, 0.4)],
        "r",
    )
    assert trials[1].error == "its process or machine was lost too often"
    assert "trial 0: its process or machine was lost; it starts again" in lines


def test_data_is_prepared_once_for_the_trials_that_share_it(repository, make_sweep, trained):
    space = {
        "ner.embedder.min_count": {"choice": [1, 2]},
        "ner.embedder.dropout": {"choice": [0.1, 0.2]},
    }
    run_sweep(make_sweep(search="grid", trials=None, space=space), root=repository)
    assert len(list((repository / ".seqlab/sweeps/lr/data").iterdir())) == 2


def test_a_corpus_that_changes_is_prepared_again(repository, make_sweep):
    params = make_sweep().params
    key = data_key(params, "ner")
    assert data_key(params, "ner") == key
    train = Path(params.corpus.files.train)
    train.write_text(train.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert data_key(params, "ner") != key


def test_missing_files_are_reported_before_the_first_trial(repository, make_sweep, trained):
    space = {"corpus.files.train": {"choice": ["../corpus/train.conll", "../corpus/none.conll"]}}
    sweep = make_sweep(search="grid", trials=None, space=space)
    with pytest.raises(SeqlabError, match=r"none\.conll"):
        run_sweep(sweep, root=repository)
    assert trained == []


def test_what_was_prepared_can_be_sent(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.json").write_text("1", encoding="utf-8")
    unpack(pack(tmp_path / "a"), tmp_path / "c")
    assert (tmp_path / "c" / "b.json").read_text(encoding="utf-8") == "1"


class Server:
    """Stands for the actor that sends prepared data."""

    def __init__(self, folder: Path) -> None:
        self.get = self
        self.folder = folder

    def remote(self, key: str) -> bytes:
        return pack(self.folder / key / "prepared")


def test_a_machine_that_does_not_see_the_folder_gets_the_data(repository, make_sweep, monkeypatch, tmp_path):
    sweep = make_sweep(trials=1)
    folder = SweepFolder(repository, "lr").path
    monkeypatch.setattr("ray.get_actor", lambda name: Server(folder / "data"))
    monkeypatch.setattr("ray.get", lambda value: value)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    train_in = trainable.train_in
    monkeypatch.setattr(
        trainable,
        "train_in",
        lambda job, shared, **reports: train_in(
            job, replace(shared, root=tmp_path / "none", folder=tmp_path / "none"), **reports
        ),
    )
    (trial,) = run_sweep(sweep, root=repository)
    assert (trial.status, trial.error) == ("finished", "")
    assert mlflow_client(resolve_tracking_uri(repository)).get_run(trial.run_id).info.status == "FINISHED"
    assert not (folder / "trials/0/model").exists()
    assert list(tmp_path.glob("seqlab-sweep-*")) == []


def test_a_sweep_runs_once_at_a_time(repository, make_sweep, trained):
    with (
        file_lock(repository / ".seqlab/sweeps/lr.lock", timeout_s=0),
        pytest.raises(SeqlabError, match="lr: another process is running this sweep"),
    ):
        run_sweep(make_sweep(trials=1), root=repository)


def test_there_is_nothing_to_apply(repository, make_sweep, capsys):
    make_sweep()
    assert main(["sweep", "--apply", "lr.yaml"]) == 1
    assert "there is no such sweep" in capsys.readouterr().err
    folder = SweepFolder(repository, "lr")
    folder.start(make_sweep())
    folder.save(Trial(0, {}, "failed"))
    assert main(["sweep", "--apply", "lr.yaml"]) == 1
    assert "the sweep has no finished trial" in capsys.readouterr().err


def test_ray_is_not_installed(repository, make_sweep, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SeqlabError, match=r"seqlab sweep: Ray is not installed[\s\S]*make extras"):
        connect(None, where="seqlab sweep", otherwise="use dvc exp run --queue")
