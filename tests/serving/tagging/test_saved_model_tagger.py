from __future__ import annotations

import json
from pathlib import Path

import pytest
import tensorflow as tf
from tiny_taggers import SENTENCES, load_once, tiny_export

from seqlab.errors import SeqlabError
from seqlab.serving.tagging.saved_model_tagger import SavedModelTagger
from seqlab.serving.tagging.tagged_text import TaggedText
from seqlab.tags import tags_to_spans


@pytest.fixture(autouse=True)
def exports_are_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.saved_model, "load", load_once)


@pytest.fixture
def ner() -> SavedModelTagger:
    return SavedModelTagger(tiny_export("ner"), task="ner")


def test_text_is_tokenised(ner: SavedModelTagger) -> None:
    text = "Dr. Smith's in Zürich."
    tagged, nothing = ner.tag([text, ""])
    assert [token.text for token in tagged.tokens] == ["Dr.", "Smith", "'s", "in", "Zürich", "."]
    assert all(text[token.start : token.end] == token.text for token in tagged.tokens)
    assert tagged.spans
    spans = [(span.entity_type, span.start_token, span.end_token) for span in tagged.spans]
    assert spans == tags_to_spans(tagged.tags, scheme="IOB2")
    assert all(text[span.start : span.end] == span.text for span in tagged.spans)
    assert (nothing.tokens, nothing.spans) == ([], [])


def test_tokenised_text_has_the_same_tags_with_and_without_tokenisation(ner: SavedModelTagger) -> None:
    assert ner.tag(SENTENCES, tokenized=True) == ner.tag(SENTENCES)


def test_tokenised_text_is_split_at_blanks_only(ner: SavedModelTagger) -> None:
    (tagged,) = ner.tag(["don't  stop."], tokenized=True)
    assert [(token.text, token.start, token.end) for token in tagged.tokens] == [
        ("don't", 0, 5),
        ("stop.", 7, 12),
    ]


def test_tags_without_spans() -> None:
    (tagged,) = SavedModelTagger(tiny_export("pos")).tag(["one"])
    assert tagged.spans is None
    assert tagged.tokens[0].tag in ("NOUN", "VERB", "PROPN", "PUNCT", "DET")
    assert 0 < tagged.tokens[0].probability < 1


def test_a_damaged_export_raises(tmp_path: Path) -> None:
    config = json.loads((tiny_export("ner") / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(config | {"files": {}}), encoding="utf-8")
    with pytest.raises(SeqlabError, match=r"the exported model cannot be loaded[\s\S]*export it again"):
        SavedModelTagger(tmp_path)


def test_a_long_text_is_not_padded_with_others(
    ner: SavedModelTagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def tag_batch(texts: list[str], rows: None) -> list[TaggedText]:
        sizes.append(len(texts))
        return [TaggedText(text, [], None) for text in texts]

    monkeypatch.setattr(ner, "_tag_batch", tag_batch)
    texts = ["x " * 40_000, *["short"] * 100, "y " * 40_000]
    assert [tagged.text for tagged in ner.tag(texts)] == texts
    assert sizes == [64, 36, 1, 1]
