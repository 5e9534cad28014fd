"""Pieces of KerasHub's tokenizer, of the graph and of the Python code, compared."""

from __future__ import annotations

import json
from functools import cache

import keras_hub
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.serving.graph.word_pieces import GraphWordPieces
from seqlab.serving.piece_rules import word_piece_rules
from seqlab.serving.tagging.word_pieces import WordPieces

LETTERS = "abcdeghlnorstuw0一한ßéİ中,.!-'é"
WORDS = ["un", "##able", "##ab", "the", "new", "##spa", "##per", "don", "##'", "...", "##.", "kg", "1⁄2"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
VOCABULARY += [prefix + letter for letter in LETTERS for prefix in ("", "##")]
VOCABULARY = list(dict.fromkeys(VOCABULARY))
OPTIONS = [(True, True), (True, False), (False, True), (False, False)]
TOKENS = [
    "unable", "Unable", "newspapers", "don't", "...", "École", "ÉCOLE", "Straße", "中一", "한국", "½", "㎏",
    "New York", "a\u200bb", "\u200b", "", "\xa0", "x\ufe0f", "İ", "ﷺ", "שלום", "a" * 100, "a" * 101, "é" * 51,
    "##able", "[CLS]", "\U00020000", "a\tb",
]  # fmt: skip


@cache
def tokenizer(lowercase: bool, strip_accents: bool):
    return keras_hub.tokenizers.WordPieceTokenizer(
        vocabulary=VOCABULARY, lowercase=lowercase, strip_accents=strip_accents
    )


@cache
def forms(lowercase: bool, strip_accents: bool):
    rules = json.loads(json.dumps(word_piece_rules(tokenizer(lowercase, strip_accents))))
    graph = tf.function(
        GraphWordPieces(rules, max_pieces=200), input_signature=[tf.TensorSpec([None], tf.string)]
    )
    return WordPieces(rules), lambda tokens: graph(tf.constant(tokens, tf.string)).to_list()


def expected_pieces(tokens, lowercase, strip_accents):
    unknown = [VOCABULARY.index("[UNK]")]
    rows = tokenizer(lowercase, strip_accents).tokenize(tokens)
    return [list(map(int, row)) or unknown for row in rows]


@pytest.mark.parametrize(("lowercase", "strip_accents"), OPTIONS)
def test_tokens_have_the_pieces_of_keras_hub(lowercase, strip_accents):
    in_python, in_graph = forms(lowercase, strip_accents)
    expected = expected_pieces(TOKENS, lowercase, strip_accents)
    assert in_python(TOKENS) == expected
    assert in_graph(TOKENS) == expected
    assert len({tuple(pieces) for pieces in expected}) > 10


# Marks join with the letter before them, as letters of Korean do; both are left out here.
CHARACTERS = st.characters(exclude_categories=["Cs", "Mn", "Mc", "Me"]).filter(
    lambda c: not ("\u1100" <= c <= "\u11ff" or "\ua960" <= c <= "\ua97f" or "\ud7b0" <= c <= "\ud7ff")
)


@settings(max_examples=60, deadline=None)
@given(
    tokens=st.lists(st.text(st.one_of(st.sampled_from(LETTERS + "".join(WORDS)), CHARACTERS)), max_size=30),
    options=st.sampled_from(OPTIONS),
)
def test_any_tokens_have_the_pieces_of_keras_hub(tokens, options):
    in_python, in_graph = forms(*options)
    expected = expected_pieces(tokens, *options) if tokens else []
    assert in_python(tokens) == expected
    assert in_graph(tokens) == expected


def test_marks_are_removed_with_accents():
    in_python, in_graph = forms(True, True)
    tokens = ["e\u0301cole", "n\u0303e\u0323\u0302w"]
    assert in_python(tokens) == in_graph(tokens) == expected_pieces(tokens, True, True)


def test_a_tokenizer_that_does_not_split_words_is_refused():
    whole = keras_hub.tokenizers.WordPieceTokenizer(vocabulary=VOCABULARY, split=False)
    with pytest.raises(ValueError, match="does not split words"):
        word_piece_rules(whole)
