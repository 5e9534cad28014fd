from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from seqlab.tracking.client import mlflow_client
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.store import resolve_tracking_uri


def start(root: Path, **arguments: Any) -> TrackedRun:
    return TrackedRun.start(root=root, experiment="seqlab-ner", run_name="transformer-crf", **arguments)


def stored(root: Path, run_id: str) -> Any:
    return mlflow_client(resolve_tracking_uri(root)).get_run(run_id)


def artifact(root: Path, run_id: str, name: str) -> Path:
    return root / "mlartifacts" / "seqlab-ner" / run_id / "artifacts" / name


def test_a_run_holds_what_it_was_given(root: Path) -> None:
    with start(root, tags={"corpus": "sample", "synthetic": True}, params={"ner": {"head": "crf"}}) as run:
        run.log_params({"ner": {"training": {"epochs": 3, "clip": None}}, "seed": 7})
        run.log_metrics({"train": {"loss": np.float32(0.5)}, "test/f1/$": 1}, step=2)
        run.log_metrics({"train/loss": math.nan}, step=3)
    found = stored(root, run.run_id)
    assert found.info.run_name == "transformer-crf"
    assert found.info.status == "FINISHED"
    assert found.info.end_time is not None
    assert found.data.params == {
        "ner.head": "crf",
        "ner.training.epochs": "3",
        "ner.training.clip": "null",
        "seed": "7",
    }
    assert found.data.tags["corpus"] == "sample"
    assert found.data.tags["synthetic"] == "true"
    assert found.data.metrics["test/f1/_u24_"] == 1.0
    history = mlflow_client(resolve_tracking_uri(root)).get_metric_history(run.run_id, "train/loss")
    first, second = history
    assert (first.step, first.value) == (2, 0.5)
    assert math.isnan(second.value)
    assert not (root / ".seqlab" / "mlflow-pending").exists()


def test_many_values_are_split_into_requests_that_the_server_takes(root: Path) -> None:
    with start(root) as run:
        run.log_params({f"p{number}": number for number in range(230)})
        run.log_metrics({f"test/f1/{number}": number for number in range(1200)})
        run.set_tags({f"t{number}": number for number in range(130)})
    data = stored(root, run.run_id).data
    assert len(data.params) == 230
    assert len(data.metrics) == 1200
    assert data.tags["t129"] == "129"


def test_long_values_are_cut_and_stand_in_full_beside(root: Path) -> None:
    text = "word " * 2000
    with start(root, params={"note": text}, tags={"long": text}) as run:
        pass
    data = stored(root, run.run_id).data
    assert len(data.params["note"]) == 500
    assert data.params["note"].endswith("(10000 characters)")
    assert artifact(root, run.run_id, "params/note.txt").read_text(encoding="utf-8") == text
    assert data.tags["long"].endswith("(10000 characters)")


def test_artifacts(root: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a,b\n")
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "file.txt").write_text("x")
    figure = Figure()
    figure.subplots().plot([1, 2])
    with start(root) as run:
        run.log_artifact(table, "tables/table.csv")
        run.log_artifact(table, "renamed.csv")
        run.log_artifact(folder, "kept")
        run.log_text("größe", "note.md")
        run.log_dict({"ö": 1}, "values/all.json")
        run.log_figure(figure, "plots/line.png")
    assert artifact(root, run.run_id, "tables/table.csv").read_text() == "a,b\n"
    assert artifact(root, run.run_id, "renamed.csv").read_text() == "a,b\n"
    assert artifact(root, run.run_id, "kept/below/file.txt").read_text() == "x"
    assert artifact(root, run.run_id, "note.md").read_text(encoding="utf-8") == "größe"
    assert json.loads(artifact(root, run.run_id, "values/all.json").read_text(encoding="utf-8")) == {"ö": 1}
    assert artifact(root, run.run_id, "plots/line.png").read_bytes().startswith(b"\x89PNG")


def test_datasets_are_inputs_of_the_run(root: Path) -> None:
    digest = "0123456789abcdef" * 4
    with start(root) as run:
        for context in ("train", "test"):
            run.log_dataset(
                name=f"sample-{context}",
                digest=digest,
                source="data/raw/sample",
                profile={"sentences": 5},
                context=context,
            )
    inputs = stored(root, run.run_id).inputs.dataset_inputs
    assert sorted(item.dataset.name for item in inputs) == ["sample-test", "sample-train"]
    assert sorted(item.tags[0].value for item in inputs) == ["test", "train"]
    assert {item.dataset.digest for item in inputs} == {digest[:12]}
    assert json.loads(inputs[0].dataset.profile) == {"sentences": 5, "digest": digest}


