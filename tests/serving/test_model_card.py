from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tiny_taggers import CORPUS

from seqlab.serving.export_config import export_config
from seqlab.serving.model_card import model_card

TEST: dict[str, Any] = {
    "tokens": 91,
    "sentences": 6,
    "token_accuracy": 0.95,
    "token_accuracy_interval": [0.9, 0.99],
    "per_tag": {"NOUN": {"gold": 1234, "precision": 0.5, "recall": 0.25, "f1": 0.3333}},
    "most_confused": [
        {"gold": "NOUN", "predicted": "VERB", "count": 3, "share": 0.1, "examples": ["the >>run<< `is` on"]}
    ],
}
SPANS: dict[str, Any] = {
    "span_precision": 0.8,
    "span_recall": 0.7,
    "span_f1": 0.75,
    "span_f1_interval": [0.7, 0.8],
    "per_type": {"PER": {"gold": 12, "span_precision": 0.8, "span_recall": 0.7, "span_f1": 0.75}},
}


def card(
    test: dict[str, Any],
    *,
    synthetic: bool = False,
    dirty: bool = False,
    scheme: str | None = None,
    tags: Sequence[str] = ("<pad>", "<unk>", "O", "B-PER"),
    **more: str,
) -> str:
    corpus = {**CORPUS, "synthetic": synthetic, **more}
    scores = {"dev": test, "test": test}
    config = export_config(
        task="ner" if scheme else "pos",
        tag_scheme=scheme,
        tags=list(tags),
        max_length=8,
        overlap=2,
        corpus=corpus,
        scores=scores,
        run={"run_id": "r1", "experiment": "seqlab-pos"},
    )
    section = {"encoder": {"type": "bilstm"}, "head": {"type": "crf"}}
    return model_card(
        config,
        corpus=corpus,
        scores=scores,
        section=section,
        commit="abc123",
        dirty=dirty,
        forms=["saved_model"],
        unavailable={"onnx": "this layer cannot be written as ONNX"},
    )


def test_a_tagger_of_parts_of_speech() -> None:
    text = card(TEST)
    assert text.startswith("# seqlab pos: parts of speech by a bilstm tagger\n")
    assert " 2 tags: `O`, `B-PER`." in text
    assert "- Corpus: tiny (six sentences), column `ner`, with the auxiliary columns `upos`, `xpos`\n" in text
    assert "- Licence: Apache-2.0\n" in text
    assert f"`{'d' * 64}`" in text
    assert "| token accuracy | 0.9500 [0.9000, 0.9900] | 0.9500 [0.9000, 0.9900] |" in text
    assert "| `NOUN` | 0.5000 | 0.2500 | 0.3333 | 1,234 |" in text
    assert "- `VERB` instead of `NOUN`: 3 tokens, 10.0% of `NOUN`\n  - `the >>run<< 'is' on`" in text
    assert "```\nseqlab reproduce r1\n```" in text
    assert "MLflow run `r1`" in text
    assert "commit `abc123`" in text
    assert "uncommitted" not in text
    assert "- SavedModel\n- not available: ONNX (this layer cannot be written as ONNX)\n" in text
    assert "synthetic" not in text


def test_a_tagger_of_entities() -> None:
    text = card({**TEST, **SPANS}, scheme="BIOES")
    assert "2 tags in BIOES: " in text
    assert "| span F1 | 0.7500 [0.7000, 0.8000] |" in text
    assert "| `PER` | 0.8000 | 0.7000 | 0.7500 | 12 |" in text
    assert "`NOUN` |" not in text


def test_a_synthetic_corpus_is_stated() -> None:
    assert "**The corpus is synthetic: these scores say nothing about real text.**" in card(
        TEST, synthetic=True
    )
    assert "For trying out the pipeline only." in card(TEST, synthetic=True)


def test_uncommitted_changes_are_stated() -> None:
    assert "with uncommitted changes" in card(TEST, dirty=True)


def test_no_errors() -> None:
    assert "All tags of test are correct." in card({**TEST, "most_confused": []})


def test_what_comes_from_a_corpus_is_escaped() -> None:
    evil = "<script>alert('`|`')</script>"
    code = "`<script>alert('\\'|\\'')</script>`".replace("\\", "")
    row = {"gold": evil, "predicted": evil, "count": 3, "share": 0.1, "examples": [evil]}
    scores = {**TEST, "per_tag": {evil: TEST["per_tag"]["NOUN"]}, "most_confused": [row]}
    text = card(scores, tags=["<pad>", "<unk>", evil], title=evil, licence=evil)
    escaped = "&lt;script&gt;alert('`|`')&lt;/script&gt;"
    assert f"({escaped}), column" in text
    assert f"- Licence: {escaped}\n" in text
    assert f"1 tags: {code}." in text
    assert f"| {code.replace('|', chr(92) + '|')} | 0.5000 |" in text
    assert f"- {code} instead of {code}: 3 tokens, 10.0% of {code}\n  - {code}" in text
    outside = re.sub(r"`[^`\n]*`", "", text.replace(escaped, ""))
    assert "<" not in outside.replace("`>>` and `<<`", "")
