"""`seqlab.train` gives the result of the stage."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from small_task import ENCODERS, REPOSITORY, SMALL, sentences

import seqlab
from seqlab.errors import SeqlabError
from seqlab.params_file import parse_params
from seqlab.pipeline.training import train_task


@pytest.fixture
def values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """The content of a params.yaml for a tiny tagger of own files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    for number, (split, count) in enumerate((("train", 40), ("dev", 10), ("test", 10))):
        (tmp_path / f"{split}.conll").write_text(sentences(count, shift=number), encoding="utf-8")
        params["corpus"]["files"][split] = f"{split}.conll"
    params["corpus"]["files"] |= {"columns": ["token", "upos", "ner"], "separator": "tab"}
    params["corpus"]["name"] = "files"
    params["tasks"], params["device"] = ["ner"], "cpu"
    params["ner"] |= {"encoder": ENCODERS["none"], "head": {"type": "softmax", "label_smoothing": 0.0}}
    for section, changes in SMALL.items():
        params["ner"][section] |= changes
    return params


def test_training_from_python_is_the_stages_training(values: dict, tmp_path: Path) -> None:
    trained = seqlab.train(values, task="ner", folder="work")
    assert trained.model == tmp_path / "work" / "models" / "ner" / "model.keras"
    assert trained.summary["epochs"] == 2
    assert len(trained.run_id) == 32
    prepared, task = tmp_path / "work" / "data" / "prepared" / "ner", parse_params(values).task("ner")
    expected = train_task(prepared, task=task, seed=values["seed"])
    assert trained.summary["dev"] == expected.summary["dev"]
    loaded = keras.saving.load_model(trained.model)
    for weight, other in zip(loaded.weights, expected.tagger.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), np.asarray(other))


def test_the_mirror_serves_the_pretrained_encoder_too(values: dict, tmp_path: Path) -> None:
    values["corpus"]["mirror"] = str(tmp_path / "mirror")
    encoder = tmp_path / "mirror" / "huggingface.co" / "here" / "tiny" / "resolve" / "main"
    encoder.mkdir(parents=True)
    (encoder / "config.json").write_text("not JSON", encoding="utf-8")
    values["defaults"]["embedder"]["pretrained"]["source"] = "hf://here/tiny"
    with pytest.raises(ValueError, match="Expecting value"):  # the file of the mirror was read
        seqlab.train(values, task="ner", folder="work")


def test_parameters_are_checked_first(values: dict, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    for params in (values, "params.yaml", seqlab.load_params()):
        with pytest.raises(SeqlabError, match="unknown task"):
            seqlab.train(params, task="chunk", folder="work")
    with pytest.raises(SeqlabError, match=r"params: 1 invalid parameter[\s\S]*seed"):
        seqlab.train({**values, "seed": -1}, task="ner", folder="work")
    assert not (tmp_path / "work").exists()
