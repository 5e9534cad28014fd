"""Checks that apply to both heads."""

from __future__ import annotations

from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_cases import CONSTRAINTS
from numpy.testing import assert_allclose, assert_array_equal

from seqlab.errors import SeqlabError
from seqlab.modeling.heads.crf_head import CRFHead
from seqlab.modeling.heads.softmax_head import SoftmaxHead

K = 5
HEADS = {
    "softmax": lambda: SoftmaxHead(num_tags=K, label_smoothing=0.1),
    "softmax_constrained": lambda: SoftmaxHead(**CONSTRAINTS),
    "crf": lambda: CRFHead(**CONSTRAINTS),
}
LENGTHS = np.array([4, 1, 3, 2])
MASK = np.arange(4) < LENGTHS[:, None]
TAG_IDS = np.where(MASK, [[2, 3, 4, 2], [3, 0, 0, 0], [2, 2, 2, 0], [3, 4, 0, 0]], 0).astype("int32")


@pytest.fixture(params=HEADS)
def head(request):
    """A head over D = 6 with weights that are not zero."""
    head = HEADS[request.param]()
    head.build((None, None, 6))
    random = np.random.default_rng(2)
    for weight in head.trainable_variables:
        weight.assign(random.normal(size=weight.shape))
    return head


@pytest.fixture
def x():
    return np.random.default_rng(3).normal(size=(4, 4, 6)).astype("float32")


def test_the_logits_of_reserved_ids_are_masked(head, x):
    logits = np.array(head(x))
    assert logits.dtype == np.float32
    assert_array_equal(logits[..., :2], np.full((4, 4, 2), -1e9, "float32"))
    assert np.all(np.abs(logits[..., 2:]) < 100)


def test_the_reserved_ids_have_probability_zero(head, x):
    probabilities = np.array(head.probabilities(head(x), MASK))
    assert_array_equal(probabilities[..., :2], np.zeros((4, 4, 2)))
    assert_allclose(probabilities.sum(-1), MASK, atol=1e-5)


def test_constraints_hold_on_decoded_tags(head, x):
    """The scores prefer a forbidden tag everywhere: I at the start and after O."""
    logits = np.array(head(x)) + np.array([0, 0, 49, 0, 50], "float32")
    tags = np.array(head.decode(logits, MASK))
    assert tags.dtype == np.int32
    assert_array_equal(tags[~MASK], 0)
    assert np.all(tags[MASK] >= 2)
    for row, length in zip(tags, LENGTHS, strict=True):
        assert all(head.constraints.transitions[a][b] for a, b in pairwise(row[:length]))
        assert head.constraints.start[row[0]]


def test_garbage_at_padding_changes_nothing(head, x):
    logits = np.array(head(x))
    garbage = np.where(MASK[..., None], logits, np.nan).astype("float32")
    weights = MASK.astype("float32")
    assert_allclose(head.loss(TAG_IDS, garbage, weights), head.loss(TAG_IDS, logits, weights), rtol=1e-6)
    assert_array_equal(head.decode(garbage, MASK), head.decode(logits, MASK))
    assert_array_equal(head.probabilities(garbage, MASK), head.probabilities(logits, MASK))


def test_longer_padding_changes_nothing(head, x):
    logits = np.array(head(x))
    wider = np.pad(logits, [(0, 0), (0, 3), (0, 0)], constant_values=7)
    mask, tag_ids = (np.pad(a, [(0, 0), (0, 3)]) for a in (MASK, TAG_IDS))
    assert_allclose(
        head.loss(tag_ids, wider, mask.astype("float32")),
        head.loss(TAG_IDS, logits, MASK.astype("float32")),
        rtol=1e-6,
    )
    assert_array_equal(head.decode(wider, mask)[:, :4], head.decode(logits, MASK))
    assert_allclose(head.probabilities(wider, mask)[:, :4], head.probabilities(logits, MASK), atol=1e-6)


def test_the_loss_of_a_batch_is_the_sum_over_its_sentences(head, x):
    logits = np.array(head(x))
    alone = [
        head.loss_sum(TAG_IDS[[row], :length], logits[[row], :length], np.ones((1, length), "float32"))
        for row, length in enumerate(LENGTHS)
    ]
    total, weight = head.loss_sum(TAG_IDS, logits, MASK.astype("float32"))
    assert_allclose(total, sum(float(loss) for loss, _ in alone), rtol=1e-5)
    assert weight == sum(float(weight) for _, weight in alone) == 10
    assert_allclose(head.loss(TAG_IDS, logits, MASK.astype("float32")), total / 10, rtol=1e-6)


