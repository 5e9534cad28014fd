from __future__ import annotations

import numpy as np
import pytest

from seqlab.evaluation.bootstrap import (
    approximate_randomization,
    bootstrap_interval,
    paired_bootstrap,
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


def test_counts_of_no_sentences_have_their_columns():
    assert sentence_span_counts([]).shape == (0, 3)
    assert sentence_token_counts([]).shape == (0, 2)


def test_statistics_of_sums():
    assert span_f1(np.array([[1, 3, 2], [0, 0, 0]])).tolist() == [0.4, 0.0]
    assert token_accuracy(np.array([[3, 4], [0, 0]])).tolist() == [0.75, 0.0]


def test_interval_contains_the_estimate():
    interval = bootstrap_interval(_random_tokens(200, 0.9, seed=1), token_accuracy, seed=0)
    assert interval.low < interval.estimate < interval.high
    assert interval.low > 0.87
    assert interval.high < 0.93
    assert (interval.level, interval.resamples) == (0.95, 1000)


def test_interval_agrees_with_drawing_sentence_by_sentence():
    counts = _random_tokens(150, 0.8, seed=2)
    interval = bootstrap_interval(counts, token_accuracy, seed=0, resamples=4000)
    drawn = np.random.default_rng(3).integers(0, len(counts), size=(4000, len(counts)))
    low, high = np.quantile(token_accuracy(counts[drawn].sum(axis=1)), [0.025, 0.975])
    width = high - low
    assert interval.low == pytest.approx(low, abs=width / 10)
    assert interval.high == pytest.approx(high, abs=width / 10)


def test_interval_agrees_with_the_normal_approximation():
    """One token a sentence makes it a proportion, whose standard error is `sqrt(p * (1 - p) / n)`."""
    counts = np.array([[1, 1]] * 800 + [[0, 1]] * 200)
    interval = bootstrap_interval(counts, token_accuracy, seed=0, resamples=5000)
    half_width = 1.96 * np.sqrt(0.8 * 0.2 / 1000)
    assert interval.low == pytest.approx(0.8 - half_width, abs=half_width / 10)
    assert interval.high == pytest.approx(0.8 + half_width, abs=half_width / 10)


def test_width_shrinks_with_the_square_root_of_the_sentences():
    counts = _random_tokens(100, 0.9, seed=4)
    few = bootstrap_interval(counts, token_accuracy, seed=0, resamples=4000)
    many = bootstrap_interval(np.tile(counts, (16, 1)), token_accuracy, seed=0, resamples=4000)
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(4, rel=0.1)
    assert many.estimate == few.estimate


def test_interval_is_a_function_of_the_seed():
    counts = _random_tokens(60, 0.7, seed=5)
    assert bootstrap_interval(counts, token_accuracy, seed=1) == bootstrap_interval(
        counts, token_accuracy, seed=1
    )
    assert bootstrap_interval(counts, token_accuracy, seed=1) != bootstrap_interval(
        counts, token_accuracy, seed=2
    )


def test_interval_of_a_perfect_score_is_a_point():
    interval = bootstrap_interval(np.array([[2, 2, 2], [1, 1, 1]]), span_f1, seed=0)
    assert (interval.low, interval.estimate, interval.high) == (1.0, 1.0, 1.0)


def test_a_higher_level_is_wider():
    counts = _random_tokens(60, 0.7, seed=6)
    narrow = bootstrap_interval(counts, token_accuracy, seed=0, level=0.5)
    wide = bootstrap_interval(counts, token_accuracy, seed=0, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("test", [paired_bootstrap, approximate_randomization])
def test_equal_systems_do_not_differ(test):
    counts = _random_tokens(80, 0.8, seed=7)
    comparison = test(counts, counts.copy(), token_accuracy, seed=0)
    assert (comparison.difference, comparison.p_value) == (0.0, 1.0)


@pytest.mark.parametrize("test", [paired_bootstrap, approximate_randomization])
def test_a_clearly_better_system_differs_in_either_order(test):
    better, worse = _pair(right_better=9, right_worse=7)
    forward = test(better, worse, token_accuracy, seed=0)
    backward = test(worse, better, token_accuracy, seed=0)
    assert forward.difference == pytest.approx(0.2)
    assert backward.difference == pytest.approx(-0.2)
    assert forward.p_value <= 1 / 1001
    assert backward.p_value <= 1 / 1001


@pytest.mark.parametrize("test", [paired_bootstrap, approximate_randomization])
def test_one_sentence_of_difference_proves_nothing(test):
    first = np.array([[8, 10]] * 50)
    second = first.copy()
    second[0, 0] -= 1
    assert test(first, second, token_accuracy, seed=0).p_value > 0.3


def test_randomization_agrees_with_the_exact_sign_test():
    """Six sentences that differ by one each: all 64 ways to swap are known, and 2 are as extreme."""
    first, second = np.array([[2, 2]] * 6), np.array([[1, 2]] * 6)
    comparison = approximate_randomization(first, second, token_accuracy, seed=0, resamples=20000)
    assert comparison.p_value == pytest.approx(2 / 64, abs=0.005)


def test_paired_bootstrap_agrees_with_the_exact_probability():
    """Of 4 sentences the first system wins 3 and loses 1 by as much; it is ahead when it draws more wins."""
    first, second = np.array([[1, 1]] * 3 + [[0, 1]]), np.array([[0, 1]] * 3 + [[1, 1]])
    comparison = paired_bootstrap(first, second, token_accuracy, seed=0, resamples=20000)
    ahead = 0.75**4 + 4 * 0.75**3 * 0.25  # 4 or 3 of 4 draws are wins
    assert comparison.p_value == pytest.approx(1 - ahead, abs=0.015)


@pytest.mark.parametrize("test", [paired_bootstrap, approximate_randomization])
def test_tests_are_functions_of_the_seed(test):
    first, second = _random_tokens(40, 0.8, seed=8), _random_tokens(40, 0.8, seed=8)
    second[:10, 0] = np.maximum(second[:10, 0] - 1, 0)
    first[10:18, 0] = np.maximum(first[10:18, 0] - 1, 0)
    assert test(first, second, token_accuracy, seed=1) == test(first, second, token_accuracy, seed=1)
    assert test(first, second, token_accuracy, seed=1) != test(first, second, token_accuracy, seed=2)


def test_span_f1_is_tested_as_a_whole_and_not_by_sentence():
    first = sentence_span_counts(SENTENCES)
    second = sentence_span_counts([(tokens, gold, gold) for tokens, gold, _ in SENTENCES])
    assert paired_bootstrap(first, second, span_f1, seed=0).difference == pytest.approx(2 / 5 - 1)


@pytest.mark.parametrize("test", [paired_bootstrap, approximate_randomization])
def test_systems_must_be_scored_on_the_same_sentences(test):
    with pytest.raises(ValueError, match=r"the same sentences: \(3, 2\) and \(4, 2\)"):
        test(np.ones((3, 2), int), np.ones((4, 2), int), token_accuracy, seed=0)


def test_bad_arguments_are_named():
    counts = _random_tokens(5, 0.5, seed=9)
    with pytest.raises(ValueError, match=r"not \(0, 2\)"):
        bootstrap_interval(counts[:0], token_accuracy, seed=0)
    with pytest.raises(ValueError, match="resamples must be at least 1, not 0"):
        bootstrap_interval(counts, token_accuracy, seed=0, resamples=0)
    with pytest.raises(ValueError, match=r"level must lie between 0 and 1, not 95"):
        bootstrap_interval(counts, token_accuracy, seed=0, level=95)


def _pair(*, right_better: int, right_worse: int) -> tuple[np.ndarray, np.ndarray]:
    return np.array([[right_better, 10]] * 60), np.array([[right_worse, 10]] * 60)
