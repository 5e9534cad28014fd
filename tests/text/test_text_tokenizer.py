from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqlab.serving.graph.tokenizer import GraphTokenizer
from seqlab.text.text_tokenizer import TextTokenizer
from seqlab.text.tokenizer_rules import tokenizer_rules

GRAPH = GraphTokenizer()
TOKENIZE = tf.function(GRAPH.__call__, input_signature=[tf.TensorSpec([None], tf.string)])


@cache
def tokenizer() -> TextTokenizer:
    return TextTokenizer(json.loads(json.dumps(tokenizer_rules())))


def check(texts: list[str]) -> None:
    """Check that the tokens and offsets of texts are those of the graph."""
    found = tokenizer()(texts)
    tokens, row_lengths, offsets = TOKENIZE(tf.constant([text.encode() for text in texts], tf.string))
    assert found.tokens == [token.decode() for token in tokens.numpy()]
    np.testing.assert_array_equal(found.row_lengths, row_lengths)
    np.testing.assert_array_equal(found.starts, offsets["token_starts"])
    np.testing.assert_array_equal(found.ends, offsets["token_ends"])


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""],
        ["", "  ", "one"],
        [
            "Dr. Smith 's train left New York City at 10:30 in May 1996 .",
            "日本 and ﷽ are ٣ words — do n't , it 's 42 % ?",
        ],
        ["Dr. J. Smith (U.S.) left at 5 p.m. today.", "No. 5, vol. 3, no. It's vitamin C. Acme Inc."],
        ["see http://x.com/a,b?c=d'e.", "(mail bob@x.co.uk)", "a@", "://", "x://y @z a@b.c,d e"],
        ["thanks :) ;-( x:) :( :D", "''`` ... -- $$$ ?!!", "ca n't n't 's '90s don't's WE'LL"],
        ["Zürich “naïve” – 日本 😀’s", "a\x07b\u00a0c\u200bd\ufeff", "\U00040000. \U0010ffff"],
        # A letter of Unicode 15, the Kelvin sign before a period, and a capital beyond ASCII.
        ["\U00011f04.\U00011f04.", "No\u212a. 5", "É. Zola", "ⅷ. 5", "NO. ٣"],
    ],
)
def test_examples(texts: list[str]) -> None:
    check(texts)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.sampled_from("abNnTtDo. '’-`,:;=!?&@/\\$\"()[]|19é_*#<> \u00a0"), max_size=25)))
@example(["don't's", "x''y", "'''", "a.b.", "U.S..", "n't", "'s's", "a@b.", "://", "J. J. J.", "c.-d"])
def test_texts_of_the_rules_characters(texts: list[str]) -> None:
    check(texts)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=20)))
def test_any_characters(texts: list[str]) -> None:
    check(texts)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.sampled_from(["Mr", "J", "no", "fig", "p.m", "5", "Q", "é", "x", ".", ".", " ", ",", "'", "Ǆ"])
    )
)
def test_abbreviations(parts: list[str]) -> None:
    check(["".join(parts)])
