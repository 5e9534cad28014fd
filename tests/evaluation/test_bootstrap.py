from __future__ import annotations

import numpy as np
import pytest

from seqlab.evaluation import bootstrap
from seqlab.evaluation.bootstrap import (
    approximate_randomization,
    bootstrap_interval,
    sentence_span_counts,
    sentence_token_counts,
    span_f1,
    token_accuracy,
)

SENTENCES = [
    (("Ann", "in", "Oslo"), ("B-PER", "O", "B-LOC"), ("B-PER", "O", "B-ORG")),
    (("Rain",), ("O",), ("O",)),
    (("Lee", "left"), ("B-PER", "O"), ("O", "O")),
]


def _random_tokens(sentences: int, accuracy: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    tokens = rng.integers(1, 30, size=sentences)
    return np.stack([rng.binomial(tokens, accuracy), tokens], axis=1)


def test_sentence_counts():
    assert sentence_span_counts(SENTENCES).tolist() == [[1, 2, 2], [0, 0, 0], [0, 1, 0]]
    assert sentence_token_counts(SENTENCES).tolist() == [[2, 3], [1, 1], [1, 2]]


def test_counts_without_sentences():
    assert sentence_span_counts([]).shape == (0, 3)
    assert sentence_token_counts([]).shape == (0, 2)


def test_statistics():
    assert span_f1(np.array([[1, 3, 2], [0, 0, 0]])).tolist() == [0.4, 0.0]
    assert token_accuracy(np.array([[3, 4], [0, 0]])).tolist() == [0.75, 0.0]


def test_interval_contains_the_score():
    counts = _random_tokens(200, 0.9, seed=1)
    low, high = bootstrap_interval(counts, token_accuracy, seed=0)
    assert 0.87 < low < token_accuracy(counts.sum(axis=0)) < high < 0.93


def test_interval_agrees_with_drawing_sentence_by_sentence():
    counts = _random_tokens(150, 0.8, seed=2)
    low, high = bootstrap_interval(counts, token_accuracy, seed=0, resamples=4000)
    drawn = np.random.default_rng(3).integers(0, len(counts), size=(4000, len(counts)))
    expected = np.quantile(token_accuracy(counts[drawn].sum(axis=1)), [0.025, 0.975])
    assert (low, high) == pytest.approx(tuple(expected), abs=np.ptp(expected) / 10)


def test_interval_agrees_with_the_normal_approximation():
    """With one token per sentence, the score is a proportion with standard error `sqrt(p * (1 - p) / n)`."""
    counts = np.array([[1, 1]] * 800 + [[0, 1]] * 200)
    interval = bootstrap_interval(counts, token_accuracy, seed=0, resamples=5000)
    half_width = 1.96 * np.sqrt(0.8 * 0.2 / 1000)
    assert interval == pytest.approx((0.8 - half_width, 0.8 + half_width), abs=half_width / 10)


def test_width_shrinks_with_the_square_root_of_the_number_of_sentences():
    counts = _random_tokens(100, 0.9, seed=4)
    few = bootstrap_interval(counts, token_accuracy, seed=0, resamples=4000)
    many = bootstrap_interval(np.tile(counts, (16, 1)), token_accuracy, seed=0, resamples=4000)
    assert (few[1] - few[0]) / (many[1] - many[0]) == pytest.approx(4, rel=0.1)


def test_interval_depends_on_the_seed_only():
    counts = _random_tokens(60, 0.7, seed=5)
    interval = bootstrap_interval(counts, token_accuracy, seed=1)
    assert bootstrap_interval(counts, token_accuracy, seed=1) == interval
    assert bootstrap_interval(counts, token_accuracy, seed=2) != interval


def test_interval_of_a_perfect_score_is_a_point():
    assert bootstrap_interval(np.array([[2, 2, 2], [1, 1, 1]]), span_f1, seed=0) == (1.0, 1.0)


def test_equal_systems_do_not_differ():
    counts = _random_tokens(80, 0.8, seed=7)
    assert approximate_randomization(counts, counts.copy(), token_accuracy, seed=0) == (0.0, 1.0)


def test_clearly_better_system_differs_in_either_order():
    better, worse = np.array([[9, 10]] * 60), np.array([[7, 10]] * 60)
    forward = approximate_randomization(better, worse, token_accuracy, seed=0)
    backward = approximate_randomization(worse, better, token_accuracy, seed=0)
    assert forward == pytest.approx((0.2, 1 / 1001))
    assert backward == pytest.approx((-0.2, 1 / 1001))


def test_one_sentence_is_no_significant_difference():
    first = np.array([[8, 10]] * 50)
    second = first.copy()
    second[0, 0] -= 1
    _, p_value = approximate_randomization(first, second, token_accuracy, seed=0)
    assert p_value > 0.3


def test_randomization_agrees_with_the_exact_sign_test():
    """Six sentences differ by one token each: of all 64 ways to swap them, 2 are as extreme."""
    first, second = np.array([[2, 2]] * 6), np.array([[1, 2]] * 6)
    _, p_value = approximate_randomization(first, second, token_accuracy, seed=0, resamples=20000)
    assert p_value == pytest.approx(2 / 64, abs=0.005)


def test_p_value_depends_on_the_seed_only():
    first, second = _random_tokens(40, 0.8, seed=8), _random_tokens(40, 0.8, seed=8)
    second[:10, 0] = np.maximum(second[:10, 0] - 1, 0)
    first[10:18, 0] = np.maximum(first[10:18, 0] - 1, 0)
    result = approximate_randomization(first, second, token_accuracy, seed=1)
    assert approximate_randomization(first, second, token_accuracy, seed=1) == result
    assert approximate_randomization(first, second, token_accuracy, seed=2) != result


def test_span_f1_is_compared_on_summed_counts():
    first = sentence_span_counts(SENTENCES)
    second = sentence_span_counts([(tokens, gold, gold) for tokens, gold, _ in SENTENCES])
    difference, _ = approximate_randomization(first, second, span_f1, seed=0)
    assert difference == pytest.approx(2 / 5 - 1)


def test_invalid_arguments():
    counts = _random_tokens(5, 0.5, seed=9)
    with pytest.raises(ValueError, match=r"not \(0, 2\)"):
        bootstrap_interval(counts[:0], token_accuracy, seed=0)
    with pytest.raises(ValueError, match="resamples must be at least 1, not 0"):
        bootstrap_interval(counts, token_accuracy, seed=0, resamples=0)
    with pytest.raises(ValueError, match=r"the same sentences: \(3, 2\) and \(4, 2\)"):
        approximate_randomization(np.ones((3, 2), int), np.ones((4, 2), int), token_accuracy, seed=0)


def test_drawing_in_parts_changes_nothing(monkeypatch):
    first, second = _random_tokens(40, 0.8, seed=7), _random_tokens(40, 0.8, seed=7)
    second[::3, 0] = 0
    whole = approximate_randomization(first, second, token_accuracy, seed=1, resamples=103)
    monkeypatch.setattr(bootstrap, "_MAX_DRAWS", 10 * 40)
    assert approximate_randomization(first, second, token_accuracy, seed=1, resamples=103) == whole
    assert 0 < whole[1] < 1
