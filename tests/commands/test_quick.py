"""`seqlab quick` runs the stages on the parameters of params.yaml, made small, in a folder of their own."""

from __future__ import annotations

import gc
import importlib
import os
from pathlib import Path

import pytest
import yaml

from seqlab.cli import main
from seqlab.commands.quick import STAGES
from seqlab.modeling.device import PLAIN_GRAPHS
from seqlab.params_file import load_params


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """Stages that note their names, arguments, folder and parameters; test_dag.py runs the real ones."""
    calls: list[tuple] = []
    monkeypatch.delenv(PLAIN_GRAPHS, raising=False)
    for name in STAGES:
        stage = importlib.import_module(f"seqlab.stages.{name}")
        monkeypatch.setattr(
            stage,
            name,
            lambda *task, name=name: calls.append(
                (name, task, Path.cwd(), load_params(), PLAIN_GRAPHS in os.environ and not gc.isenabled())
            ),
        )
    monkeypatch.chdir(Path(__file__).parents[2])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    return calls


def test_all_stages_run_at_small_size_and_the_folder_is_removed(
    ran: list[tuple], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quick", "pos"]) == 0
    assert [call[:2] for call in ran] == [("download", ()), *((name, ("pos",)) for name in STAGES[1:])]
    folders, params = {call[2] for call in ran}, ran[0][3]
    assert len(folders) == 1
    assert not folders.pop().exists()
    expected = load_params().task("pos")
    assert params.corpus.sample.sentences == 200
    assert params.task("pos").encoder == expected.encoder
    assert params.task("pos").training.epochs == 2
    assert Path(params.task("pos").embedder.vectors).is_file()
    assert "all stages work" in capsys.readouterr().out
    assert all(call[4] for call in ran)
    assert PLAIN_GRAPHS not in os.environ
    assert gc.isenabled()


def test_a_folder_is_kept_and_never_overwritten(
    ran: list[tuple], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quick", "--folder", str(tmp_path / "kept"), "--sentences", "150"]) == 0
    assert (tmp_path / "kept" / "params.yaml").exists()
    assert ran[0][3].corpus.sample.sentences == 150
    assert main(["quick", "--folder", str(tmp_path / "kept")]) == 1
    assert "kept: the folder exists\n  expected: a new folder" in capsys.readouterr().err


def test_a_folder_of_a_pretrained_encoder_is_there(
    ran: list[tuple], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params["defaults"]["embedder"]["pretrained"]["source"] = "data/encoders/tiny"
    encoder = tmp_path / "data" / "encoders" / "tiny"
    encoder.mkdir(parents=True)
    (encoder / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["quick", "ner", "--folder", "kept"]) == 0
    source = ran[0][3].task("ner").embedder.pretrained.source
    assert (tmp_path / "kept" / source / "config.json").read_text(encoding="utf-8") == "{}"
