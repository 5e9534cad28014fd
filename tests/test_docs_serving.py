"""The example with ONNX and NumPy of docs/serving.md runs unchanged, and tags as `seqlab tag` does."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "serving"))

from tiny_taggers import SENTENCES, tiny_export

from seqlab.serving.tagging.onnx_tagger import OnnxTagger

PAGE = Path(__file__).parents[1] / "docs" / "serving.md"
SENTENCE = '"Marie Curie was born in Warsaw ."'


@pytest.mark.parametrize("kind", ["ner", "pos"])
@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_example_with_onnx_and_numpy(
    kind: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = (
        match for match in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
        if "onnxruntime" in match
    )  # fmt: skip
    assert SENTENCE in code
    (tmp_path / "models" / "ner").mkdir(parents=True)
    (tmp_path / "models" / "ner" / "export").symlink_to(tiny_export(kind))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(code.replace(SENTENCE, repr(sentence)), str(PAGE), "exec"), names)
    (expected,) = OnnxTagger(tiny_export(kind)).tag([sentence], tokenized=True)
    assert names["tags"] == expected.tags
