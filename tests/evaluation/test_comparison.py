from __future__ import annotations

import numpy as np
import pytest

from seqlab.evaluation.bootstrap import approximate_randomization, bootstrap_interval, span_f1
from seqlab.evaluation.comparison import (
    SPANS,
    TOKENS,
    are_same_sentences,
    changed_sentences,
    compare_counts,
    count_runs,
    mean_and_deviation,
    mean_score,
    measure_of,
    scores_by_type,
)
from seqlab.evaluation.predictions import TaggedSentence

RIGHT = TaggedSentence(("Ada", "runs"), ("B-PER", "O"), ("B-PER", "O"))
WRONG = TaggedSentence(("Ada", "runs"), ("B-PER", "O"), ("O", "O"))


def run(right: int, wrong: int) -> list[TaggedSentence]:
    return [RIGHT] * right + [WRONG] * wrong


def counted(*runs: list[TaggedSentence]):
    return count_runs(runs, SPANS)


@pytest.mark.parametrize(
    ("gold", "measure"),
    [(("B-PER", "O"), SPANS), (("O", "O"), TOKENS), (("NOUN", "O"), TOKENS), (("I-X", "B-X"), SPANS)],
)
def test_spans_are_known_by_the_gold_tags(gold, measure):
    assert measure_of([(("a", "b"), gold, ("O", "O"))]) is measure


def test_sentences_are_the_same_if_tokens_and_gold_tags_are():
    other_gold = TaggedSentence(RIGHT.tokens, ("O", "O"), RIGHT.predicted)
    assert are_same_sentences([RIGHT, WRONG], [WRONG, WRONG])
    assert not are_same_sentences([RIGHT], [other_gold])
    assert not are_same_sentences([RIGHT], [RIGHT, RIGHT])


def test_one_run_has_the_interval_of_the_bootstrap_and_no_deviation():
    counts = counted(run(30, 20))
    found = mean_score(counts, SPANS, seed=3)
    assert (found.low, found.high) == bootstrap_interval(counts[0], span_f1, seed=3)
    assert found.mean == pytest.approx(0.75)
    assert (found.deviation, found.runs) == (None, 1)


def test_the_interval_of_several_runs_contains_the_differences_between_them():
    alike = mean_score(counted(*[run(25, 25)] * 4), SPANS, seed=3)
    apart = mean_score(counted(run(5, 45), run(20, 30), run(30, 20), run(45, 5)), SPANS, seed=3)
    assert alike.deviation == 0.0
    assert apart.deviation is not None
    assert apart.deviation > 0.2
    assert apart.high - apart.low > alike.high - alike.low


def test_mean_and_deviation():
    assert mean_and_deviation([1.0, 2.0, 3.0]) == (2.0, 1.0)
    assert mean_and_deviation([0.5]) == (0.5, None)


def test_two_runs_have_the_p_value_of_approximate_randomization():
    first, second = counted(run(20, 30)), counted(run(40, 10))
    found = compare_counts(first, second, SPANS, seed=5, resamples=500)
    difference, p = approximate_randomization(second[0], first[0], span_f1, seed=5, resamples=500)
    assert (found.difference, found.p_sentences) == (pytest.approx(difference), p)
    assert found.low < found.difference < found.high
    assert found.p_runs is None
    assert found.verdict == "a difference between these two trainings"


def test_equal_outputs_differ_in_nothing():
    found = compare_counts(counted(run(20, 30)), counted(run(20, 30)), SPANS, seed=5, resamples=100)
    assert (found.difference, found.p_sentences) == (0.0, 1.0)
    assert found.verdict == "no difference shown"


def test_three_seeds_against_three_cannot_show_a_difference_of_configurations():
    low, high = [counted(*(run(n + s, 100 - n - s) for s in range(3))) for n in (20, 60)]
    found = compare_counts(low, high, SPANS, seed=5, resamples=500)
    assert found.p_runs == found.least_p_runs == pytest.approx(0.1)
    assert found.verdict == "a difference on these sentences; too few seeds to say more"


def test_four_seeds_against_four_can():
    low, high = [counted(*(run(n + s, 100 - n - s) for s in range(4))) for n in (20, 60)]
    found = compare_counts(low, high, SPANS, seed=5, resamples=500)
    assert found.p_runs == pytest.approx(2 / 70)
    assert found.verdict == "a difference"


def test_a_difference_of_one_lucky_seed_is_one_of_seeds():
    one = counted(*(run(n, 100 - n) for n in (30, 50, 70, 40)))
    other = counted(*(run(n, 100 - n) for n in (35, 90, 68, 50)))
    found = compare_counts(one, other, SPANS, seed=5, resamples=500)
    assert found.p_sentences < 0.05
    assert found.p_runs is not None
    assert found.p_runs > 0.05
    assert found.verdict == "within the differences between seeds"


def test_different_numbers_of_seeds_can_be_compared():
    found = compare_counts(counted(run(20, 30)), counted(run(20, 30), run(20, 30)), SPANS, seed=5)
    assert (found.difference, found.p_sentences, found.p_runs) == (0.0, 1.0, 1.0)
    assert found.least_p_runs == pytest.approx(1 / 3)


def test_many_seeds_are_arranged_at_random():
    many = counted(*[run(20 + s, 30 - s) for s in range(10)])
    better = counted(*[run(32 + s, 18 - s) for s in range(10)])
    found = compare_counts(many, better, SPANS, seed=5, resamples=100)
    assert found.p_runs is not None
    assert 0 < found.p_runs < 0.01


def test_changed_sentences_are_those_with_another_number_of_errors():
    found = changed_sentences(counted([RIGHT, WRONG, WRONG]), counted([WRONG, RIGHT, WRONG]), SPANS)
    assert (found.better, found.worse, found.unchanged) == ([1], [0], 1)
    runs = counted([RIGHT, WRONG], [RIGHT, RIGHT])  # 0 and 0.5 errors
    found = changed_sentences(runs, counted([RIGHT, RIGHT]), SPANS)
    assert (found.better, found.worse, found.unchanged) == ([1], [], 1)


def test_errors_of_tokens():
    assert TOKENS.errors(np.array([[3, 5]])).tolist() == [2]


def test_scores_by_type_are_means_over_runs():
    assert scores_by_type([[RIGHT], [WRONG]], SPANS) == {"PER": (1, 0.5)}
    assert scores_by_type([[RIGHT]], TOKENS) == {"B-PER": (1, 1.0), "O": (1, 1.0)}
