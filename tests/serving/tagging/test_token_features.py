from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_taggers import TOKENS, WINDOW, make_encoder, tiny_tagger

from seqlab.batching.encoding import FeatureEncoder
from seqlab.batching.vocabulary import Vocabulary
from seqlab.serving.graph.feature_lookup import GraphFeatures
from seqlab.serving.tagger_rules import tagger_rules
from seqlab.serving.tagging.token_features import TokenFeatures

SPECIAL = [
    "İ",
    "ǅ",
    "ß",
    "x" * 30,
    "1" * 8,
    "<pad>",
    "<unk>",
    "\u200d",
    "👩‍🚀",
    "aaaAAAA111",
    "日本語",
    "٣٤٥٦",
]


def features_of(encoder: FeatureEncoder) -> TokenFeatures:
    tiny = tiny_tagger("pos")
    rules = tagger_rules(tiny.tagger.head, encoder=encoder, tags=tiny.tags, spans=False, **WINDOW)
    return TokenFeatures(json.loads(json.dumps(rules)))


def both(encoder: FeatureEncoder) -> tuple[TokenFeatures, GraphFeatures]:
    return features_of(encoder), GraphFeatures(encoder)


@cache
def known() -> tuple[TokenFeatures, GraphFeatures]:
    return both(make_encoder())


def check(tokens: list[str], encoders: tuple[TokenFeatures, GraphFeatures] | None = None) -> None:
    """Check that the features of tokens are those of the graph."""
    features, graph = encoders or known()
    expected = graph(tf.constant([token.encode() for token in tokens], tf.string))
    received = features(tokens)
    assert set(received) == set(expected)
    for name, values in expected.items():
        assert received[name].dtype == np.int32
        np.testing.assert_array_equal(received[name], values, err_msg=f"{name} of {tokens}")


def test_features_are_those_of_the_graph() -> None:
    check([token for sentence in TOKENS for token in sentence] + SPECIAL)
    check([])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12), min_size=1))
def test_any_characters(tokens: list[str]) -> None:
    check(tokens)


@pytest.mark.parametrize("max_token_length", [2, 3, 8])
def test_case_and_length_are_the_encoders(max_token_length: int) -> None:
    encoder = FeatureEncoder(
        tokens=Vocabulary(["Aa", "aa"]),
        characters=Vocabulary("abcdefgh"),
        shapes=Vocabulary([]),
        lowercase=False,
        max_token_length=max_token_length,
    )
    check(["Aa", "aa", "AA", "abcdefgh", "abc", "ab"], both(encoder))