def test_rows_with_weight_zero_contribute_nothing(head, x):
    """Rows that fill a batch contain a token with weight 0, and may even be NaN."""
    weights = MASK.astype("float32")
    weights[[1, 3]] = 0
    filled = x.copy()
    filled[[1, 3]] = np.nan
    kept = head.loss(TAG_IDS[[0, 2]], head(x[[0, 2]]), weights[[0, 2]])
    assert_allclose(head.loss(TAG_IDS, head(filled), weights), kept, rtol=1e-6)


def test_a_tagged_token_with_weight_zero_is_padding(head, x):
    weights = MASK.astype("float32")
    weights[0, 2:] = 0
    tag_ids = TAG_IDS.copy()
    tag_ids[0, 2:] = 0
    logits = head(x)
    assert_allclose(head.loss(TAG_IDS, logits, weights), head.loss(tag_ids, logits, weights), rtol=1e-6)


def test_a_batch_without_a_token_has_no_loss_and_no_gradient(head, x):
    with tf.GradientTape() as tape:
        loss = head.loss(np.zeros_like(TAG_IDS), head(x), np.zeros((4, 4), "float32"))
    assert loss == 0
    for gradient in tape.gradient(loss, head.trainable_variables):
        assert_array_equal(gradient, np.zeros(gradient.shape))


def test_padding_has_no_gradient(head, x):
    features = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(features)
        loss = head.loss(TAG_IDS, head(features), MASK.astype("float32"))
    gradient = np.array(tape.gradient(loss, features))
    assert_array_equal(gradient[~MASK], np.zeros((6, 6)))
    assert np.all(np.any(gradient[MASK] != 0, axis=-1))


def test_training_under_xla_reduces_the_loss(head, x):
    optimizer = keras.optimizers.Adam(0.1)
    x, weights = tf.constant(x), tf.constant(MASK, "float32")

    @tf.function(jit_compile=True)
    def step():
        with tf.GradientTape() as tape:
            loss = head.loss(TAG_IDS, head(x), weights)
        optimizer.apply(tape.gradient(loss, head.trainable_variables), head.trainable_variables)
        return loss

    optimizer.build(head.trainable_variables)
    losses = [float(step()) for _ in range(50)]
    assert losses[-1] < 0.5 * losses[0]


def test_graph_and_xla_at_dynamic_length_agree_with_eager(head, x):
    signature = [
        tf.TensorSpec((None, None), tf.int32),
        tf.TensorSpec((None, None, 6)),
        tf.TensorSpec((None, None), tf.bool),
    ]

    def everything(tag_ids, x, mask):
        with tf.GradientTape() as tape:
            logits = head(x, mask=mask, training=True)
            loss = head.loss(tag_ids, logits, tf.cast(mask, tf.float32))
        gradients = tape.gradient(loss, head.trainable_variables)
        return loss, gradients, head.decode(logits, mask), head.probabilities(logits, mask)

    for jit_compile in (False, True):
        graph = tf.function(everything, input_signature=signature, jit_compile=jit_compile)
        for rows, length in ((4, 4), (3, 1)):
            arguments = TAG_IDS[:rows, :length], x[:rows, :length], MASK[:rows, :length]
            eager = keras.tree.flatten(everything(*map(tf.constant, arguments)))
            for one, other in zip(keras.tree.flatten(graph(*arguments)), eager, strict=True):
                assert_allclose(one, other, atol=1e-5)
        assert graph.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_scores_are_float32_under_mixed_precision(policy, x):
    keras.config.set_dtype_policy(policy)
    try:
        for factory in HEADS.values():
            head = factory()
            logits = head(x.astype("float16"))
            assert logits.dtype == "float32"
            assert head.loss(TAG_IDS, logits, MASK).dtype == "float32"
            assert {v.dtype for v in head.trainable_variables} == {"float32"}
            # As in the call of a mixed-precision tagger, which must not round the head's weights.
            with keras.src.backend.AutocastScope("float16"):
                assert head.probabilities(logits, MASK).dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("head_type", [SoftmaxHead, CRFHead])
def test_invalid_constraints_are_an_error(head_type):
    with pytest.raises(SeqlabError, match="start_allowed: the constraints do not fit"):
        head_type(num_tags=3, start_allowed=[True])
