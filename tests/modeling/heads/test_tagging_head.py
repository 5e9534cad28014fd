"""What holds of both heads."""

from __future__ import annotations

from itertools import pairwise

import keras
import layer_checks
import numpy as np
import pytest
import tensorflow as tf
from layer_checks import LayerCase, check_fresh_process_reload, check_layer, feature_inputs
from numpy.testing import assert_allclose, assert_array_equal

from seqlab.errors import SeqlabError
from seqlab.modeling.heads.crf_head import CRFHead
from seqlab.modeling.heads.softmax_head import SoftmaxHead

K = 5
# <pad>, <unk>, O, B, I: I neither begins a sentence nor follows O.
CONSTRAINTS = {
    "start_allowed": [True, True, True, True, False],
    "transitions_allowed": [[True] * K, [True] * K, [True, True, True, True, False], [True] * K, [True] * K],
}
HEADS = {
    "softmax": lambda: SoftmaxHead(num_tags=K, label_smoothing=0.1),
    "softmax_constrained": lambda: SoftmaxHead(num_tags=K, **CONSTRAINTS),
    "crf": lambda: CRFHead(num_tags=K, **CONSTRAINTS),
}
# Calling a CRF does not use its transitions: its gradients are those of the loss, tested below.
CASES = {
    "softmax": LayerCase(factory=HEADS["softmax"], inputs=feature_inputs, zero_at_padding=False),
    "crf": LayerCase(factory=HEADS["crf"], inputs=feature_inputs, zero_at_padding=False, has_gradient=False),
}
LENGTHS = np.array([4, 1, 3, 2])
MASK = np.arange(4) < LENGTHS[:, None]
TAG_IDS = np.where(MASK, [[2, 3, 4, 2], [3, 0, 0, 0], [2, 2, 2, 0], [3, 4, 0, 0]], 0).astype("int32")


@pytest.fixture(params=HEADS)
def head(request):
    """A head over D = 6 with weights that are nowhere zero."""
    head = HEADS[request.param]()
    head.build((None, None, 6))
    random = np.random.default_rng(2)
    for weight in head.trainable_variables:
        weight.assign(random.normal(size=weight.shape))
    return head


@pytest.fixture
def x():
    return np.random.default_rng(3).normal(size=(4, 4, 6)).astype("float32")


def test_the_softmax_head_passes_the_layer_checks(tmp_path):
    check_layer(CASES["softmax"], tmp_path)


def test_the_crf_head_passes_the_layer_checks(tmp_path, monkeypatch):
    # It differentiates what calling the layer uses; half precision is tested below, through the loss.
    monkeypatch.setattr(layer_checks, "check_low_precision", lambda *_: None)
    check_layer(CASES["crf"], tmp_path)


def test_reload_in_a_fresh_process(tmp_path):
    check_fresh_process_reload(CASES, tmp_path, ["seqlab.modeling.heads"])


def test_logits_never_favour_a_reserved_id(head, x):
    logits = np.array(head(x))
    assert logits.dtype == np.float32
    assert_array_equal(logits[..., :2], np.full((4, 4, 2), -1e9, "float32"))
    assert np.all(np.abs(logits[..., 2:]) < 100)


def test_the_reserved_ids_have_probability_zero(head, x):
    probabilities = np.array(head.probabilities(head(x), MASK))
    assert_array_equal(probabilities[..., :2], np.zeros((4, 4, 2)))
    assert_allclose(probabilities.sum(-1), MASK, atol=1e-5)


def test_constraints_hold_on_decoded_tags(head, x):
    """Scores that shout for a forbidden tag everywhere: I at the start and after O."""
    shouting = (
        np.array(head(x)) + np.where(np.arange(K) == 4, 50.0, 0.0) + np.where(np.arange(K) == 2, 49.0, 0)
    )
    tags = np.array(head.decode(shouting.astype("float32"), MASK))
    assert tags.dtype == np.int32
    assert_array_equal(tags[~MASK], 0)
    assert np.all(tags[MASK] >= 2)
    for row, length in zip(tags, LENGTHS, strict=True):
        assert all(head.constraints.transitions[a][b] for a, b in pairwise(row[:length]))
        assert head.constraints.start[row[0]]


def test_decoding_without_a_mask_takes_every_token_for_real(head, x):
    logits = head(x)
    assert_array_equal(head.decode(logits), head.decode(logits, np.ones((4, 4), bool)))
    assert_array_equal(head.probabilities(logits), head.probabilities(logits, np.ones((4, 4), bool)))


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


