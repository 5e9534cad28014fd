"""Logits to tags, probabilities and spans in NumPy, as the heads and the SavedModel compute them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqlab.batching.spans import SpanFinder
from seqlab.tags import Span


class TagDecoder:
    """Find the best tag sequence of each sentence.

    Args:
        rules: `decoding` of `tagger.json`. Its `type` is `argmax` (the best tag of each token), `constrained`
            (the best allowed sequence of independent tags) or `crf`; the last two have `start` (K,), `end`
            (K,) and `transitions` (K, K), `[from][to]`.
    """

    def __init__(self, rules: Mapping[str, Any]) -> None:
        self._type = rules["type"]
        if self._type != "argmax":
            self._start, self._end, self._transitions = (
                np.array(rules[name], np.float32) for name in ("start", "end", "transitions")
            )

    def __call__(self, logits: np.ndarray, row_lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Decode the concatenated logits of sentences, each as a whole.

        Args:
            logits: float32 (N, K).
            row_lengths: int64 (B,), tokens of each sentence, 0 allowed.

        Returns:
            Tag ids, int32 (N,), and the probabilities of those tags, float32 (N,).
        """
        if self._type == "argmax":
            tag_ids = logits.argmax(axis=1).astype(np.int32)
            return tag_ids, _probabilities(logits, tag_ids)
        steps = _Steps(row_lengths)
        scores = logits if self._type == "crf" else _log_softmax(logits)
        emissions = scores[steps.places]
        emissions[steps.first] += self._start
        emissions[steps.last] += self._end
        best = self._best_tags(emissions, steps)
        if self._type == "crf":
            chosen = self._marginals(emissions, best, steps)
        else:
            chosen = _probabilities(logits[steps.places], best)
        tag_ids, probabilities = np.empty(len(logits), np.int32), np.empty(len(logits), np.float32)
        tag_ids[steps.places], probabilities[steps.places] = best, chosen
        return tag_ids, probabilities

    def _best_tags(self, emissions: np.ndarray, steps: _Steps) -> np.ndarray:
        """Return the best tags by the Viterbi algorithm, int (N,), in the order of steps."""
        to_from = np.ascontiguousarray(self._transitions.T)
        previous = np.zeros(emissions.shape, np.int16)
        scores = np.empty((steps.rows, emissions.shape[1]), np.float32)
        for number, part in enumerate(steps.parts):
            rows = part.stop - part.start
            if number == 0:
                scores[:rows] = emissions[part]
                continue
            candidates = scores[:rows, None, :] + to_from
            found = candidates.argmax(axis=2)
            previous[part] = found
            scores[:rows] = np.take_along_axis(candidates, found[..., None], axis=2)[..., 0] + emissions[part]
        tags = scores.argmax(axis=1)
        best = np.empty(len(emissions), np.int32)
        rows_of = np.arange(steps.rows)
        for part in reversed(steps.parts):
            rows = part.stop - part.start
            best[part] = tags[:rows]
            tags[:rows] = previous[part][rows_of[:rows], tags[:rows]]
        return best

    def _marginals(self, emissions: np.ndarray, tag_ids: np.ndarray, steps: _Steps) -> np.ndarray:
        """Return the probabilities of tags by the forward-backward algorithm, float (N,).

        Each step is a product of probabilities with the largest one at 1, in float64, instead of a sum of
        logarithms: it is many times faster, and what it rounds to 0 is less than 1e-300.
        """
        weights = np.exp(self._transitions.astype(np.float64))
        totals = np.empty(emissions.shape)
        alpha = np.empty((steps.rows, emissions.shape[1]))
        with np.errstate(divide="ignore"):
            for number, part in enumerate(steps.parts):
                rows = part.stop - part.start
                if number == 0:
                    alpha[:rows] = emissions[part]
                else:
                    alpha[:rows] = _log_product(alpha[:rows], weights) + emissions[part]
                totals[part] = alpha[:rows]
            beta = np.zeros_like(alpha)
            for number in range(len(steps.parts) - 2, -1, -1):
                part = steps.parts[number + 1]
                rows = part.stop - part.start
                beta[:rows] = _log_product(beta[:rows] + emissions[part], weights.T)
                continued = steps.parts[number]
                totals[continued.start : continued.start + rows] += beta[:rows]
        return _probabilities(totals, tag_ids)


class _Steps:
    """The order in which sentences are decoded together: all first tokens, all second tokens, and so on.

    Sentences are sorted from the longest to the shortest, so the ones that have a t-th token come first, and
    no step computes padding.

    Args:
        row_lengths: int64 (B,).

    Attributes:
        rows: the number of sentences with a token.
        places: int64 (N,), the token at each place of this order.
        parts: the slice of this order that is step t.
        first, last: int64 (rows,), where in this order the first and the last tokens of sentences are.
    """

    def __init__(self, row_lengths: np.ndarray) -> None:
        starts = np.cumsum(row_lengths) - row_lengths
        order = np.argsort(-row_lengths, kind="stable")
        order = order[row_lengths[order] > 0]
        lengths = row_lengths[order]
        self.rows = len(order)
        token = np.arange(int(lengths.sum()))
        row = np.repeat(np.arange(self.rows), lengths)
        step = token - np.repeat(np.cumsum(lengths) - lengths, lengths)
        by_step = np.lexsort((row, step))
        self.places = starts[order][row[by_step]] + step[by_step]
        counts = np.bincount(step) if len(step) else np.zeros(0, np.int64)
        stops = np.cumsum(counts)
        self.parts = [slice(int(stop - count), int(stop)) for stop, count in zip(stops, counts, strict=True)]
        self.first = np.arange(self.rows)
        self.last = (stops - counts)[lengths - 1] + self.first if len(stops) else self.first


def _log_product(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return `log(exp(scores) @ weights)` for scores (B, K) and weights (K, K)."""
    largest = scores.max(axis=1, keepdims=True)
    product: np.ndarray = np.log(np.exp(scores - largest) @ weights) + largest
    return product


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def _probabilities(scores: np.ndarray, tag_ids: np.ndarray) -> np.ndarray:
    """Return the softmax of scores (N, K) at tag ids (N,)."""
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    chosen: np.ndarray = weights[np.arange(len(tag_ids)), tag_ids] / weights.sum(axis=1)
    return chosen


class SpanReader:
    """Read spans from tag ids, like `seqlab.tags.tags_to_spans` with `lenient=True`.

    Args:
        tags: `spans` of `tagger.json`: for each tag a prefix (`O`, `B`, `I`, `E`, `S`) and an entity type.
    """

    def __init__(self, tags: Sequence[tuple[str, str]]) -> None:
        self._finder = SpanFinder(tags)

    def __call__(self, tag_ids: np.ndarray, row_lengths: np.ndarray) -> list[list[Span]]:
        """Return the spans of each of B sentences with tag ids, int (N,), and row lengths, int64 (B,)."""
        row_starts = np.cumsum(row_lengths) - row_lengths
        starts, ends, types = self._finder.find(tag_ids, row_starts[row_lengths > 0])
        rows = np.searchsorted(np.cumsum(row_lengths), starts, side="right")
        spans: list[list[Span]] = [[] for _ in row_lengths]
        offset = row_starts[rows]
        columns = (rows, types, starts - offset, ends - offset)
        for row, kind, start, end in zip(*(column.tolist() for column in columns), strict=True):
            spans[row].append((self._finder.entity_types[kind], start, end))
        return spans
