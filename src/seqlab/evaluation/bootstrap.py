"""Confidence intervals and significance tests by resampling sentences.

Functions take one row of integer counts per sentence, of shape `(sentences, columns)`, and a statistic that
maps summed counts of shape `(..., columns)` to scores of shape `(...)`. Whole sentences are resampled because
the tokens of one sentence are not independent of each other.

Sentences with equal counts are interchangeable, so a resample draws the frequency of each distinct row from a
multinomial distribution. The sums have the same distribution as if sentences were drawn one by one, and the
cost depends on the number of distinct rows (a few hundred) instead of the number of sentences.

Efron and Tibshirani 1993, "An introduction to the bootstrap"; Noreen 1989, "Computer-intensive methods for
testing hypotheses"; Yeh 2000, "More accurate tests for the statistical significance of result differences".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from seqlab.evaluation.counts import TaggedTriple, extract_spans

Counts = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]
Statistic = Callable[[Counts], Scores]

_MAX_DRAWS = 1_000_000  # in memory at once


def sentence_span_counts(sentences: Iterable[TaggedTriple]) -> Counts:
    """Return each sentence's number of correct, gold and predicted spans, `(sentences, 3)`, for `span_f1`."""
    rows = []
    for _, gold_tags, predicted_tags in sentences:
        gold, predicted = extract_spans(gold_tags), extract_spans(predicted_tags)
        rows.append((len(set(gold).intersection(predicted)), len(gold), len(predicted)))
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def sentence_token_counts(sentences: Iterable[TaggedTriple]) -> Counts:
    """Return each sentence's number of correct and of all tokens, `(sentences, 2)`, for `token_accuracy`."""
    rows = [
        (sum(a == b for a, b in zip(gold, predicted, strict=True)), len(gold))
        for _, gold, predicted in sentences
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def span_f1(counts: Counts) -> Scores:
    """Return `2 * correct / (gold + predicted)` of span counts `(..., 3)`, or 0.0 without spans."""
    return _divide(2 * counts[..., 0], counts[..., 1] + counts[..., 2])


def token_accuracy(counts: Counts) -> Scores:
    """Return `correct / tokens` of token counts `(..., 2)`, or 0.0 without tokens."""
    return _divide(counts[..., 0], counts[..., 1])


def bootstrap_interval(
    counts: Counts, statistic: Statistic, *, seed: int, resamples: int = 1000
) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of a score (Efron and Tibshirani 1993, chapter 13).

    Each resample draws as many sentences as there are, with replacement.

    Args:
        counts: `(sentences, columns)`, at least one sentence.
        statistic: `span_f1`, `token_accuracy` or another function of summed counts.
        seed: the same seed returns the same interval.
        resamples: the number of resamples.

    Returns:
        The 2.5 % and 97.5 % quantiles of the resamples' scores.

    Raises:
        ValueError: there are no sentences, or no resamples.
    """
    rows, multiplicities = _distinct_rows(counts, resamples)
    shares = multiplicities / len(counts)
    sums: Counts = np.random.default_rng(seed).multinomial(len(counts), shares, size=resamples) @ rows
    low, high = np.quantile(statistic(sums), [0.025, 0.975])
    return float(low), float(high)


def approximate_randomization(
    first: Counts, second: Counts, statistic: Statistic, *, seed: int, resamples: int = 1000
) -> tuple[float, float]:
    """Test whether two systems' scores differ by approximate randomization (Noreen 1989; Yeh 2000).

    Under the null hypothesis, the two systems' outputs for a sentence are exchangeable. Each resample swaps
    them with probability 1/2, sentence by sentence. The two-sided p-value is
    `(extreme + 1) / (resamples + 1)`, where `extreme` is the number of resamples whose absolute difference is
    at least the observed one.

    Args:
        first: one system's counts, `(sentences, columns)`.
        second: the other system's counts, for the same sentences in the same order.
        statistic: `span_f1`, `token_accuracy` or another function of summed counts.
        seed: the same seed returns the same p-value.
        resamples: the number of resamples.

    Returns:
        The first system's score minus the second's, and the p-value.

    Raises:
        ValueError: the shapes differ, there are no sentences, or no resamples.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"both systems must be scored on the same sentences: {first.shape} and {second.shape}"
        )
    columns = first.shape[1]
    rows, multiplicities = _distinct_rows(np.hstack([first, second]), resamples)
    first_sum, second_sum = first.sum(axis=0), second.sum(axis=0)
    difference = float(statistic(first_sum) - statistic(second_sum))
    random, extreme, step = np.random.default_rng(seed), 0, max(1, _MAX_DRAWS // len(rows))
    for start in range(0, resamples, step):
        size = (min(step, resamples - start), len(rows))
        moved = random.binomial(multiplicities, 0.5, size=size) @ (rows[:, columns:] - rows[:, :columns])
        differences = statistic(first_sum + moved) - statistic(second_sum - moved)
        # The tolerance covers differences that are equal except for rounding.
        extreme += int(np.count_nonzero(np.abs(differences) >= abs(difference) - 1e-12))
    return difference, (extreme + 1) / (resamples + 1)


def _distinct_rows(counts: Counts, resamples: int) -> tuple[Counts, Counts]:
    if counts.ndim != 2 or len(counts) == 0:
        raise ValueError(f"counts must have shape (sentences, columns) and a sentence, not {counts.shape}")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, not {resamples}")
    rows, multiplicities = np.unique(counts, axis=0, return_counts=True)
    return rows, multiplicities.astype(np.int64)


def _divide(numerator: Counts, denominator: Counts) -> Scores:
    return np.where(denominator > 0, numerator / np.maximum(denominator, 1), 0.0)
