"""How sure a score is, and whether two systems differ: resampling over sentences.

Every function takes counts by sentence, an integer array of shape `(sentences, columns)`, and a statistic
that turns summed columns, of shape `(..., columns)`, into scores of shape `(...)`. The sentence is the unit
that is drawn, since the tokens of one sentence are not independent of each other.

Sentences with equal counts are interchangeable, so a resample draws how often each distinct row of counts is
taken (multinomial) instead of drawing each sentence. The sums have the same distribution, and the cost
depends on the number of distinct rows, a few hundred, and not on the number of sentences.

Efron and Tibshirani 1993, "An introduction to the bootstrap"; Koehn 2004, "Statistical significance tests for
machine translation evaluation"; Noreen 1989, "Computer-intensive methods for testing hypotheses"; Yeh 2000,
"More accurate tests for the statistical significance of result differences".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqlab.evaluation.predictions import TaggedTriple
from seqlab.evaluation.spans import extract_spans

Counts = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]
Statistic = Callable[[Counts], Scores]


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """A score with the interval in which it lies in `level` of the resamples.

    Args:
        estimate: the score of all sentences.
        low: the interval's lower end.
        high: the interval's upper end.
        level: the share of resamples between the two, as 0.95.
        resamples: how many resamples were drawn.
    """

    estimate: float
    low: float
    high: float
    level: float
    resamples: int


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """The difference between two systems' scores, and how easily chance makes it.

    Args:
        difference: the first system's score less the second's.
        p_value: as the test that made it defines it, 0..1; small means that chance is a poor explanation.
        resamples: how many resamples were drawn.
    """

    difference: float
    p_value: float
    resamples: int


def sentence_span_counts(sentences: Iterable[TaggedTriple]) -> Counts:
    """Counts each sentence's correct, gold and predicted spans.

    Returns:
        int64 `(sentences, 3)`, for the statistic `span_f1`.
    """
    rows = []
    for _, gold_tags, predicted_tags in sentences:
        gold, predicted = extract_spans(gold_tags), extract_spans(predicted_tags)
        rows.append((len(set(gold).intersection(predicted)), len(gold), len(predicted)))
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def sentence_token_counts(sentences: Iterable[TaggedTriple]) -> Counts:
    """Counts each sentence's correct and all tokens.

    Returns:
        int64 `(sentences, 2)`, for the statistic `token_accuracy`.
    """
    rows = [
        (sum(a == b for a, b in zip(gold, predicted, strict=True)), len(gold))
        for _, gold, predicted in sentences
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def span_f1(counts: Counts) -> Scores:
    """`2 * correct / (gold + predicted)` of span counts `(..., 3)`; 0.0 without spans; shape `(...)`."""
    return _divide(2 * counts[..., 0], counts[..., 1] + counts[..., 2])


def token_accuracy(counts: Counts) -> Scores:
    """`correct / tokens` of token counts `(..., 2)`; 0.0 without tokens; shape `(...)`."""
    return _divide(counts[..., 0], counts[..., 1])


def bootstrap_interval(
    counts: Counts, statistic: Statistic, *, seed: int, resamples: int = 1000, level: float = 0.95
) -> ConfidenceInterval:
    """The percentile bootstrap interval of a score (Efron and Tibshirani 1993, chapter 13).

    As many sentences as there are, `n`, are drawn with replacement, `resamples` times; the interval runs from
    the `(1 - level) / 2` to the `(1 + level) / 2` quantile of the scores of these resamples.

    Args:
        counts: `(sentences, columns)`, at least one sentence.
        statistic: `span_f1`, `token_accuracy` or another function of summed counts.
        seed: equal seeds give equal intervals.
        resamples: how many resamples to draw.
        level: the share of resamples inside the interval, between 0 and 1.

    Raises:
        ValueError: no sentences, no resamples, or a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
    scores = statistic(_resampled_sums(counts, seed=seed, resamples=resamples))
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    estimate = float(statistic(counts.sum(axis=0)))
    return ConfidenceInterval(estimate, float(low), float(high), level, resamples)


