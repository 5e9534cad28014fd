from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_taggers import tiny_tagger, write_tagging


def test_the_files_of_seqlab_tag_are_written_without_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_tagging(tiny_tagger("ner"), tmp_path)
    assert caplog.records == []
    parts = tmp_path / "onnx"
    assert {path.name for path in parts.iterdir()} == {
        "embedder.onnx", "encoder.onnx", "encoder.int8.onnx", "known_types.json", "known_types.npy",
    }  # fmt: skip
    types = json.loads((parts / "known_types.json").read_text(encoding="utf-8"))
    assert len(types) == len(np.load(parts / "known_types.npy")) > 0
