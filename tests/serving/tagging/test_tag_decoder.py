from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_taggers import TAGS, WINDOW, make_encoder

from seqlab.batching.vocabulary import Vocabulary
from seqlab.modeling.heads.crf_head import CRFHead
from seqlab.modeling.heads.softmax_head import SoftmaxHead
from seqlab.modeling.heads.tagging_head import TaggingHead
from seqlab.serving.tagger_rules import tagger_rules
from seqlab.serving.tagging.tag_decoder import SpanReader, TagDecoder
from seqlab.tags import split_tag, tags_to_spans, transition_constraints

VOCABULARY = Vocabulary(TAGS["ner"])


def make_head(kind: str) -> TaggingHead:
    keras.utils.set_random_seed(3)
    allowed = transition_constraints(VOCABULARY.entries, scheme="BIOES")
    rules = {"start_allowed": allowed.start, "end_allowed": allowed.end}
    rules["transitions_allowed"] = allowed.transitions
    if kind == "argmax":
        rules = {}
    head = (CRFHead if kind == "crf" else SoftmaxHead)(num_tags=len(VOCABULARY), **rules)
    head.build((None, None, 4))
    if kind == "crf":
        for weight in (head.start, head.end, head.transitions):
            weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    return head


HEADS = {kind: make_head(kind) for kind in ("argmax", "constrained", "crf")}


def decoder_of(kind: str) -> TagDecoder:
    rules = tagger_rules(HEADS[kind], encoder=make_encoder(), tags=VOCABULARY, spans=True, **WINDOW)
    assert rules["decoding"]["type"] == kind
    return TagDecoder(json.loads(json.dumps(rules))["decoding"])


@pytest.mark.parametrize("kind", ["argmax", "constrained", "crf"])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_tags_and_probabilities_are_the_heads(kind: str, scale: float) -> None:
    head, lengths = HEADS[kind], np.array([3, 0, 17, 1, 3, 9])
    logits = scale * np.random.default_rng(2).normal(size=(lengths.sum(), len(VOCABULARY)))
    logits = logits.astype(np.float32)
    logits[:, :2] = -1e9
    mask = np.arange(lengths.max()) < lengths[:, None]
    padded = np.zeros((*mask.shape, len(VOCABULARY)), np.float32)
    padded[mask] = logits
    expected = np.asarray(head.decode(padded, mask))[mask]
    probabilities = np.asarray(head.probabilities(padded, mask))[mask]
    tag_ids, received = decoder_of(kind)(logits, lengths)
    np.testing.assert_array_equal(tag_ids, expected)
    np.testing.assert_allclose(received, probabilities[np.arange(len(expected)), expected], atol=1e-5)


@pytest.mark.parametrize("kind", ["argmax", "constrained", "crf"])
def test_no_tokens(kind: str) -> None:
    for lengths in ([], [0, 0]):
        tag_ids, probabilities = decoder_of(kind)(
            np.zeros((0, len(VOCABULARY)), np.float32), np.array(lengths, np.int64)
        )
        assert (tag_ids.shape, probabilities.shape) == ((0,), (0,))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.sampled_from(range(2, len(VOCABULARY))), max_size=8), max_size=5))
def test_spans_are_read_as_everywhere(rows: list[list[int]]) -> None:
    reader = SpanReader([split_tag(tag) for tag in VOCABULARY.entries])
    tag_ids = np.array([i for row in rows for i in row], np.int32)
    names = [[VOCABULARY.entries[i] for i in row] for row in rows]
    expected = [tags_to_spans(row, scheme="BIOES", lenient=True) for row in names]
    received = reader(tag_ids, np.array([len(row) for row in rows], np.int64))
    assert received == expected