def test_a_batch_loses_what_its_sentences_lose_alone(head, x):
    logits = np.array(head(x))
    alone = [
        head.loss_sum(TAG_IDS[[row], :length], logits[[row], :length], np.ones((1, length), "float32"))
        for row, length in enumerate(LENGTHS)
    ]
    total, weight = head.loss_sum(TAG_IDS, logits, MASK.astype("float32"))
    assert_allclose(total, sum(float(loss) for loss, _ in alone), rtol=1e-5)
    assert weight == sum(float(weight) for _, weight in alone) == 10
    assert_allclose(head.loss(TAG_IDS, logits, MASK.astype("float32")), total / 10, rtol=1e-6)


def test_without_weights_every_tagged_token_counts_once(head, x):
    logits = head(x)
    assert head.loss(TAG_IDS, logits) == head.loss(TAG_IDS, logits, MASK.astype("float32"))


def test_rows_that_weigh_nothing_contribute_nothing(head, x):
    """Rows that fill up a batch hold a token, weigh 0, and may even be NaN."""
    weights = MASK.astype("float32")
    weights[[1, 3]] = 0
    filled = x.copy()
    filled[[1, 3]] = np.nan
    kept = head.loss(TAG_IDS[[0, 2]], head(x[[0, 2]]), weights[[0, 2]])
    assert_allclose(head.loss(TAG_IDS, head(filled), weights), kept, rtol=1e-6)


def test_a_tagged_token_that_weighs_nothing_is_padding(head, x):
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


def test_training_under_xla_lowers_the_loss(head, x):
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


@pytest.mark.parametrize("jit_compile", [False, True])
def test_graph_and_xla_at_dynamic_length_agree_with_eager(head, x, jit_compile):
    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None, None, 6)),
            tf.TensorSpec((None, None), tf.bool),
        ],
        jit_compile=jit_compile,
    )
    def everything(tag_ids, x, mask):
        with tf.GradientTape() as tape:
            logits = head(x, mask=mask, training=True)
            loss = head.loss(tag_ids, logits, tf.cast(mask, tf.float32))
        gradients = tape.gradient(loss, head.trainable_variables)
        return loss, gradients, head.decode(logits, mask), head.probabilities(logits, mask)

    for rows, length in ((4, 4), (3, 1)):
        arguments = TAG_IDS[:rows, :length], x[:rows, :length], MASK[:rows, :length]
        eager = keras.tree.flatten(everything.python_function(*map(tf.constant, arguments)))
        for one, other in zip(keras.tree.flatten(everything(*arguments)), eager, strict=True):
            assert_allclose(one, other, atol=1e-5)
    assert everything.experimental_get_tracing_count() == 1


def test_a_saved_model_decodes_at_any_length(head, x, tmp_path):
    archive = keras.export.ExportArchive()
    archive.track(head)
    archive.add_endpoint(
        "tag",
        lambda x, mask: head.decode(head(x, mask=mask), mask),
        input_signature=[tf.TensorSpec((None, None, 6)), tf.TensorSpec((None, None), tf.bool)],
    )
    archive.write_out(tmp_path / "export", verbose=False)
    again = tf.saved_model.load(tmp_path / "export")
    for length in (4, 1):
        x_part, mask = tf.constant(x[:, :length]), tf.constant(MASK[:, :length])
        assert_array_equal(again.tag(x_part, mask), head.decode(head(x_part), mask))


def test_a_reloaded_head_has_equal_loss_and_decodes_equally(head, x, tmp_path):
    inputs = keras.Input((None, 6))
    keras.Model(inputs, head(inputs)).save(tmp_path / "head.keras")
    again = keras.saving.load_model(tmp_path / "head.keras").layers[-1]
    logits = head(x)
    assert again.loss(TAG_IDS, again(x)) == head.loss(TAG_IDS, logits)
    assert_array_equal(again.decode(logits, MASK), head.decode(logits, MASK))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_scores_are_float32_under_mixed_precision(policy, x):
    keras.config.set_dtype_policy(policy)
    try:
        for factory in HEADS.values():
            head = factory()
            logits = head(x.astype("float16"))
            assert logits.dtype == "float32"
            assert head.loss(TAG_IDS, logits).dtype == "float32"
            assert {v.dtype for v in head.trainable_variables} == {"float32"}
            # As a tagger's own call would run it: the policy around it must not round the head's weights.
            with keras.src.backend.AutocastScope("float16"):
                assert head.probabilities(logits).dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("head_type", [SoftmaxHead, CRFHead])
def test_bad_constraints_are_refused(head_type):
    with pytest.raises(SeqlabError, match="start_allowed: wrong number of tags"):
        head_type(num_tags=3, start_allowed=[True])
