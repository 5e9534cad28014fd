from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from brute_force_chain import log_sum_exp, sequence_scores, tag_probabilities
from numpy.testing import assert_allclose, assert_array_equal

from seqlab.modeling.heads.linear_chain import best_tags, log_partition, marginals, with_boundary_scores
from seqlab.modeling.masks.masked_ops import MASKED_SCORE

K = 3
LENGTHS = [4, 1, 3, 2]
MASK = np.arange(4) < np.array(LENGTHS)[:, None]


@pytest.fixture
def scores():
    """Emissions with large values at padding, start, end, and transitions, one of them forbidden."""
    random = np.random.default_rng(5)
    emissions, start, end, transitions = (
        random.normal(scale=2, size=shape).astype("float32") for shape in [(4, 4, K), (K,), (K,), (K, K)]
    )
    emissions[~MASK] *= 50
    transitions[1, 2] = MASKED_SCORE
    return emissions, start, end, transitions


@pytest.fixture
def sequences(scores):
    emissions, start, end, transitions = scores
    return [
        sequence_scores(x[:length], start, end, transitions)
        for x, length in zip(emissions, LENGTHS, strict=True)
    ]


def log_z(emissions, start, end, transitions, mask=MASK):
    return log_partition(with_boundary_scores(emissions, start, end, mask), transitions, mask)


def test_boundary_scores_are_added_to_the_first_and_last_real_token():
    result = with_boundary_scores(
        np.array([[[1.0], [1.0], [np.nan]], [[1.0], [np.nan], [np.nan]]], "float32"),
        np.array([10.0], "float32"),
        np.array([100.0], "float32"),
        np.array([[True, True, False], [True, False, False]]),
    )
    assert_array_equal(result[..., 0], [[11, 101, 0], [111, 0, 0]])


def test_log_partition_is_the_sum_over_all_sequences(scores, sequences):
    assert_allclose(log_z(*scores), [log_sum_exp(list(s.values())) for s in sequences], rtol=1e-5)


def test_marginals_are_the_probability_of_the_sequences_with_the_tag(scores, sequences):
    emissions, start, end, transitions = scores
    result = marginals(with_boundary_scores(emissions, start, end, MASK), transitions, MASK)
    for row, length, sequence in zip(result, LENGTHS, sequences, strict=True):
        assert_allclose(row[:length], tag_probabilities(sequence, K), atol=1e-5)
        assert_array_equal(row[length:], np.zeros((4 - length, K)))


def test_best_tags_is_the_best_of_all_sequences(scores, sequences):
    emissions, start, end, transitions = scores
    result = best_tags(with_boundary_scores(emissions, start, end, MASK), transitions, MASK)
    assert result.dtype == "int32"
    for row, length, sequence in zip(result, LENGTHS, sequences, strict=True):
        assert tuple(np.array(row[:length])) == max(sequence, key=sequence.get)
        assert_array_equal(row[length:], np.zeros(4 - length))


def test_gradients_are_those_of_the_sum_over_all_sequences(scores):
    """Central differences on the brute-force sum in float64, for every score."""
    tensors = [tf.constant(s) for s in scores]
    weights = np.array([1.0, 2.0, 0.5, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        total = tf.reduce_sum(log_z(*tensors) * tf.constant(weights, "float32"))
    gradients = tape.gradient(total, tensors)

    def brute_force(emissions, start, end, transitions):
        return sum(
            weight * log_sum_exp(list(sequence_scores(x[:length], start, end, transitions).values()))
            for x, length, weight in zip(emissions, LENGTHS, weights, strict=True)
        )

    step = 1e-4
    for which, gradient in enumerate(gradients):
        for index in np.ndindex(*scores[which].shape):
            ends = []
            for sign in (1, -1):
                moved = [s.astype("float64") for s in scores]
                moved[which][index] += sign * step
                ends.append(brute_force(*moved))
            assert_allclose(gradient[index], (ends[0] - ends[1]) / (2 * step), atol=1e-4)


def test_more_padding_changes_nothing(scores):
    emissions, start, end, transitions = scores
    longer = np.concatenate([emissions, np.full((4, 3, K), np.nan, "float32")], axis=1)
    longer_mask = np.pad(MASK, [(0, 0), (0, 3)])
    padded = with_boundary_scores(longer, start, end, longer_mask)
    exact = with_boundary_scores(emissions, start, end, MASK)
    assert_allclose(
        log_partition(padded, transitions, longer_mask), log_partition(exact, transitions, MASK), rtol=1e-6
    )
    assert_array_equal(
        best_tags(padded, transitions, longer_mask)[:, :4], best_tags(exact, transitions, MASK)
    )
    assert_allclose(
        marginals(padded, transitions, longer_mask)[:, :4], marginals(exact, transitions, MASK), atol=1e-6
    )


def test_a_fully_padded_row_is_finite(scores):
    mask = MASK.copy()
    mask[2] = False
    tensors = [tf.constant(s) for s in scores]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        result = log_z(*tensors, mask)
    assert np.all(np.isfinite(result))
    gradients = tape.gradient(result, tensors)
    assert all(np.all(np.isfinite(g)) for g in gradients)
    assert_array_equal(gradients[0][2], np.zeros((4, K)))


def test_xla_at_dynamic_length_agrees_with_eager(scores):
    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, K)),
            tf.TensorSpec((K,)),
            tf.TensorSpec((K,)),
            tf.TensorSpec((K, K)),
            tf.TensorSpec((None, None), tf.bool),
        ],
        jit_compile=True,
    )
    def everything(emissions, start, end, transitions, mask):
        scores = with_boundary_scores(emissions, start, end, mask)
        with tf.GradientTape() as tape:
            tape.watch([emissions, transitions])
            z = log_z(emissions, start, end, transitions, mask)
        gradients = tape.gradient(z, [emissions, transitions])
        return z, marginals(scores, transitions, mask), best_tags(scores, transitions, mask), gradients

    for length in (4, 1):
        emissions, start, end, transitions = scores
        arguments = emissions[:, :length], start, end, transitions, MASK[:, :length]
        eager = keras.tree.flatten(everything.python_function(*map(tf.constant, arguments)))
        compiled = keras.tree.flatten(everything(*arguments))
        for one, other in zip(compiled, eager, strict=True):
            assert_allclose(one, other, atol=1e-5)
    assert everything.experimental_get_tracing_count() == 1


def test_long_sentences_keep_their_precision():
    """128 tokens with one large score each: one sequence has all the probability."""
    tags = np.random.default_rng(1).integers(0, K, size=(1, 128))
    emissions = np.eye(K, dtype="float32")[tags] * 30
    mask = np.ones((1, 128), bool)
    transitions = np.zeros((K, K), "float32")
    assert_allclose(log_partition(emissions, transitions, mask), [128 * 30.0], rtol=1e-6)
    assert_allclose(marginals(emissions, transitions, mask), emissions / 30, atol=1e-6)
    assert_array_equal(best_tags(emissions, transitions, mask), tags)
