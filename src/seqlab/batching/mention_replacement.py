"""Mention replacement: entity mentions change places, so that a tagger learns contexts instead of names."""

from __future__ import annotations

import numpy as np

from seqlab.batching.encoding import EncodedSplit
from seqlab.batching.pieces import ranges
from seqlab.batching.spans import SpanFinder
from seqlab.tags import split_tag

_TOKENS_AT_ONCE = 1 << 20


def continues_mention(split: EncodedSplit, start: int, stop: int) -> np.ndarray:
    """Return whether each token continues the mention of the token before it, as conlleval reads tags.

    Args:
        split: its tags encode spans.
        start, stop: the tokens to look at, whole sentences.

    Returns:
        bool (stop - start,).
    """
    return _span_finder(split).continues(split.tag_ids[start:stop], _sentence_starts(split, start, stop))


def _span_finder(split: EncodedSplit) -> SpanFinder:
    return SpanFinder([split_tag(tag) for tag in split.tags])


def _sentence_starts(split: EncodedSplit, start: int, stop: int) -> np.ndarray:
    """Return where sentences start, counted from `start`."""
    return split.offsets[slice(*np.searchsorted(split.offsets, (start, stop)))] - start


def find_mentions(split: EncodedSplit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mentions of a split, in order: their first tokens, lengths and entity types.

    The spans are those of `tags_to_spans`, with bounded memory beside the result.

    Returns:
        int64 (mentions,), int32 (mentions,) and int32 (mentions,), ids that have no meaning outside.
    """
    finder, found = _span_finder(split), []
    start, sentence = 0, 0
    while start < split.num_tokens:
        sentence = max(
            sentence + 1, int(np.searchsorted(split.offsets, start + _TOKENS_AT_ONCE, side="right")) - 1
        )
        stop = int(split.offsets[sentence])
        begins, ends, types = finder.find(split.tag_ids[start:stop], _sentence_starts(split, start, stop))
        found.append((begins + start, (ends - begins).astype(np.int32), types))
        start = stop
    starts, lengths, types = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return starts, lengths, types


class ReplacedMentions:
    """The mentions of a split as they are read in one epoch.

    Args:
        starts: int64 (mentions,), their first tokens, ascending.
        lengths: int32 (mentions,).
        sources: int64 (mentions,), the first token of the mention that is read instead.
    """

    def __init__(self, starts: np.ndarray, lengths: np.ndarray, sources: np.ndarray) -> None:
        self._starts, self._lengths, self._sources = starts, lengths, sources

    def positions(self, positions: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return the positions, int64 (B, T), from which the tokens of rows are read.

        Args:
            positions: int64 (B, T), the tokens of the rows.
            starts: int64 (B,), the first token of each row.
            lengths: int (B,), tokens of each row.
        """
        first = np.searchsorted(self._starts, starts)
        counts = np.searchsorted(self._starts, starts + lengths) - first
        mentions = ranges(first, counts)
        rows = np.repeat(np.arange(len(starts)), counts)
        begins = self._starts[mentions] - starts[rows]
        inside = begins + self._lengths[mentions] <= lengths[rows]
        mentions, rows, begins = mentions[inside], rows[inside], begins[inside]
        lengths = self._lengths[mentions]
        tokens = ranges(np.zeros_like(lengths), lengths)
        result = positions.copy()
        result[np.repeat(rows, lengths), np.repeat(begins, lengths) + tokens] = (
            np.repeat(self._sources[mentions], lengths) + tokens
        )
        return result


class MentionReplacer:
    """Replace some mentions by others of the same type and length, differently in every epoch.

    This is the mention replacement of Dai and Adel (2020, arXiv 2010.11683), restricted to equal lengths: "in
    Paris" may be read as "in Brussels". The new mention brings its tokens and their auxiliary tags. The
    task's own tags and the lengths of the rows do not change, because mentions of equal type and length have
    the same tags.

    Args:
        split: train.
        share: probability, 0 to 1, that a mention is replaced in an epoch. The new mention is drawn from all
            mentions of its type and length in train, in proportion to their frequency; it may be the same.
        seed: fixes, together with the epoch, what is drawn.
    """

    def __init__(self, split: EncodedSplit, *, share: float, seed: int) -> None:
        self._share, self._seed = share, seed
        self._starts, self._lengths, types = find_mentions(split)
        order = np.lexsort((self._lengths, types))
        changes = np.diff(types[order]) | np.diff(self._lengths[order])
        groups = np.split(order, np.flatnonzero(changes) + 1)
        self._groups = [group for group in groups if len(group) > 1]

    def replaced(self, epoch: int) -> ReplacedMentions:
        """The mentions as they are read in epoch `epoch`, counted from 0."""
        random = np.random.default_rng([self._seed, epoch, 1])
        sources = self._starts.copy()
        for group in self._groups:
            chosen = group[random.random(len(group)) < self._share]
            sources[chosen] = self._starts[random.choice(group, len(chosen))]
        return ReplacedMentions(self._starts, self._lengths, sources)
