from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "serving"))

from tiny_taggers import CORPUS, TAGS, TOKENS, WINDOW, TinyTagger, tiny_tagger

from seqlab.errors import SeqlabError
from seqlab.evaluation.predictions import TaggedSentence, spell_as_iob2, write_predictions
from seqlab.params import TaskParams
from seqlab.params_file import load_params
from seqlab.pipeline import exporting
from seqlab.pipeline.exporting import export_task, record_export
from seqlab.serving import parity, runners
from seqlab.serving.reference import make_batches, tag_batches
from seqlab.tracking.client import mlflow_client
from seqlab.tracking.registry import fetch_export
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.store import resolve_tracking_uri

REPOSITORY = Path(__file__).parents[2]
SCORES = {
    "tokens": 91,
    "sentences": 6,
    "token_accuracy": 0.5,
    "span_precision": 0.5,
    "span_recall": 0.5,
    "span_f1": 0.5,
    "per_type": {},
    "most_confused": [],
}
# Windows overlap by a quarter of the last bucket boundary.


@cache
def tag_ids(tiny: TinyTagger) -> np.ndarray:
    return tag_batches(tiny.tagger, make_batches(TOKENS, encoder=tiny.encoder), **WINDOW)[0]


class Workspace:
    """The outputs of the stages before export."""

    def __init__(self, folder: Path, tiny: TinyTagger) -> None:
        self.root, self.tiny = folder, tiny
        self.prepared, self.models = folder / "prepared", folder / "models"
        self.predictions, self.metrics = folder / "predictions", folder / "metrics"
        for path in (self.prepared, self.models, self.predictions, self.metrics):
            path.mkdir()
        tiny.encoder.write(self.prepared / "vocabulary")
        tiny.tags.write(self.prepared / "vocabulary" / "tags.json")
        (self.prepared / "corpus.json").write_text(json.dumps(CORPUS), encoding="utf-8")
        (self.metrics / "evaluate.json").write_text(
            json.dumps({"dev": SCORES, "test": SCORES, "run_id": "r1"}), encoding="utf-8"
        )
        tiny.tagger.save(self.models / "model.keras")
        tags = iter(tiny.tags.entries[i] for i in tag_ids(tiny))
        predicted = [[next(tags) for _ in sentence] for sentence in TOKENS]
        dev = [TaggedSentence(sentence, row, row) for sentence, row in zip(TOKENS, predicted, strict=True)]
        write_predictions(self.predictions / "dev.conll", spell_as_iob2(dev))

    def params(self) -> TaskParams:
        section = load_params(REPOSITORY / "params.yaml").task(self.tiny.kind)
        training = section.training.model_copy(update={"window_length": WINDOW["max_length"]})
        return section.model_copy(update={"training": training})

    def export(self) -> dict:
        return export_task(
            self.prepared,
            self.models,
            self.predictions,
            self.metrics,
            task_name=self.tiny.kind,
            task=self.params(),
            git={"git.commit": "abc", "git.dirty": "false"},
        )


