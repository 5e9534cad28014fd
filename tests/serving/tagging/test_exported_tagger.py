from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny_taggers import SENTENCES, tiny_export

from seqlab.errors import SeqlabError
from seqlab.serving.tagging.exported_tagger import ExportedTagger
from seqlab.tags import tags_to_spans


@pytest.fixture(scope="module")
def ner() -> ExportedTagger:
    return ExportedTagger(tiny_export("ner"), task="ner")


def test_text_is_tokenised(ner: ExportedTagger) -> None:
    text = "Dr. Smith's in Zürich."
    tagged, nothing = ner.tag([text, ""])
    assert [token.text for token in tagged.tokens] == ["Dr.", "Smith", "'s", "in", "Zürich", "."]
    assert all(text[token.start : token.end] == token.text for token in tagged.tokens)
    spans = tags_to_spans([token.tag for token in tagged.tokens], scheme="BIOES", lenient=True)
    assert tagged.spans == spans
    assert (nothing.tokens, nothing.spans) == ([], [])


def test_tokenised_text_is_the_same_either_way(ner: ExportedTagger) -> None:
    assert ner.tag(SENTENCES, tokenized=True) == ner.tag(SENTENCES)


def test_tokens_between_blanks_are_left_whole(ner: ExportedTagger) -> None:
    (tagged,) = ner.tag(["don't  stop."], tokenized=True)
    assert [(token.text, token.start, token.end) for token in tagged.tokens] == [
        ("don't", 0, 5),
        ("stop.", 7, 12),
    ]


def test_tags_that_spell_no_spans() -> None:
    (tagged,) = ExportedTagger(tiny_export("pos")).tag(["one"])
    assert tagged.spans is None
    assert tagged.tokens[0].tag in ("NOUN", "VERB", "PROPN", "PUNCT", "DET")
    assert 0 < tagged.tokens[0].probability < 1


def test_a_damaged_export(tmp_path: Path) -> None:
    shutil.copy(tiny_export("ner") / "config.json", tmp_path)
    with pytest.raises(SeqlabError, match=r"the exported model cannot be loaded[\s\S]*export it again"):
        ExportedTagger(tmp_path)
