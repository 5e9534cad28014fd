from __future__ import annotations

import numpy as np
import pytest
from brute_force_chain import sequence_scores
from numpy.testing import assert_allclose, assert_array_equal

from seqlab.errors import SeqlabError
from seqlab.modeling.heads.softmax_head import SoftmaxHead

LOGITS = np.array([[[-1e9, -1e9, 1.0, 2.0, 0.5], [-1e9, -1e9, 0.0, 1.0, 3.0], [9.0] * 5]], "float32")
WEIGHTS = np.array([[1, 1, 0]], "float32")


def log_softmax(scores):
    scores = np.asarray(scores, "float64")
    return scores - np.log(np.sum(np.exp(scores)))


def test_loss_is_the_mean_cross_entropy_of_real_tokens():
    head = SoftmaxHead(num_tags=5)
    wanted = -(log_softmax([1, 2, 0.5])[1] + log_softmax([0, 1, 3])[0]) / 2
    assert_allclose(head.loss(np.array([[3, 2, 0]]), LOGITS, WEIGHTS), wanted, rtol=1e-6)


def test_weights_weigh_tokens():
    head = SoftmaxHead(num_tags=5)
    wanted = -(3 * log_softmax([1, 2, 0.5])[1] + 0.5 * log_softmax([0, 1, 3])[0])
    total, weight = head.loss_sum(np.array([[3, 2, 0]]), LOGITS, np.array([[3, 0.5, 0]], "float32"))
    assert_allclose(total, wanted, rtol=1e-6)
    assert weight == 3.5


def test_an_unknown_gold_tag_contributes_nothing():
    head = SoftmaxHead(num_tags=5)
    total, weight = head.loss_sum(np.array([[3, 1, 0]]), LOGITS, WEIGHTS)
    assert_allclose(total, -log_softmax([1, 2, 0.5])[1], rtol=1e-6)
    assert weight == 1


def test_label_smoothing_spreads_over_the_tags_that_can_be_predicted():
    head = SoftmaxHead(num_tags=5, label_smoothing=0.3)
    log_p = log_softmax([1, 2, 0.5])
    wanted = -(0.7 * log_p[1] + 0.1 * log_p.sum())
    assert_allclose(head.loss(np.array([[3]]), LOGITS[:, :1], WEIGHTS[:, :1]), wanted, rtol=1e-6)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_label_smoothing_out_of_range_is_an_error(smoothing):
    with pytest.raises(SeqlabError, match="label_smoothing: label smoothing out of range"):
        SoftmaxHead(num_tags=5, label_smoothing=smoothing)


def test_without_constraints_decoding_returns_the_best_tag_of_each_token():
    head = SoftmaxHead(num_tags=5)
    assert_array_equal(head.decode(LOGITS, WEIGHTS > 0), [[3, 4, 0]])


def test_constrained_decoding_is_the_best_of_all_allowed_sequences():
    random = np.random.default_rng(0)
    allowed = {
        "start_allowed": [1, 1, 1, 0, 1],
        "end_allowed": [1, 1, 1, 1, 0],
        "transitions_allowed": [[1] * 5, [1] * 5, [1, 1, 1, 0, 1], [1] * 5, [1, 1, 0, 1, 1]],
    }
    head = SoftmaxHead(num_tags=5, **allowed)
    logits = random.normal(scale=3, size=(20, 4, 5)).astype("float32")
    logits[..., :2] = -1e9
    lengths = random.integers(1, 5, size=20)
    decoded = np.array(head.decode(logits, np.arange(4) < lengths[:, None]))
    scores = [np.array(scores) for scores in head.constraint_scores()]
    for row, length, tags in zip(logits, lengths, decoded, strict=True):
        log_p = np.array([log_softmax(token) for token in row[:length]])
        sequences = sequence_scores(log_p, *scores)
        assert tuple(tags[:length]) == max(sequences, key=sequences.get)


def test_probabilities_are_a_softmax():
    probabilities = np.array(SoftmaxHead(num_tags=5).probabilities(LOGITS, WEIGHTS > 0))
    assert_allclose(probabilities[0, 0, 2:], np.exp(log_softmax([1, 2, 0.5])), rtol=1e-5)
    assert_array_equal(probabilities[0, 2], np.zeros(5))
