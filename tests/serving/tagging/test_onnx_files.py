from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from tiny_taggers import tiny_export

from seqlab.errors import SeqlabError
from seqlab.serving.export_files import file_digests
from seqlab.serving.tagging.onnx_files import read_onnx
from seqlab.serving.tagging.onnx_tagger import OnnxTagger

REFUSED = r"encoder\.onnx: the ONNX file is not self-contained or has foreign operations: it is not loaded"


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_export("ner"), tmp_path / "export"))


def refuse(export: Path, model: onnx.ModelProto, received: str) -> None:
    """Put a model into the export, with its digest, and expect an error."""
    (export / "onnx" / "encoder.onnx").write_bytes(model.SerializeToString())
    config = json.loads((export / "config.json").read_text(encoding="utf-8"))
    config["files"] = file_digests(export)
    (export / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(SeqlabError, match=rf"{REFUSED}[\s\S]*received: {received}"):
        OnnxTagger(export)


def test_every_file_of_an_export_is_read(export: Path) -> None:
    for path in export.rglob("*.onnx"):
        assert read_onnx(path) == path.read_bytes()


def test_weights_in_another_file(export: Path) -> None:
    model = onnx.load(export / "onnx" / "encoder.onnx")
    tensor = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret")
    refuse(export, model, r"the file '\.\./\.\./secret'")


def test_weights_in_another_file_in_an_attribute(export: Path) -> None:
    model = onnx.load(export / "onnx" / "encoder.onnx")
    tensor = onnx.numpy_helper.from_array(np.zeros(1, np.float32))
    tensor.external_data.add(key="location", value="/etc/hostname")
    model.graph.node.add(op_type="Constant", output=["x"], attribute=[helper.make_attribute("value", tensor)])
    refuse(export, model, "the file '/etc/hostname'")


def test_operations_of_another_domain_in_a_loop(export: Path) -> None:
    model = onnx.load(export / "onnx" / "encoder.onnx")
    body = helper.make_graph([helper.make_node("PyOp", [], ["y"], domain="ai.onnx.contrib")], "body", [], [])
    model.graph.node.add(op_type="If", attribute=[helper.make_attribute("then_branch", body)])
    refuse(export, model, "PyOp of 'ai.onnx.contrib'")
