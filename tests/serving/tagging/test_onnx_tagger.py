from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_taggers import (
    CORPUS,
    SENTENCES,
    TOKENS,
    WINDOW,
    load_once,
    make_tagger,
    tiny_export,
    write_tagging,
)

from seqlab.atomic import write_json
from seqlab.errors import SeqlabError
from seqlab.serving.export_config import export_config
from seqlab.serving.export_files import file_digests
from seqlab.serving.reference import make_batches, tag_batches
from seqlab.serving.tagging import onnx_tagger
from seqlab.serving.tagging.onnx_tagger import OnnxTagger
from seqlab.serving.tagging.saved_model_tagger import SavedModelTagger
from seqlab.serving.tagging.tagged_text import TextTagger
from seqlab.tags import convert_tags

WORDS = [token for sentence in TOKENS for token in sentence]
TEXTS = [*SENTENCES, "", "  ", " is  it ", "Dr. Smith's in Zürich, isn't he?", " ".join(WORDS * 4), "one"]


@pytest.fixture(scope="module", params=["ner", "pos"])
def pair(request: pytest.FixtureRequest) -> tuple[OnnxTagger, SavedModelTagger]:
    """The two forms of an export."""
    export = tiny_export(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.saved_model, "load", load_once)
        return OnnxTagger(export), SavedModelTagger(export)


def check(taggers: tuple[TextTagger, TextTagger], texts: list[str], *, tokenized: bool = False) -> None:
    """Check that two taggers agree in everything but the last digits of probabilities."""
    received, expected = (tagger.tag(texts, tokenized=tokenized) for tagger in taggers)
    for row, other in zip(received, expected, strict=True):
        assert (row.text, row.spans) == (other.text, other.spans)
        assert [token[:4] for token in row.tokens] == [token[:4] for token in other.tokens]
        # The graph adds up the logarithms of a sentence in float32, NumPy in float64.
        np.testing.assert_allclose([t[4] for t in row.tokens], [t[4] for t in other.tokens], atol=1e-4)


@pytest.mark.parametrize("tokenized", [False, True])
def test_it_tags_as_the_saved_model_does(pair: tuple[OnnxTagger, SavedModelTagger], tokenized: bool) -> None:
    check(pair, TEXTS, tokenized=tokenized)
    check(pair, [], tokenized=tokenized)


WORD = st.sampled_from([*WORDS, "don't", "U.S.", "(a)", "x@y.z", "№", "\u00a0", "  ", "É."])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(WORD, max_size=30).map(" ".join), max_size=6))
def test_any_texts(pair: tuple[OnnxTagger, SavedModelTagger], texts: list[str]) -> None:
    check(pair, texts)


def test_tokens_may_contain_blanks(pair: tuple[OnnxTagger, SavedModelTagger]) -> None:
    rows = [["New York", "is", "a"], [], ["it's"], *TOKENS]
    received, expected = (tagger.tag_sentences(rows) for tagger in pair)
    assert [row.text for row in received] == ["New York is a", "", "it's", *SENTENCES]
    assert [(t.text, t.start, t.end) for t in received[0].tokens[:2]] == [("New York", 0, 8), ("is", 9, 11)]
    for row, other in zip(received, expected, strict=True):
        assert (row.text, row.tags, row.spans) == (other.text, other.tags, other.spans)
    for tagger in pair:
        with pytest.raises(SeqlabError, match=r"sentence 2, token 1: this is not a valid token[\s\S]*''"):
            tagger.tag_sentences([["a"], [""]])


@pytest.mark.parametrize("load", [OnnxTagger, SavedModelTagger])
def test_tags_are_written_in_any_scheme(load: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.saved_model, "load", load_once)
    written = {
        scheme: load(tiny_export("ner"), tag_scheme=scheme).tag(SENTENCES)
        for scheme in (None, "IOB1", "BIO", "BIOES", "BILOU")
    }
    tagger = OnnxTagger(tiny_export("ner"))
    lengths = np.array([len(sentence) for sentence in TOKENS])
    learned = [tagger.config["tags"][i] for i in tagger.tag_tokens(WORDS, lengths)[0]]
    assert [tag for row in written["BIOES"] for tag in row.tags] == learned
    assert [row.tags for row in written[None]] == [row.tags for row in written["BIO"]]
    for scheme, rows in written.items():
        assert [row.spans for row in rows] == [row.spans for row in written[None]]
        for row, own in zip(rows, written["BIOES"], strict=True):
            assert tuple(row.tags) == convert_tags(own.tags, source="BIOES", target=scheme or "IOB2")
    with pytest.raises(SeqlabError, match=r"unknown tag scheme[\s\S]*BIOES[\s\S]*'BMES'"):
        load(tiny_export("ner"), tag_scheme="BMES")
    with pytest.raises(SeqlabError, match=r"task pos: the tags of this tagger do not encode spans"):
        load(tiny_export("pos"), tag_scheme="IOB2")


