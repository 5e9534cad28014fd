"""Comparison of two configurations on the same sentences, each trained with one seed or several.

Counts have shape `(runs, sentences, columns)`, one run for each seed. A configuration's score is the mean of
its runs' scores.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from seqlab.evaluation.bootstrap import (
    Counts,
    Scores,
    Statistic,
    approximate_randomization,
    sentence_span_counts,
    sentence_token_counts,
    span_f1,
    token_accuracy,
)
from seqlab.evaluation.counts import TaggedTriple
from seqlab.evaluation.predictions import TaggedSentence
from seqlab.evaluation.scores import score_sentences

SIGNIFICANT = 0.05
RESAMPLES = 10_000

_MAX_ARRANGEMENTS = 20_000


@dataclass(frozen=True)
class Measure:
    """A score, how sentences are counted for it, and a sentence's number of errors by its counts."""

    name: str
    count: Callable[[Iterable[TaggedTriple]], Counts]
    statistic: Statistic
    errors: Callable[[Counts], Counts]


SPANS = Measure(
    "span F1",
    sentence_span_counts,
    span_f1,
    lambda counts: counts[..., 1] + counts[..., 2] - 2 * counts[..., 0],
)
TOKENS = Measure(
    "token accuracy", sentence_token_counts, token_accuracy, lambda counts: counts[..., 1] - counts[..., 0]
)


@dataclass(frozen=True)
class MeanScore:
    """The mean of a configuration's runs.

    Args:
        mean: of the runs' scores.
        deviation: their sample standard deviation; None for one run.
        low: the lower bound of the mean's 95 % interval.
        high: the upper bound.
        runs: their number.
    """

    mean: float
    deviation: float | None
    low: float
    high: float
    runs: int


@dataclass(frozen=True)
class Difference:
    """The second configuration's mean score minus the first's.

    Args:
        difference: of the means.
        low: the lower bound of the difference's 95 % interval.
        high: the upper bound.
        p_sentences: two-sided p-value of the exchange of sentences.
        p_runs: two-sided p-value of the exchange of runs; None if both configurations have one run.
        least_p_runs: the lowest p-value that this number of runs can have.
    """

    difference: float
    low: float
    high: float
    p_sentences: float
    p_runs: float | None
    least_p_runs: float

    @property
    def verdict(self) -> str:
        """What the tests say of the difference, in a few words."""
        if self.p_sentences > SIGNIFICANT:
            return "no difference shown"
        if self.p_runs is None:
            return "a difference between these two trainings"
        if self.p_runs <= SIGNIFICANT:
            return "a difference"
        if self.least_p_runs > SIGNIFICANT:
            return "a difference on these sentences; too few seeds to say more"
        return "within the differences between seeds"


@dataclass(frozen=True)
class Changes:
    """Sentences, by index, that have fewer errors (`better`) or more (`worse`) in the second one."""

    better: list[int]
    worse: list[int]
    unchanged: int


def measure_of(sentences: Iterable[TaggedTriple]) -> Measure:
    """Return the score for these tags: span F1 if all gold tags are `O` or IOB2 tags, else token accuracy."""
    tags = {tag for _, gold, _ in sentences for tag in gold}
    return SPANS if tags != {"O"} and all(tag == "O" or tag[:2] in ("B-", "I-") for tag in tags) else TOKENS


def are_same_sentences(first: Sequence[TaggedTriple], second: Sequence[TaggedTriple]) -> bool:
    """Return whether tokens and gold tags are equal, sentence by sentence."""
    return len(first) == len(second) and all(a[:2] == b[:2] for a, b in zip(first, second, strict=True))


def count_runs(runs: Iterable[Iterable[TaggedTriple]], measure: Measure) -> Counts:
    """Return the counts of each run's sentences, `(runs, sentences, columns)`."""
    return np.stack([measure.count(sentences) for sentences in runs])