def paired_bootstrap(
    first: Counts, second: Counts, statistic: Statistic, *, seed: int, resamples: int = 1000
) -> PairedComparison:
    """The paired bootstrap test (Koehn 2004).

    The same sentences are drawn for both systems. The p-value is one-sided: the share of resamples in which
    the system that is better on all sentences is not better. Equal systems have 1.

    Args:
        first: `(sentences, columns)` of one system.
        second: the same of the other, on the same sentences in the same order.
        statistic: `span_f1`, `token_accuracy` or another function of summed counts.
        seed: equal seeds give equal results.
        resamples: how many resamples to draw.

    Raises:
        ValueError: the shapes differ, no sentences, or no resamples.
    """
    _require_same_shape(first, second)
    columns = first.shape[1]
    sums = _resampled_sums(np.hstack([first, second]), seed=seed, resamples=resamples)
    difference = float(statistic(first.sum(axis=0)) - statistic(second.sum(axis=0)))
    differences = statistic(sums[:, :columns]) - statistic(sums[:, columns:])
    not_better = differences * np.sign(difference) <= 0
    return PairedComparison(difference, float(not_better.mean()), resamples)


def approximate_randomization(
    first: Counts, second: Counts, statistic: Statistic, *, seed: int, resamples: int = 1000
) -> PairedComparison:
    """The approximate randomization test (Noreen 1989; Yeh 2000).

    If the systems were the same, it would not matter which of the two gave a sentence its tags. So the two
    swap each sentence with probability 1/2, `resamples` times, and the two-sided p-value is `(at_least + 1) /
    (resamples + 1)`, where `at_least` counts the times that the systems then differ by as much as they do, in
    either direction. Equal systems have 1. The least p-value that can come out is `1 / (resamples + 1)`.

    Args:
        first: `(sentences, columns)` of one system.
        second: the same of the other, on the same sentences in the same order.
        statistic: `span_f1`, `token_accuracy` or another function of summed counts.
        seed: equal seeds give equal results.
        resamples: how many times to swap at random.

    Raises:
        ValueError: the shapes differ, no sentences, or no resamples.
    """
    _require_same_shape(first, second)
    columns = first.shape[1]
    rows, multiplicities = _distinct_rows(np.hstack([first, second]), resamples)
    swapped = np.random.default_rng(seed).binomial(multiplicities, 0.5, size=(resamples, len(rows)))
    moved = swapped @ (rows[:, columns:] - rows[:, :columns])
    first_sum, second_sum = first.sum(axis=0), second.sum(axis=0)
    difference = float(statistic(first_sum) - statistic(second_sum))
    differences = statistic(first_sum + moved) - statistic(second_sum - moved)
    # Sums that are equal as integers give equal scores; the tolerance is for those equal only up to rounding.
    at_least = int(np.count_nonzero(np.abs(differences) >= abs(difference) - 1e-12))
    return PairedComparison(difference, (at_least + 1) / (resamples + 1), resamples)


def _resampled_sums(counts: Counts, *, seed: int, resamples: int) -> Counts:
    rows, multiplicities = _distinct_rows(counts, resamples)
    sentences = int(multiplicities.sum())
    drawn = np.random.default_rng(seed).multinomial(sentences, multiplicities / sentences, size=resamples)
    sums: Counts = drawn @ rows
    return sums


def _distinct_rows(counts: Counts, resamples: int) -> tuple[Counts, Counts]:
    if counts.ndim != 2 or len(counts) == 0:
        raise ValueError(f"counts must have shape (sentences, columns) and a sentence, not {counts.shape}")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, not {resamples}")
    rows, multiplicities = np.unique(counts, axis=0, return_counts=True)
    return rows, multiplicities.astype(np.int64)


def _require_same_shape(first: Counts, second: Counts) -> None:
    if first.shape != second.shape:
        raise ValueError(
            f"both systems must be scored on the same sentences: {first.shape} and {second.shape}"
        )


def _divide(numerator: Counts, denominator: Counts) -> Scores:
    return np.where(denominator > 0, numerator / np.maximum(denominator, 1), 0.0)
