"""The whole pipeline, run by DVC at small size."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from contextlib import contextmanager

import mlflow
import pytest
from dvc.repo import Repo

from seqlab.cli import main
from seqlab.tracking.past_runs import find_run

TASKS = ("ner", "pos")


def test_every_stage_writes_its_outputs(small_run):
    made = [
        *("data/raw/train.conll", "data/raw/corpus.json", "mlflow.db"),
        *(
            f"models/{task}/{name}"
            for task in TASKS
            for name in ("model.keras", "run.json", "export/saved_model.pb")
        ),
        *(
            f"metrics/{task}/{name}.json"
            for task in TASKS
            for name in ("corpus", "train", "evaluate", "scores", "export")
        ),
        *(f"data/predictions/{task}/{split}.conll" for task in TASKS for split in ("dev", "test")),
        *(f"metrics/{task}/errors.html" for task in TASKS),
    ]
    assert [name for name in made if not (small_run.folder / name).exists()] == []
    leftovers = [
        path for top in ("data", "models", "metrics") for path in (small_run.folder / top).rglob(".*")
    ]
    assert [path.name for path in leftovers if path.name != ".gitignore"] == []


@pytest.mark.parametrize("task", TASKS)
def test_every_token_of_the_corpus_is_scored(small_run, task):
    corpus = small_run.json(f"metrics/{task}/corpus.json")["splits"]
    scores = small_run.json(f"metrics/{task}/evaluate.json")
    for split in ("dev", "test"):
        assert scores[split]["tokens"] == corpus[split]["tokens"]
        assert scores[split]["sentences"] == corpus[split]["sentences"] == 20
        lines = (
            (small_run.folder / f"data/predictions/{task}/{split}.conll")
            .read_text(encoding="utf-8")
            .splitlines()
        )
        assert sum(bool(line) for line in lines) == corpus[split]["tokens"]
    names = {"span_precision", "span_recall", "span_f1", "per_type"}
    assert names & set(scores["test"]) == (names if task == "ner" else set())
    assert scores["run_id"] == small_run.json(f"models/{task}/run.json")["run_id"]


@pytest.mark.parametrize("task", TASKS)
def test_training_ran_in_graph_mode_with_one_trace_for_all_buckets(small_run, task):
    summary = small_run.json(f"metrics/{task}/train.json")
    assert summary["run_eagerly"] is False
    assert summary["training_traces"] == 1
    assert len(summary["buckets"]) == summary["batch_shapes"] > 0
    assert 0 < summary["padding_efficiency"] <= 1


@pytest.mark.parametrize("task", TASKS)
def test_the_run_leads_back_to_commit_data_and_parameters(small_run, task):
    client = mlflow.MlflowClient(f"sqlite:///{small_run.folder}/mlflow.db")
    saved = small_run.json(f"models/{task}/run.json")
    run = client.get_run(saved["run_id"])
    assert client.get_experiment_by_name(f"seqlab-{task}").experiment_id == run.info.experiment_id
    assert run.info.status == "FINISHED"
    assert run.data.tags["git.commit"] == small_run.run("git", "rev-parse", "HEAD").strip()
    assert run.data.tags["git.dirty"] == "false"
    corpus = small_run.json(f"metrics/{task}/corpus.json")
    assert run.data.tags["corpus.digest"] == corpus["digest"]
    assert run.data.tags["corpus.synthetic"] == "true"
    others = {"ner": ["upos"], "pos": ["ner"]}[task]
    assert (
        corpus["auxiliary_columns"]
        == small_run.json(f"metrics/{task}/train.json")["auxiliary_columns"]
        == others
    )
    assert run.data.tags["corpus.auxiliary_columns"] == ", ".join(others)
    assert run.data.params["training.epochs"] == "1"
    assert run.data.metrics["system/system_memory_usage_megabytes"] > 0
    assert len(run.data.tags["weights.digest"]) == 64
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert "dvc.lock" in files
    assert "git.patch" not in files, "nothing had changed since the commit"
    scores = small_run.json(f"metrics/{task}/evaluate.json")
    assert run.data.metrics["test/token_accuracy"] == pytest.approx(scores["test"]["token_accuracy"])
    assert {dataset.dataset.name for dataset in run.inputs.dataset_inputs} == {
        f"sample-{split}" for split in ("train", "dev", "test")
    }
    plots = {artifact.path for artifact in client.list_artifacts(run.info.run_id, "plots")}
    assert plots == {f"plots/{name}.png" for name in ("learning_curve", "confusion", "scores")}


def test_a_second_repro_runs_nothing(small_run):
    output = small_run.run("dvc", "repro")
    assert "Running stage" not in output
    assert "Data and pipelines are up to date." in output


@pytest.mark.parametrize(
    ("changes", "stages"),
    [
        ({"ner.training.learning_rate": 0.5}, {"train@ner", "evaluate@ner", "export@ner"}),
        ({"pos.encoder.units": 4}, {"train@pos"}),
        ({"ner.auxiliary.weight": 0.7}, {"prepare@ner", "train@ner"}),
        ({"corpus.sample.seed": 99}, {"download"}),
        ({"ner.embedder.min_count": 3}, {"prepare@ner", "train@ner"}),
        (
            {"defaults.embedder.dropout": 0.3},
            {f"{stage}@{task}" for stage in ("prepare", "train") for task in TASKS},
        ),
        ({"seed": 1}, {f"{stage}@{task}" for stage in ("train", "evaluate") for task in TASKS}),
    ],
)
def test_a_changed_parameter_reruns_the_stages_that_depend_on_it(small_run, changes, stages):
    with small_run.restored("params.yaml"):
        small_run.change(changes)
        assert small_run.changed_stages() == stages


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("tags.py", ("prepare", "train", "evaluate", "export")),
        ("evaluation/scores.py", ("train", "evaluate")),
        ("evaluation/error_analysis.py", ("evaluate",)),
        ("modeling/fit.py", ("train",)),
        ("modeling/heads/crf_head.py", ("train", "evaluate", "export")),
        ("serving/model_card.py", ("export",)),
        ("tracking/run.py", ()),
    ],
)
def test_a_changed_module_reruns_the_stages_that_import_it(small_run, module, stages):
    path = f"src/seqlab/{module}"
    with small_run.restored(path):
        with (small_run.folder / path).open("a", encoding="utf-8") as file:
            file.write("# changed\n")
        expected = {f"{stage}@{task}" for stage in stages for task in TASKS}
        assert small_run.changed_stages() - {"download"} == expected


def test_a_changed_file_of_word_vectors_reruns_the_preparation(small_run):
    with small_run.restored("data/vectors/none.txt"):
        (small_run.folder / "data/vectors/none.txt").write_text("the 1 2\n", encoding="utf-8")
        assert small_run.changed_stages() == {f"prepare@{task}" for task in TASKS}


def test_an_encoder_added_by_the_recipe_is_exported_in_every_form_but_onnx(small_run):
    report = small_run.json("metrics/pos/export.json")
    assert set(report["unavailable"]) == {"onnx"}
    assert "cannot be written as ONNX (GRUEncoder)" in report["unavailable"]["onnx"]
    assert {form.partition(":")[0] for form in report["forms"]} == {"saved_model", "pyfunc"}
    export = small_run.folder / "models" / "pos" / "export"
    assert not (export / "model.onnx").exists()
    assert "cannot be written as ONNX" in (export / "model_card.md").read_text(encoding="utf-8")
    run_id = small_run.json("models/pos/run.json")["run_id"]
    tags = mlflow.MlflowClient(f"sqlite:///{small_run.folder}/mlflow.db").get_run(run_id).data.tags
    assert "cannot be written as ONNX" in tags["export.unavailable.onnx"]
    assert "warning: no onnx form" in small_run.output
    assert small_run.json("metrics/ner/export.json")["unavailable"] == {}
    assert (small_run.folder / "models" / "ner" / "export" / "model.onnx").exists()


def test_a_result_restored_from_the_cache_names_its_run(small_run):
    run = small_run.json("models/pos/run.json")
    shutil.rmtree(small_run.folder / "models" / "pos")
    assert "Running stage" not in small_run.run("dvc", "repro")
    assert small_run.json("models/pos/run.json") == run


def test_tables_of_metrics_have_two_scores_for_each_task_and_fit_a_terminal(small_run):
    expected = {"ner": "span_f1", "pos": "token_accuracy"}
    shown = json.loads(small_run.run("dvc", "metrics", "show", "--json"))
    files = {path: file["data"] for path, file in shown[""]["data"].items()}
    assert files == {
        f"metrics/{task}/scores.json": small_run.json(f"metrics/{task}/scores.json") for task in TASKS
    }
    for task, name in expected.items():
        scores = small_run.json(f"metrics/{task}/evaluate.json")
        assert files[f"metrics/{task}/scores.json"] == {
            task: {split: {name: scores[split][name]} for split in ("dev", "test")}
        }
    lines = small_run.run("dvc", "metrics", "show").splitlines()
    assert "ner.test.span_f1" in lines[0]
    assert max(map(len, lines)) <= 120


def test_plots_are_drawn(small_run):
    output = small_run.run("dvc", "plots", "show", "--out", "page")
    page = (small_run.folder / "page" / "index.html").read_text(encoding="utf-8")
    shutil.rmtree(small_run.folder / "page")
    assert "index.html" in output
    for name in ("learning_curve", "confusion", "scores"):
        for task in TASKS:
            assert f"metrics/{task}/{name}.csv" in page
    assert "dev token_accuracy" in page


def test_own_files_outside_the_repository_are_noticed_when_they_change(small_run, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(small_run.folder / "data" / "raw", own)
    with small_run.restored("params.yaml", "dvc.lock"):
        small_run.change(
            {
                "corpus.name": "files",
                "corpus.files.columns": ["token", "upos", "ner"],
                **{
                    f"corpus.files.{split}": str(own / f"{split}.conll") for split in ("train", "dev", "test")
                },
            }
        )
        small_run.run("dvc", "repro", "prepare@ner")
        assert small_run.json("metrics/ner/corpus.json")["corpus"] == "files"
        assert "Running stage" not in small_run.run("dvc", "repro", "prepare@ner")
        with (own / "train.conll").open("a", encoding="utf-8") as train:
            train.write("Hello\tINTJ\tO\n\n")
        assert "Running stage 'prepare@ner'" in small_run.run("dvc", "repro", "prepare@ner")
        assert small_run.json("metrics/ner/corpus.json")["splits"]["train"]["sentences"] == 161

        with (own / "dev.conll").open("a", encoding="utf-8") as dev:
            dev.write("Broken\tNOUN\tI-PER\n\n")
        lines = len((own / "dev.conll").read_text(encoding="utf-8").splitlines()) - 1
        output = small_run.run("dvc", "repro", "prepare@ner", fails=True)
        assert f"error: {own / 'dev.conll'}:{lines}:" in output
        assert "Traceback" not in output.split("error:")[1].split("ERROR")[0]
        assert [
            path.name for path in (small_run.folder / "data").rglob(".*") if path.name != ".gitignore"
        ] == []
        assert (small_run.folder / "data/prepared/pos/corpus.json").exists(), (
            "the other task's result is unchanged"
        )
    output = small_run.run("dvc", "repro")
    assert "Running stage" not in output, "the first corpus is restored from DVC's cache"
    assert small_run.json("metrics/ner/corpus.json")["corpus"] == "sample"


def add_treebank(workspace, mirror):
    """Add a made-up treebank to the workspace's table, and its files to the mirror."""
    commit = "0" * 40
    row = {"name": "uner_xx_up", "language": "Made up", "prefix": "xx_up", "join": "sent_id"}
    row |= {"ner_repository": "UNER_Made-UP", "ud_repository": "UD_Made-UP"}
    row |= {"ner_commit": commit, "ud_commit": commit}
    for split in ("train", "dev", "test"):
        text = (workspace.folder / "data" / "raw" / f"{split}.conll").read_text(encoding="utf-8")
        words, entities = [], []
        for number, block in enumerate(text.strip().split("\n\n"), start=1):
            words.append(f"# sent_id = {split}-{number}")
            entities.append(words[-1])
            tokens = [line.split("\t") for line in block.splitlines() if "\t" in line]
            for place, (token, upos, tag) in enumerate(tokens, start=1):
                words.append("\t".join([str(place), token, "_", upos, "_", "_", "0", "_", "_", "_"]))
                entities.append("\t".join([str(place), token, "O" if tag.endswith("MISC") else tag]))
            words.append("")
            entities.append("")
        for kind, owner, ending, lines in (
            ("ud", "UniversalDependencies/UD_Made-UP", "conllu", words),
            ("ner", "UniversalNER/UNER_Made-UP", "iob2", entities),
        ):
            content = ("\n".join(lines) + "\n").encode()
            path = mirror / "raw.githubusercontent.com" / owner / commit / f"xx_up-ud-{split}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            blob_id = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            row[f"{kind}_{split}"] = f"git-blob:{blob_id}"
    table = workspace.folder / "src/seqlab/corpora/universal_ner.tsv"
    columns = table.read_text(encoding="utf-8").splitlines()[0].split("\t")
    with table.open("a", encoding="utf-8") as file:
        file.write("\t".join(row[column] for column in columns) + "\n")