def interrupted() -> None:
    raise KeyboardInterrupt


def failed() -> None:
    raise RuntimeError("no such bucket")


@pytest.mark.parametrize(
    ("work", "kind", "status", "text"),
    [
        (failed, RuntimeError, "FAILED", "no such bucket"),
        (interrupted, KeyboardInterrupt, "KILLED", "KeyboardInterrupt"),
    ],
)
def test_an_error_ends_the_run_with_its_text(
    work: Callable[[], None], kind: type[BaseException], status: str, text: str, root: Path
) -> None:
    with pytest.raises(kind), start(root) as run:
        work()
    found = stored(root, run.run_id)
    assert found.info.status == status
    assert found.data.tags["error"] == text
    assert kind.__name__ in artifact(root, run.run_id, "error.txt").read_text()


def test_a_clean_exit_is_no_failure(root: Path) -> None:
    with pytest.raises(SystemExit), start(root) as run:
        raise SystemExit(0)
    assert stored(root, run.run_id).info.status == "FINISHED"


def test_a_programming_error_is_raised(root: Path) -> None:
    with start(root, params={"seed": 1}) as run:
        with pytest.raises(Exception, match="Changing param values is not allowed"):
            run.log_params({"seed": 2})
        with pytest.raises(ValueError, match="could not convert string to float"):
            run.log_metrics({"loss": "high"})
        with pytest.raises(FileNotFoundError):
            run.log_artifact(root / "missing.txt", "missing.txt")


def test_a_later_stage_goes_on_with_the_run(root: Path, tmp_path: Path) -> None:
    run_json = tmp_path / "models" / "ner" / "run.json"
    with start(root) as run:
        run.save(run_json)
    ended = stored(root, run.run_id).info.end_time
    saved = json.loads(run_json.read_text())
    assert saved["run_id"] == run.run_id
    assert saved["experiment"] == "seqlab-ner"
    assert saved["tracking_uri"] == "sqlite:///mlflow.db"
    assert [path.name for path in run_json.parent.iterdir()] == ["run.json"]

    with TrackedRun.resume(root=root, run_json=run_json) as resumed:
        assert stored(root, run.run_id).info.status == "RUNNING"
        resumed.log_metrics({"test/span_f1": 0.9})
    found = stored(root, run.run_id)
    assert found.data.metrics == {"test/span_f1": 0.9}
    assert found.info.status == "FINISHED"
    # Duration stays the training's.
    assert found.info.end_time == ended


def test_a_failure_is_forgotten_when_the_stage_succeeds(root: Path, tmp_path: Path) -> None:
    with start(root) as run:
        run.save(tmp_path / "run.json")
    with pytest.raises(RuntimeError), TrackedRun.resume(root=root, run_json=tmp_path / "run.json"):
        failed()
    assert stored(root, run.run_id).info.status == "FAILED"
    with TrackedRun.resume(root=root, run_json=tmp_path / "run.json"):
        pass
    assert stored(root, run.run_id).info.status == "FINISHED"
    assert "error" not in stored(root, run.run_id).data.tags


def test_a_killed_training_that_is_resumed_gets_its_end(root: Path, tmp_path: Path) -> None:
    run = start(root)
    run.save(tmp_path / "run.json")
    with TrackedRun.resume(root=root, run_json=tmp_path / "run.json"):
        pass
    assert stored(root, run.run_id).info.end_time is not None


def test_runs_open_side_by_side_do_not_mix(root: Path) -> None:
    with start(root) as first, start(root) as second:
        first.log_metrics({"loss": 1})
        second.log_metrics({"loss": 2})
    assert stored(root, first.run_id).data.metrics["loss"] == 1
    assert stored(root, second.run_id).data.metrics["loss"] == 2


def test_credentials_are_not_saved(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://name:secret@host:5000")
    run = TrackedRun(root=root, run_id="abc", experiment="seqlab-ner", experiment_id="1")
    run.save(tmp_path / "run.json")
    assert json.loads((tmp_path / "run.json").read_text())["tracking_uri"] == "http://host:5000"