def mean_score(counts: Counts, measure: Measure, *, seed: int, resamples: int = 1000) -> MeanScore:
    """Return the mean of the runs' scores, their standard deviation, and the mean's 95 % interval.

    Each resample draws sentences, the same for all runs, and runs, both with replacement (Sellam et al. 2022,
    "The MultiBERTs: BERT reproductions for robustness analysis", section 4). With one run, this is
    `bootstrap_interval`. With few runs, the interval is too narrow.
    """
    mean, deviation = mean_and_deviation(_run_scores(counts, measure))
    (means,) = _resampled_means([counts], measure, seed=seed, resamples=resamples)
    low, high = np.quantile(means, [0.025, 0.975])
    return MeanScore(mean, deviation, float(low), float(high), len(counts))


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean and the sample standard deviation, which is None for one value."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def compare_counts(
    first: Counts, second: Counts, measure: Measure, *, seed: int, resamples: int = RESAMPLES
) -> Difference:
    """Test whether two configurations' scores differ.

    Two hypotheses are tested. The first is that the two outputs for a sentence are exchangeable; see
    `approximate_randomization`. The outputs of all runs for a sentence are exchanged together. The second, if
    there are several runs, is that the runs are exchangeable. The difference of the means is compared with
    that of all arrangements of the runs, or of 20,000 random ones if there are more. Three runs against three
    cannot have a p-value below 0.1, four against four none below 0.029.

    Args:
        first: counts of the first configuration, `(runs, sentences, columns)`.
        second: counts of the second configuration on the same sentences.
        measure: the score.
        seed: the same seed returns the same result.
        resamples: the number of resamples.

    Raises:
        ValueError: the numbers of sentences differ.
    """
    # The sums are scaled to equal numbers of runs, which does not change a score.
    _, p_sentences = approximate_randomization(
        second.sum(axis=0) * len(first),
        first.sum(axis=0) * len(second),
        measure.statistic,
        seed=seed,
        resamples=resamples,
    )
    scores = [_run_scores(counts, measure) for counts in (first, second)]
    means = _resampled_means([first, second], measure, seed=seed, resamples=min(resamples, 1000))
    low, high = np.quantile(means[1] - means[0], [0.025, 0.975])
    arrangements = math.comb(len(first) + len(second), len(first))
    return Difference(
        difference=statistics.fmean(scores[1]) - statistics.fmean(scores[0]),
        low=float(low),
        high=float(high),
        p_sentences=p_sentences,
        p_runs=_exchange_runs(*scores, seed=seed) if arrangements > 2 else None,
        # With equal numbers of runs, each arrangement has a mirror image that is as extreme.
        least_p_runs=(2 if len(first) == len(second) else 1) / arrangements,
    )


def changed_sentences(first: Counts, second: Counts, measure: Measure) -> Changes:
    """Return the sentences whose mean number of errors differs."""
    change = measure.errors(second).sum(axis=0) * len(first) - measure.errors(first).sum(axis=0) * len(second)
    better, worse = (np.flatnonzero(found).tolist() for found in (change < 0, change > 0))
    return Changes(better, worse, unchanged=len(change) - len(better) - len(worse))


def scores_by_type(
    runs: Sequence[Sequence[TaggedSentence]], measure: Measure
) -> dict[str, tuple[int, float]]:
    """Return each entity type's (else each tag's) gold items and mean F1 over the runs."""
    spans = measure is SPANS
    groups, f1 = ("per_type", "span_f1") if spans else ("per_tag", "f1")
    tables = [score_sentences(sentences, spans=spans)[groups] for sentences in runs]
    names = sorted({name for table in tables for name in table})
    return {
        name: (
            max(table[name]["gold"] for table in tables if name in table),
            statistics.fmean(table[name][f1] if name in table else 0.0 for table in tables),
        )
        for name in names
    }


def _run_scores(counts: Counts, measure: Measure) -> list[float]:
    scores: list[float] = measure.statistic(counts.sum(axis=1)).tolist()
    return scores


def _resampled_means(
    groups: Sequence[Counts], measure: Measure, *, seed: int, resamples: int
) -> list[Scores]:
    """Return each configuration's mean scores, `(resamples,)`; all are resampled with the same sentences."""
    sentences = groups[0].shape[1]
    flat = np.hstack([counts.transpose(1, 0, 2).reshape(sentences, -1) for counts in groups])
    rows, multiplicities = np.unique(flat, axis=0, return_counts=True)
    random = np.random.default_rng(seed)
    sums = random.multinomial(sentences, multiplicities / sentences, size=resamples) @ rows
    means, start = [], 0
    for counts in groups:
        runs, _, columns = counts.shape
        end = start + runs * columns
        scores = measure.statistic(sums[:, start:end].reshape(resamples, runs, columns))
        drawn = random.integers(runs, size=(resamples, runs))
        means.append(np.take_along_axis(scores, drawn, axis=1).mean(axis=1))
        start = end
    return means


def _exchange_runs(first: Sequence[float], second: Sequence[float], *, seed: int) -> float:
    """Return the p-value of the difference of the means among the arrangements of the runs."""
    scores, size = np.array([*first, *second]), len(first)
    if math.comb(len(scores), size) <= _MAX_ARRANGEMENTS:
        chosen = np.array(list(combinations(range(len(scores)), size)))
        added = 0
    else:
        order = np.random.default_rng(seed).random((_MAX_ARRANGEMENTS, len(scores))).argsort(axis=1)
        chosen, added = order[:, :size], 1
    in_first = scores[chosen].sum(axis=1)
    differences = (scores.sum() - in_first) / len(second) - in_first / size
    observed = abs(statistics.fmean(second) - statistics.fmean(first))
    extreme = int(np.count_nonzero(np.abs(differences) >= observed - 1e-12))
    return (extreme + added) / (len(chosen) + added)