def test_a_corpus_by_name_comes_from_a_mirror(small_run, tmp_path):
    with small_run.restored("params.yaml", "dvc.lock", "src/seqlab/corpora/universal_ner.tsv"):
        add_treebank(small_run, tmp_path / "mirror")
        small_run.change({"corpus.name": "uner_xx_up", "corpus.mirror": str(tmp_path / "mirror")})
        small_run.run("dvc", "repro", "prepare@ner", "prepare@pos")
        corpus = small_run.json("metrics/ner/corpus.json")
        assert corpus["corpus"] == "uner_xx_up"
        assert corpus["licence"] == "CC BY-SA 4.0"
        assert corpus["synthetic"] is False
        assert {split: counts["sentences"] for split, counts in corpus["splits"].items()} == {
            "train": 160,
            "dev": 20,
            "test": 20,
        }
    output = small_run.run("dvc", "repro")
    assert "Running stage" not in output
    assert small_run.json("metrics/ner/corpus.json")["corpus"] == "sample"


def test_a_corpus_with_one_tag_column_runs_with_one_task(small_run):
    with small_run.restored("params.yaml"):
        small_run.change({"corpus.name": "files", "corpus.files.columns": ["token", "upos", "a", "b"]})
        output = small_run.run("dvc", "repro", "download", fails=True)
        assert "no column 'ner' for the task ner" in output
        assert "set tasks: [pos]" in output
        small_run.change({"tasks": ["pos"]})
        assert "@ner" not in small_run.run("dvc", "stage", "list")
    small_run.run("dvc", "checkout")


