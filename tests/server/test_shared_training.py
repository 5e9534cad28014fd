"""Two clones train at once against the shared server; a third gets their results through the DVC remote."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess

import pytest
from shared_server import BUCKET, KEYS, REPOSITORY, environment

from seqlab.tracking.client import mlflow_client


def pipeline_helpers():
    path = REPOSITORY / "tests/pipeline/conftest.py"
    spec = importlib.util.spec_from_file_location("pipeline_conftest", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def clones(server, users, s3, tmp_path_factory):
    """The clones of ann and bob, who have trained at the same time, and a function that makes another one."""
    helpers = pipeline_helpers()
    folder = tmp_path_factory.mktemp("clones")
    origin = helpers.copy_repository(folder / "origin")
    origin.change({**helpers.SMALL, "tasks": ["pos"], "pos.encoder.units": 8})
    helpers.commit(origin)
    origin.run("dvc", "remote", "add", "-d", "team", f"s3://{BUCKET}/dvc")
    origin.run("dvc", "remote", "modify", "team", "endpointurl", s3)
    origin.run("git", "commit", "-q", "-am", "the team's remote")

    def clone(name):
        origin.run("git", "clone", "-q", ".", str(folder / name))
        (folder / name / ".venv").symlink_to(origin.folder / ".venv")
        made = helpers.Workspace(folder / name)
        made.run("git", "config", "user.name", name)
        made.run("git", "config", "user.email", f"{name}@example.invalid")
        made.environment = {**os.environ, **KEYS, **users[name], "DVC_NO_ANALYTICS": "1"}
        made.environment["PATH"] = f"{helpers.PROGRAMS}{os.pathsep}{os.environ['PATH']}"
        return made

    both = [clone("ann"), clone("bob")]
    both[1].change({"seed": 14})
    processes = [
        subprocess.Popen(
            ["dvc", "repro"],
            cwd=made.folder,
            env=made.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for made in both
    ]
    try:
        printed = [process.communicate(timeout=600)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0, 0], printed
    return both, clone, origin


def dvc(made, *arguments):
    done = subprocess.run(
        ["dvc", *arguments],
        cwd=made.folder,
        env=made.environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_both_trainings_are_on_the_server(clones, users, server):
    both, _, _ = clones
    with environment(users["eve"]):
        client = mlflow_client(server.address)
        (experiment_id,) = {made.json("models/pos/run.json")["experiment_id"] for made in both}
        runs = {run.info.run_id: run for run in client.search_runs([experiment_id])}
        assert set(runs) == {made.json("models/pos/run.json")["run_id"] for made in both}
        versions = {version.run_id for version in client.search_model_versions("name = 'seqlab-pos'")}
        assert versions == set(runs)
        for made in both:
            run = runs[made.json("models/pos/run.json")["run_id"]]
            scores = made.json("metrics/pos/evaluate.json")["test"]
            assert run.info.status == "FINISHED"
            assert run.data.metrics["test/token_accuracy"] == scores["token_accuracy"]
            files = {file.path for file in client.list_artifacts(run.info.run_id)}
            assert {"errors.html", "evaluate.json", "training.json", "dvc.lock"} <= files
            points = client.get_metric_history(run.info.run_id, "train/loss")
            assert [point.step for point in points] == [1]


def test_an_empty_clone_pulls_the_results_and_reruns_nothing(clones, users, server):
    (ann, _), clone, origin = clones
    dvc(ann, "push")
    ann.run("git", "add", "-A")
    ann.run("git", "commit", "-q", "-m", "trained")
    ann.run("git", "push", "-q", "origin", "HEAD:refs/heads/trained")
    origin.run("git", "merge", "-q", "trained")
    eve = clone("eve")
    assert not (eve.folder / "models/pos/run.json").exists()
    dvc(eve, "pull")
    assert "Running stage" not in dvc(eve, "repro")
    run_id = json.loads((eve.folder / "models/pos/run.json").read_text("utf-8"))["run_id"]
    assert run_id == ann.json("models/pos/run.json")["run_id"]
    with environment(users["eve"]):
        assert mlflow_client(server.address).get_run(run_id).data.tags["task"] == "pos"
