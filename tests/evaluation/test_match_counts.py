from __future__ import annotations

import pytest

from seqlab.evaluation.match_counts import MatchCounts, divide


def test_scores_by_hand():
    counts = MatchCounts(gold=8, predicted=5, correct=4)
    assert counts.precision == pytest.approx(0.8)
    assert counts.recall == pytest.approx(0.5)
    assert counts.f1 == pytest.approx(2 * 0.8 * 0.5 / 1.3)


@pytest.mark.parametrize(("gold", "predicted"), [(0, 0), (3, 0), (0, 3)])
def test_zero_denominators_give_zero(gold, predicted):
    counts = MatchCounts(gold=gold, predicted=predicted, correct=0)
    assert (counts.precision, counts.recall, counts.f1) == (0.0, 0.0, 0.0)


def test_divide():
    assert divide(1, 4) == 0.25
    assert divide(1, 0) == 0.0
