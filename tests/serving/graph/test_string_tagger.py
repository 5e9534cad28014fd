from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tiny_taggers import TOKENS, WINDOW, make_tagger

from seqlab.serving.graph import string_tagger
from seqlab.serving.graph.string_tagger import GraphTagger

WORDS = [token for sentence in TOKENS for token in sentence]
LONG = (WORDS * 40)[:2000]


def record(layer: Any, size_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the size of each input of a layer in a graph."""
    sizes: list[int] = []
    call = layer.call

    def recorded(x: Any, **options: Any) -> Any:
        noted = tf.numpy_function(lambda size: sizes.append(int(size)) or np.int32(0), [size_of(x)], tf.int32)
        with tf.control_dependencies([noted]):
            return call(tf.nest.map_structure(tf.identity, x), **options)

    monkeypatch.setattr(layer, "call", recorded)
    return sizes


def test_a_long_sentence_is_computed_in_bounded_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = make_tagger("ner", head="crf")
    expected = GraphTagger(tiny.tagger, encoder=tiny.encoder, tags=tiny.tags, spans=False, **WINDOW)
    lengths = tf.constant([len(LONG)], tf.int64)
    tag_ids = expected.tag_ragged(tf.constant(LONG), lengths)["tag_ids"]

    monkeypatch.setattr(string_tagger, "_POSITIONS", 60, raising=False)
    positions = record(tiny.tagger.encoder, lambda x: tf.size(x[..., 0]), monkeypatch)
    types = record(tiny.tagger.embedder, lambda x: tf.size(x["token_ids"]), monkeypatch)
    graph = GraphTagger(tiny.tagger, encoder=tiny.encoder, tags=tiny.tags, spans=False, **WINDOW)
    tf.debugging.assert_equal(graph.tag_ragged(tf.constant(LONG), lengths)["tag_ids"], tag_ids)
    # 222 windows of 12 tokens, 5 at a time.
    assert (len(positions), max(positions)) == (45, 60)
    assert max(types) <= min(60, len(set(LONG)) + 1)


def test_a_token_that_occurs_often_is_embedded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = make_tagger("pos", head="softmax")
    types = record(tiny.tagger.embedder, lambda x: tf.size(x["token_ids"]), monkeypatch)
    graph = GraphTagger(tiny.tagger, encoder=tiny.encoder, tags=tiny.tags, spans=False, **WINDOW)
    outputs = graph.tag_sentences(tf.constant(["so so so , so", "so"]))
    assert outputs["mask"].numpy().sum() == 6
    assert types == [3]  # so, the comma and padding