def test_threads_change_nothing() -> None:
    one, two = (OnnxTagger(tiny_export("ner"), threads=threads) for threads in (1, 2))
    texts = [" ".join(WORDS[i % 50 : i % 50 + i % 17]) for i in range(300)]
    assert two.tag(texts) == one.tag(texts)


def test_batches_are_bounded_by_tokens_and_hold_similar_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    tagger = OnnxTagger(tiny_export("pos"))
    shapes: list[tuple[int, ...]] = []
    encode = tagger._encode

    def encode_and_record(inputs: dict[str, np.ndarray]) -> np.ndarray:
        shapes.append(inputs["types"].shape)
        return encode(inputs)

    monkeypatch.setattr(tagger, "_encode", encode_and_record)
    monkeypatch.setattr(onnx_tagger, "BATCH_POSITIONS", 24)
    lengths = [1, 500, 2, 7, 2, 1, 3]
    tagged = tagger.tag([" ".join((WORDS * 6)[:n]) for n in lengths], tokenized=True)
    assert [len(row.tokens) for row in tagged] == lengths
    assert max(rows * length for rows, length in shapes) <= 24
    # The sentence of 500 tokens is 56 windows of at most 12 tokens.
    assert shapes[0] == (5, 3)
    assert sum(rows for rows, _ in shapes) == 62


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("ner", {"encoder": "bilstm", "characters": "attention", "head": "crf"}),
        ("ner", {"positions": "absolute", "characters": "bilstm", "head": "softmax"}),
        ("ner", {"positions": "sinusoidal", "characters": "none", "head": "crf"}),
        ("pos", {"encoder": "transformer", "head": "softmax"}),
    ],
)
def test_every_part_computes_what_the_tagger_computes(
    kind: str, options: dict[str, Any], tmp_path: Path
) -> None:
    tiny = make_tagger(kind, **options)
    write_tagging(tiny, tmp_path)
    config = export_config(
        task=kind,
        tag_scheme="BIOES" if tiny.spans else None,
        tags=tiny.tags.entries,
        corpus=CORPUS,
        scores={},
        run={"run_id": "r1", "experiment": "e"},
        **WINDOW,
    )
    write_json(tmp_path / "config.json", config | {"files": file_digests(tmp_path)})
    expected = tag_batches(tiny.tagger, make_batches(TOKENS, encoder=tiny.encoder), **WINDOW)
    tagger = OnnxTagger(tmp_path)
    lengths = np.array([len(sentence) for sentence in TOKENS])
    tag_ids, probabilities = tagger.tag_tokens(WORDS, lengths)
    np.testing.assert_array_equal(tag_ids, expected[0])
    np.testing.assert_allclose(probabilities, expected[1], atol=1e-5)
    quantised, _ = OnnxTagger(tmp_path, int8=True).tag_tokens(WORDS, lengths)
    assert (quantised == expected[0]).mean() > 0.8


def test_a_damaged_export_raises(tmp_path: Path) -> None:
    shutil.copytree(tiny_export("ner"), tmp_path / "export")
    (tmp_path / "export" / "onnx" / "encoder.onnx").write_bytes(b"nothing")
    _renew_digests(tmp_path / "export")
    with pytest.raises(SeqlabError, match=r"the exported model cannot be loaded[\s\S]*export it again"):
        OnnxTagger(tmp_path / "export")


@pytest.mark.parametrize("rules", ["{}", "[]", '{"features": {"max_token_length": "x"}}'])
def test_rules_of_another_form_raise(rules: str, tmp_path: Path) -> None:
    shutil.copytree(tiny_export("ner"), tmp_path / "export")
    (tmp_path / "export" / "tagger.json").write_text(rules, encoding="utf-8")
    _renew_digests(tmp_path / "export")
    with pytest.raises(SeqlabError, match=r"the exported model cannot be loaded[\s\S]*export it again"):
        OnnxTagger(tmp_path / "export")


def test_pickled_vectors_are_refused(tmp_path: Path) -> None:
    shutil.copytree(tiny_export("ner"), tmp_path / "export")
    np.save(tmp_path / "export" / "onnx" / "known_types.npy", np.array([{}], object), allow_pickle=True)
    _renew_digests(tmp_path / "export")
    with pytest.raises(SeqlabError, match=r"the exported model cannot be loaded[\s\S]*Python objects"):
        OnnxTagger(tmp_path / "export")


def _renew_digests(export: Path) -> None:
    config = json.loads((export / "config.json").read_text(encoding="utf-8"))
    write_json(export / "config.json", config | {"files": file_digests(export)})
