from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf
from brute_force_chain import log_sum_exp, sequence_scores, tag_probabilities
from numpy.testing import assert_allclose, assert_array_equal

from seqlab.modeling.heads.crf_head import CRFHead

K = 5
LENGTHS = [4, 1, 3]
MASK = np.arange(4) < np.array(LENGTHS)[:, None]
WEIGHTS = MASK.astype("float32")
GOLD = np.array([[2, 3, 4, 2], [3, 0, 0, 0], [2, 2, 3, 0]], "int32")
# 4 neither starts a sentence nor follows 2.
ALLOWED = {
    "start_allowed": [True, True, True, True, False],
    "transitions_allowed": [[True] * K, [True] * K, [True, True, True, True, False], [True] * K, [True] * K],
}


def built(**arguments) -> CRFHead:
    head = CRFHead(num_tags=K, **arguments)
    head.build((None, None, 2))
    random = np.random.default_rng(4)
    for weight in (head.start, head.end, head.transitions):
        weight.assign(random.normal(size=weight.shape))
    return head


@pytest.fixture
def logits():
    logits = np.random.default_rng(6).normal(scale=2, size=(3, 4, K)).astype("float32")
    logits[..., :2] = -1e9
    return logits


def allowed_sequences(head: CRFHead, row: np.ndarray, weights=None) -> dict[tuple[int, ...], float]:
    """Scores of the sequences without reserved ids and forbidden transitions."""
    weights = weights or [w.numpy() for w in (head.start, head.end, head.transitions)]
    rules = head.constraints
    return {
        tags: score
        for tags, score in sequence_scores(row, *weights).items()
        if min(tags) >= 2
        and rules.start[tags[0]]
        and rules.end[tags[-1]]
        and all(rules.transitions[a][b] for a, b in pairwise(tags))
    }


def brute_force_loss(head: CRFHead, logits: np.ndarray, gold: np.ndarray, weights=None) -> float:
    """The summed negative log-likelihood, with unknown gold tags marginalised out."""
    total = 0.0
    for row, tags, length in zip(logits, gold, LENGTHS, strict=True):
        scores = allowed_sequences(head, row[:length], weights)
        fitting = [
            score
            for candidate, score in scores.items()
            if all(g in (1, c) for g, c in zip(tags[:length], candidate, strict=True))
        ]
        total += log_sum_exp(list(scores.values())) - log_sum_exp(fitting)
    return total


@pytest.mark.parametrize("arguments", [{}, ALLOWED])
def test_loss_is_the_negative_log_likelihood(logits, arguments):
    head = built(**arguments)
    total, weight = head.loss_sum(GOLD, logits, WEIGHTS)
    assert_allclose(total, brute_force_loss(head, logits, GOLD), rtol=1e-5)
    assert weight == 8
    assert_allclose(head.loss(GOLD, logits, WEIGHTS), total / 8, rtol=1e-6)


@pytest.mark.parametrize("arguments", [{}, ALLOWED])
def test_gradients_are_those_of_the_brute_force_loss(logits, arguments):
    head = built(**arguments)
    tensor = tf.constant(logits)
    variables = [head.start, head.end, head.transitions]
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        loss, _ = head.loss_sum(GOLD, tensor, WEIGHTS)
    gradients = tape.gradient(loss, [tensor, *[v.value for v in variables]])
    values = [logits, *[v.numpy() for v in variables]]

    step = 1e-4
    for which, gradient in enumerate(gradients):
        numbers = np.array(gradient)
        for index in np.ndindex(*numbers.shape):
            losses = []
            for sign in (1, -1):
                moved = [v.astype("float64") for v in values]
                moved[which][index] += sign * step
                losses.append(brute_force_loss(head, moved[0], GOLD, moved[1:]))
            assert_allclose(numbers[index], (losses[0] - losses[1]) / (2 * step), atol=2e-4)


def test_an_unknown_gold_tag_is_marginalised_out(logits):
    head = built(**ALLOWED)
    gold = GOLD.copy()
    gold[0, 1], gold[1, 0] = 1, 1
    total, weight = head.loss_sum(gold, logits, WEIGHTS)
    assert_allclose(total, brute_force_loss(head, logits, gold), rtol=1e-5)
    assert weight == 6


def test_gold_tags_that_violate_a_constraint_contribute_nothing(logits):
    head = built(**ALLOWED)
    gold = GOLD.copy()
    gold[1, 0] = 4
    tensor = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        total, weight = head.loss_sum(gold, tensor, WEIGHTS)
    others = head.loss_sum(GOLD[[0, 2]], logits[[0, 2]], WEIGHTS[[0, 2]])
    assert_allclose(total, others[0], rtol=1e-5)
    assert weight == others[1] == 7
    assert_array_equal(tape.gradient(total, tensor)[1], np.zeros((4, K)))


def test_a_sentence_has_the_weight_of_its_heaviest_token(logits):
    head = built()
    weighted = head.loss_sum(GOLD, logits, WEIGHTS * np.array([[2], [1], [0]], "float32"))
    single = [head.loss_sum(GOLD[[row]], logits[[row]], WEIGHTS[[row]])[0] for row in range(2)]
    assert_allclose(weighted[0], 2 * single[0] + single[1], rtol=1e-5)
    assert weighted[1] == 9


@pytest.mark.parametrize("arguments", [{}, ALLOWED])
def test_decoding_is_the_best_of_all_allowed_sequences(arguments):
    head = built(**arguments)
    random = np.random.default_rng(8)
    logits = random.normal(scale=2, size=(20, 4, K)).astype("float32")
    logits[..., :2] = -1e9
    lengths = random.integers(1, 5, size=20)
    decoded = np.array(head.decode(logits, np.arange(4) < lengths[:, None]))
    for row, length, tags in zip(logits, lengths, decoded, strict=True):
        scores = allowed_sequences(head, row[:length])
        assert tuple(tags[:length]) == max(scores, key=scores.get)
        assert_array_equal(tags[length:], 0)


@pytest.mark.parametrize("arguments", [{}, ALLOWED])
def test_probabilities_are_the_marginals(logits, arguments):
    head = built(**arguments)
    result = np.array(head.probabilities(logits, MASK))
    for row, length, probabilities in zip(logits, LENGTHS, result, strict=True):
        wanted = tag_probabilities(allowed_sequences(head, row[:length]), K)
        assert_allclose(probabilities[:length], wanted, atol=1e-5)
        assert_array_equal(probabilities[length:], np.zeros((4 - length, K)))


def test_initial_transitions_are_zero(logits):
    """Before training, a CRF decodes each token independently."""
    head = CRFHead(num_tags=K)
    head.build((None, None, 2))
    assert_array_equal(head.decode(logits, MASK), np.where(MASK, np.argmax(logits, -1), 0))
