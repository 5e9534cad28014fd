from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from small_task import REPOSITORY, prepare_small, small_params

from seqlab.cli import main
from seqlab.params import TaskParams
from seqlab.params_file import load_params
from seqlab.pipeline import verifying


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    values = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    values["pos"] = small_params("pos").model_dump(mode="json")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prepare(repository: Path, task: str, section: TaskParams) -> None:
    prepared = prepare_small(repository / "corpus", section)
    (repository / "data" / "prepared").mkdir(parents=True)
    prepared.rename(repository / "data" / "prepared" / task)


@pytest.mark.parametrize(
    ("task", "encoder", "head"), [("ner", "transformer", "softmax"), ("pos", "bilstm", "crf")]
)
def test_two_trainings_in_mixed_precision_without_auxiliary_columns_are_equal(
    repository: Path, task: str, encoder: str, head: str
) -> None:
    """Others: softmax with auxiliary columns below, CRF with them in test_training.py, all in float32."""
    precision = {"epochs": 1, "mixed_precision": "mixed_bfloat16"}
    section = small_params(
        task, encoder=encoder, head={"type": head}, auxiliary={"columns": []}, training=precision
    )
    prepare(repository, task, section)
    params = load_params().model_copy(update={"sections": {task: section}})
    first, second = (verifying.train_once(task, params=params, epochs=1) for _ in range(2))
    assert len(first["weights"]) > 10
    # In one process, Keras numbers the layers on.
    assert list(first["weights"].values()) == list(second["weights"].values())
    assert first["history"] == second["history"]


def test_two_trainings_in_fresh_processes_are_equal(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(repository, "pos", small_params("pos"))
    status = main(["verify", "pos"])
    output = capsys.readouterr().out
    assert "none" in output
    assert "equal" in output
    assert status == 0


def test_a_difference_is_shown(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = [{"weights": {"0 kernel": digest}, "history": [{"loss": 1.0}]} for digest in "ab"]
    monkeypatch.setattr("seqlab.commands.verify.train_twice", lambda task, epochs: reports)
    assert main(["verify", "pos"]) == 1
    assert "0 kernel" in capsys.readouterr().out


def test_missing_data_and_a_failed_training_are_errors(
    repository: Path, warm: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", str(warm))
    assert main(["verify", "pos"]) == 1
    assert "remedy: dvc repro prepare@pos" in capsys.readouterr().err
    with pytest.raises(verifying.SeqlabError, match=r"pos: a training failed\n  received: .*"):
        verifying._in_fresh_process("pos", 1)
