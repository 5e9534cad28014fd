"""Scores of all tag sequences, one by one: slow, simple, and independent of the code under test."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np


def sequence_scores(
    emissions: np.ndarray, start: np.ndarray, end: np.ndarray, transitions: np.ndarray
) -> dict[tuple[int, ...], float]:
    """Every tag sequence of one sentence, emissions (N, K) without padding, and its score in float64."""
    length, num_tags = emissions.shape
    scores = {}
    for tags in product(range(num_tags), repeat=length):
        score = float(start[tags[0]]) + float(end[tags[-1]])
        score += sum(float(emissions[n, tag]) for n, tag in enumerate(tags))
        score += sum(float(transitions[a, b]) for a, b in pairwise(tags))
        scores[tags] = score
    return scores


def log_sum_exp(scores: list[float]) -> float:
    top = max(scores)
    return top + float(np.log(np.sum(np.exp(np.array(scores) - top))))


def tag_probabilities(scores: dict[tuple[int, ...], float], num_tags: int) -> np.ndarray:
    """float64 (N, K), from `sequence_scores`."""
    log_z = log_sum_exp(list(scores.values()))
    result = np.zeros((len(next(iter(scores))), num_tags))
    for tags, score in scores.items():
        for n, tag in enumerate(tags):
            result[n, tag] += np.exp(score - log_z)
    return result
