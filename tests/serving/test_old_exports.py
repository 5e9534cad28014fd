"""An export of each format version that seqlab has written still loads and tags as it did."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

import pytest
import tensorflow as tf

from seqlab.serving.export_config import FORMAT_VERSION, READABLE_VERSIONS
from seqlab.serving.tagging.onnx_tagger import OnnxTagger
from seqlab.serving.tagging.saved_model_tagger import SavedModelTagger
from seqlab.tags import convert_tags

FIXTURES = Path(__file__).parents[1] / "fixtures"
TEXTS = ["Marie Curie was born in Warsaw.", "one"]


@pytest.mark.parametrize("version", READABLE_VERSIONS)
@pytest.mark.parametrize("load", [OnnxTagger, SavedModelTagger])
def test_an_old_export_tags_as_it_did(
    version: int, load: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tf.saved_model, "load", cache(tf.saved_model.load))
    shutil.unpack_archive(FIXTURES / f"export_{version}.tar.xz", tmp_path)
    tagger = load(tmp_path / "export", tag_scheme="BIOES")
    assert tagger.config["format_version"] == version
    expected = json.loads((FIXTURES / f"export_{version}.json").read_text(encoding="utf-8"))
    assert [row.tags for row in tagger.tag(TEXTS)] == expected
    written = [list(convert_tags(tags, source="BIOES", target="IOB2")) for tags in expected]
    assert [row.tags for row in load(tmp_path / "export").tag(TEXTS)] == written


def test_the_current_version_has_a_fixture() -> None:
    assert max(READABLE_VERSIONS) == FORMAT_VERSION
