"""docs/python.md and the scripts in examples/ run, from a working directory as `dvc repro` leaves it."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent / "serving"))

from tiny_taggers import tiny_export, tiny_tagger

import seqlab
from seqlab.serving.tagging.tag_formats import as_html

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def in_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a tiny tagger as `models/ner`, its vocabularies, and data/example."""
    tiny, models = tiny_tagger("ner"), tmp_path / "models" / "ner"
    models.mkdir(parents=True)
    (models / "export").symlink_to(tiny_export("ner"))
    tiny.tagger.save(models / "model.keras")
    tiny.encoder.write(tmp_path / "data" / "prepared" / "ner" / "vocabulary")
    (tmp_path / "data" / "example").symlink_to(REPOSITORY / "data" / "example")
    (tmp_path / "params.yaml").symlink_to(REPOSITORY / "params.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_tag_and_look(capsys: pytest.CaptureFixture[str]) -> None:
    names = runpy.run_path(str(REPOSITORY / "examples" / "tag_and_look.py"))
    out = capsys.readouterr().out
    assert "<seqlab.Tagger ner, trained on tiny" in out
    assert f"span F1 {names['scores']['span_f1']:.3f}" in out
    written = seqlab.read_corpus("predicted.conll", tag_scheme="IOB2")
    assert [list(sentence.tags) for sentence in written] == [row.tags for row in names["predicted"]]


def test_own_head(capsys: pytest.CaptureFixture[str]) -> None:
    names = runpy.run_path(str(REPOSITORY / "examples" / "own_head.py"))
    losses = names["history"].history["loss"]
    assert losses[-1] < losses[0]
    assert len(names["model"].trainable_weights) == 2
    assert capsys.readouterr().out.count("\n") == 1 + len(names["test"])


def test_the_page_on_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The training is replaced: test_training_from_python.py runs one."""
    trained = SimpleNamespace(model=Path("model.keras"), run_id="r1", summary={"dev": {}})
    asked = []
    monkeypatch.setattr(seqlab, "train", lambda *args, **options: asked.append(options) or trained)
    page = (REPOSITORY / "docs" / "python.md").read_text("utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S))
    names: dict = {}
    exec(compile(code, "docs/python.md", "exec"), names)
    assert asked == [{"task": "ner", "folder": "work"}]
    assert names["scores"]["tokens"] == sum(len(sentence.tokens) for sentence in names["sentences"])
    assert names["from_tokens"][0].tokens[3].text == "New York"
    assert names["model"].output_shape == (None, None, 11)


def test_notebooks_show_a_tagged_text_with_its_entities_marked() -> None:
    tagged = seqlab.load("models/ner").tag("Marie Curie was born in Warsaw .")
    assert tagged._repr_html_() == f"<p>{as_html(tagged)}</p>"
    assert "<mark" in as_html(tagged)
