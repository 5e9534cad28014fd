from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tensorflow as tf
from tiny_taggers import SENTENCES, load_once, tiny_export

from seqlab.errors import SeqlabError
from seqlab.serving.export_files import file_digests
from seqlab.serving.tagging import onnx_tagger
from seqlab.serving.tagging.exported_tagger import load_exported_tagger
from seqlab.serving.tagging.onnx_tagger import OnnxTagger
from seqlab.serving.tagging.saved_model_tagger import SavedModelTagger


@pytest.fixture
def without_onnx(tmp_path: Path) -> Path:
    """An export of a tagger with a layer that cannot be written as ONNX."""
    shutil.copytree(tiny_export("ner"), tmp_path / "export")
    shutil.rmtree(tmp_path / "export" / "onnx")
    (tmp_path / "export" / "tagger.json").unlink()
    config = json.loads((tmp_path / "export" / "config.json").read_text(encoding="utf-8"))
    config["files"] = file_digests(tmp_path / "export")
    (tmp_path / "export" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return tmp_path / "export"


def test_the_onnx_form_is_preferred() -> None:
    assert isinstance(load_exported_tagger(tiny_export("pos"), task="pos", threads=2), OnnxTagger)


def test_without_an_onnx_form_the_saved_model_tags(without_onnx: Path) -> None:
    tagger = load_exported_tagger(without_onnx, task="ner")
    assert isinstance(tagger, SavedModelTagger)
    expected = load_exported_tagger(tiny_export("ner")).tag(SENTENCES)
    assert [row.spans for row in tagger.tag(SENTENCES)] == [row.spans for row in expected]


def test_without_onnx_runtime_the_saved_model_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_tagger, "find_spec", lambda name: None)
    monkeypatch.setattr(tf.saved_model, "load", load_once)
    assert isinstance(load_exported_tagger(tiny_export("ner")), SavedModelTagger)


def test_quantised_weights_need_the_onnx_form(without_onnx: Path) -> None:
    with pytest.raises(SeqlabError, match=r"there are no quantised weights[\s\S]*without --int8"):
        load_exported_tagger(without_onnx, int8=True)


def test_an_export_of_another_task_raises(without_onnx: Path) -> None:
    for directory in (without_onnx, tiny_export("ner")):
        with pytest.raises(SeqlabError, match="belongs to another task"):
            load_exported_tagger(directory, task="pos")