@pytest.fixture
def first_store(small_run, monkeypatch):
    """The store in which `small_run` has trained, as that of commands in other folders; its address."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW", "DVC_")):
            monkeypatch.delenv(name)
    store = f"sqlite:///{small_run.folder}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("COLUMNS", "120")
    return store


def test_two_queued_experiments_at_once_are_compared_with_the_first_run_which_is_reproduced_from_a_clone(
    small_run, first_store, tmp_path, monkeypatch, capfd
):
    base = small_run.run("git", "rev-parse", "HEAD").strip()
    rates = ("0.03", "0.02")
    setting = f"pos.training.learning_rate={','.join(rates)}"
    small_run.run("dvc", "exp", "run", "--queue", "--name", "rate", "-S", setting, "evaluate@pos")
    small_run.run("dvc", "exp", "run", "--run-all", "--jobs", "2")
    client = mlflow.MlflowClient(first_store)
    experiment = client.get_experiment_by_name("seqlab-pos")
    runs = {run.data.tags.get("dvc.exp_name"): run for run in client.search_runs([experiment.experiment_id])}
    assert runs.keys() == {None, "rate-1", "rate-2"}
    for name, rate in zip(("rate-1", "rate-2"), rates, strict=True):
        assert runs[name].info.status == "FINISHED"
        assert runs[name].data.params["training.learning_rate"] == rate
        assert runs[name].data.tags["git.commit"] == base
    run_id = small_run.json("models/pos/run.json")["run_id"]
    assert runs[None].info.run_id == run_id

    monkeypatch.chdir(small_run.folder)
    assert main(["compare", "--task", "pos", run_id, "rate-1", "--markdown"]) == 0
    report = capfd.readouterr().out
    assert re.search(r"training.learning\\_rate \| [0-9.]+ \| 0.03 \|", report)

    clone = tmp_path / "clone"
    small_run.run("git", "clone", "-q", str(small_run.folder), str(clone))
    cache = small_run.folder / ".dvc" / "cache"
    (clone / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {cache}\n", encoding="utf-8")
    monkeypatch.chdir(clone)
    monkeypatch.setattr(sys, "executable", str(small_run.folder / ".venv/bin/python"))
    assert main(["reproduce", run_id[:12]]) == 0
    output = capfd.readouterr().out
    assert "data: from DVC's cache or remote" in output
    assert "Reproduced: equal weights and scores." in output
    again = json.loads((clone / f".seqlab/reproduce/{run_id[:12]}/models/pos/run.json").read_text("utf-8"))
    first, second = (client.get_run(found).data for found in (run_id, again["run_id"]))
    assert run_id != again["run_id"]
    assert second.tags["reproduces"] == run_id
    assert second.tags["reproduction"] == "Reproduced: equal weights and scores."
    assert second.tags["weights.digest"] == first.tags["weights.digest"]
    assert second.metrics["test/token_accuracy"] == first.metrics["test/token_accuracy"]


@contextmanager
def folder_remote(tmp_path):
    yield {"url": str(tmp_path / "remote")}


@contextmanager
def s3_remote(tmp_path):
    """A bucket of moto's S3 endpoint on loopback."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        keys = {"region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
        boto3.client("s3", endpoint_url=f"http://{host}:{port}", **keys).create_bucket(Bucket="team")
        yield {"url": "s3://team/dvc", "endpointurl": f"http://{host}:{port}"}
    finally:
        server.stop()


@pytest.mark.parametrize("remote", [folder_remote, s3_remote])
def test_an_empty_clone_pulls_from_a_remote_and_reruns_nothing(
    small_run, first_store, remote, tmp_path, monkeypatch
):
    for name, value in (("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(name, value)
    clone = tmp_path / "clone"
    small_run.run("git", "clone", "-q", str(small_run.folder), str(clone))
    # What a team commits after `dvc repro`.
    for name in small_run.run("git", "ls-files", "--others", "--exclude-standard").splitlines():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(small_run.folder / name, clone / name)
    with remote(tmp_path) as settings:
        config = {"core": {"remote": "team"}, "remote": {"team": settings}}
        with Repo(small_run.folder, config=config) as repo:
            repo.push()
        assert not list(clone.glob("models/*/run.json"))
        monkeypatch.chdir(clone)
        with Repo(clone, config=config) as repo:
            repo.pull()
            assert repo.reproduce() == []
    for task in TASKS:
        run = small_run.json(f"models/{task}/run.json")
        assert json.loads((clone / f"models/{task}/run.json").read_text(encoding="utf-8")) == run
        assert find_run(clone, run["run_id"]).tags["task"] == task
