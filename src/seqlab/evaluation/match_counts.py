"""Gold, predicted and correct counts, and the scores made of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MatchCounts:
    """How many there are in gold, how many were predicted, and how many of these are correct.

    Every score is a share from 0 to 1, and 0 where its denominator is 0, as conlleval has it.

    Args:
        gold: items in the gold annotation.
        predicted: items predicted.
        correct: items in both.
    """

    gold: int
    predicted: int
    correct: int

    @property
    def precision(self) -> float:
        """`correct / predicted`."""
        return divide(self.correct, self.predicted)

    @property
    def recall(self) -> float:
        """`correct / gold`."""
        return divide(self.correct, self.gold)

    @property
    def f1(self) -> float:
        """`2 * precision * recall / (precision + recall)`, which is `2 * correct / (gold + predicted)`."""
        return divide(2 * self.correct, self.gold + self.predicted)


def divide(numerator: int, denominator: int) -> float:
    """`numerator / denominator`, and 0.0 where the denominator is 0."""
    return numerator / denominator if denominator else 0.0