def run_here(process: None, forms: dict[str, Path], folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """As `parity.run_forms`, which test_dag.py and serving/test_parity.py run, without the new process."""
    runners.main(str(folder), *(text for form, path in forms.items() for text in (form, str(path))))
    results = {}
    for form in forms:
        with np.load(folder / f"{form}.npz") as arrays:
            results[form] = dict(arrays)
    return results


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for name in list(os.environ):
        if name.startswith(("MLFLOW_TRACKING", "DVC_")):
            monkeypatch.delenv(name)
    processes = dict.fromkeys(runners.PROCESSES)
    monkeypatch.setattr(exporting, "started_runners", lambda: nullcontext(processes))
    monkeypatch.setattr(parity, "run_forms", run_here)
    return Workspace(tmp_path, tiny_tagger("ner"))


def test_every_form_agrees_and_is_registered(workspace: Workspace) -> None:
    with TrackedRun.start(root=workspace.root, experiment="seqlab-ner", run_name="a") as run:
        run.log_metrics({"test": {"span_f1": 0.5, "token_accuracy": 0.5}})
        run.save(workspace.models / "run.json")
    report = workspace.export()
    tokens = sum(map(len, TOKENS))
    assert (report["sentences"], report["tokens"], report["evaluated_tags_differing"]) == (6, tokens, 0)
    assert {name: row["tokens"] for name, row in report["forms"].items()} == dict.fromkeys(
        ["saved_model:ids", "saved_model:ragged", "saved_model:serving_default", "saved_model:text",
         "saved_model:tokens", "onnx", "pyfunc", "tag:text", "tag:tokens", "tag:int8"], tokens
    )  # fmt: skip
    int8 = report["forms"].pop("tag:int8")
    assert int8["differing_tags"] < 0.2 * tokens
    assert all(row["max_probability_difference"] < 1e-5 for row in report["forms"].values())
    export = workspace.models / "export"
    assert {path.name for path in export.iterdir()} >= {
        "saved_model.pb", "variables", "config.json", "model.onnx", "model_card.md", "onnx", "tagger.json",
    }  # fmt: skip
    config = json.loads((export / "config.json").read_text(encoding="utf-8"))
    assert config["tags"][2:] == TAGS["ner"]
    assert (config["max_length"], config["overlap"]) == (WINDOW["max_length"], WINDOW["overlap"])

    assert record_export(workspace.models, root=workspace.root, report=report) == "models:/seqlab-ner/1"
    client = mlflow_client(resolve_tracking_uri(workspace.root))
    version = client.get_model_version_by_alias("seqlab-ner", "candidate")
    assert version.run_id == config["run_id"]
    assert (version.tags["best_dev/span_f1"], version.tags["test/span_f1"]) == ("0.5", "0.5")
    assert version.tags["corpus.digest"] == config["corpus"]["digest"]
    assert version.description.startswith("span F1: 0.5000")
    model = client.get_logged_model(version.tags["model_id"])
    assert {metric.key: metric.value for metric in model.metrics} == {
        "test/span_f1": 0.5,
        "test/token_accuracy": 0.5,
    }
    assert {file.path for file in client.list_artifacts(config["run_id"])} >= {"model_card.md", "export.json"}
    fetched = fetch_export(workspace.root, "models:/seqlab-ner@candidate")
    assert (fetched / "saved_model.pb").read_bytes() == (export / "saved_model.pb").read_bytes()


def test_a_differing_tag_stops_the_stage_and_leaves_the_last_export(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace.models / "run.json").write_text(
        '{"run_id": "r1", "experiment": "seqlab-ner"}', encoding="utf-8"
    )
    last = workspace.models / "export"
    last.mkdir()
    (last / "config.json").write_text("last", encoding="utf-8")

    def run(process: None, forms: dict[str, Path], folder: Path) -> dict[str, dict[str, np.ndarray]]:
        batches = make_batches(sorted(TOKENS, key=len), encoder=workspace.tiny.encoder)
        tag_ids, probabilities = tag_batches(workspace.tiny.tagger, batches, **WINDOW)
        tag_ids[5] = 2 if tag_ids[5] != 2 else 3
        return {form: {"text/tag_ids": tag_ids, "text/probabilities": probabilities} for form in forms}

    for write in ("export_saved_model", "export_onnx", "export_tagging", "save_mlflow_model"):
        monkeypatch.setattr(exporting, write, lambda *arguments, **options: None)
    monkeypatch.setattr(parity, "run_forms", run)
    with pytest.raises(
        SeqlabError, match=r"export, saved_model:text: 1 of 87 tags differ[\s\S]*nothing was exported"
    ):
        workspace.export()
    assert {path.name for path in workspace.models.iterdir()} == {"export", "model.keras", "run.json"}
    assert [path.name for path in last.iterdir()] == ["config.json"]
