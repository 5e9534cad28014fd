from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_taggers import TOKENS, make_encoder

from seqlab.batching.encoding import FeatureEncoder
from seqlab.batching.vocabulary import Vocabulary
from seqlab.serving.graph.feature_lookup import GraphFeatures

FEATURES = GraphFeatures(make_encoder())
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
    "A",
    "aaaAAAA111",
    "日本語",
    "٣٤٥٦",
]


def check(features: GraphFeatures, encoder: FeatureEncoder, tokens: list[str]) -> None:
    expected = encoder.encode_types(tokens)
    received = features(tf.constant([token.encode() for token in tokens], tf.string))
    for name, values in expected.items():
        np.testing.assert_array_equal(received[name].numpy(), values[1:], err_msg=f"{name} of {tokens}")


def test_the_graph_computes_what_the_encoder_computes() -> None:
    check(FEATURES, make_encoder(), [token for sentence in TOKENS for token in sentence] + SPECIAL)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12), min_size=1))
def test_any_characters(tokens: list[str]) -> None:
    check(FEATURES, make_encoder(), tokens)


@pytest.mark.parametrize("max_token_length", [2, 3, 8])
def test_case_and_length_are_the_encoders(max_token_length: int) -> None:
    encoder = FeatureEncoder(
        tokens=Vocabulary(["Aa", "aa"]),
        characters=Vocabulary("abcdefgh"),
        shapes=Vocabulary([]),
        lowercase=False,
        max_token_length=max_token_length,
    )
    check(GraphFeatures(encoder), encoder, ["Aa", "aa", "AA", "abcdefgh", "abc", "ab"])


def test_no_tokens() -> None:
    received = FEATURES(tf.constant([], tf.string))
    assert {name: tuple(values.shape) for name, values in received.items()} == {
        "token_ids": (0,),
        "char_ids": (0, 7),
        "shape_ids": (0,),
    }
