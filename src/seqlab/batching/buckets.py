"""The rows of which batches are made: windows cut from sentences, and buckets of rows of similar length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Windows:
    """Rows cut from sentences, in the order of the corpus.

    A sentence that fits is one row. A longer sentence becomes several rows, which overlap if `overlap` is
    above 0. Each row keeps the half of an overlap that is nearer to its middle, so that every token is kept
    exactly once.

    Args:
        sentence: int32 (rows,), the sentence from which the row is cut.
        start: int64 (rows,), the row's first token, counted over the whole split.
        length: int32 (rows,), tokens in the row.
        keep_start, keep_stop: int32 (rows,), the part of the row that is kept, counted within the row.
    """

    sentence: np.ndarray
    start: np.ndarray
    length: np.ndarray
    keep_start: np.ndarray
    keep_stop: np.ndarray

    def __len__(self) -> int:
        return len(self.start)


def cut_windows(
    offsets: np.ndarray,
    *,
    max_length: int,
    overlap: int = 0,
    continues: Callable[[int, int], np.ndarray] | None = None,
) -> Windows:
    """Cut sentences into rows of at most `max_length` tokens.

    Args:
        offsets: int64 (sentences + 1,), where each sentence starts, and the end.
        max_length: most tokens in a row.
        overlap: tokens that neighbouring rows of one sentence share, less than `max_length`.
        continues: maps the first and the last token (exclusive) of a long sentence to bool (tokens,), True if
            a token continues the mention of the token before it. Rows then start between mentions, except
            inside a mention of more than `max_length` tokens. It needs an overlap of 0.

    Raises:
        ValueError: the overlap is negative or not less than `max_length`, or `continues` meets an overlap.
    """
    if not 0 <= overlap < max_length:
        raise ValueError(f"overlap must be at least 0 and below max_length, received {overlap}, {max_length}")
    if overlap and continues:
        raise ValueError("rows that start between mentions cannot overlap")
    offsets = np.asarray(offsets)
    lengths = np.diff(offsets)
    stride = max_length - overlap
    counts = np.maximum(-(-(lengths - overlap) // stride), 1)
    long = np.flatnonzero(counts > 1)
    cuts = {}
    if continues:
        cuts = {i: _starts_between_mentions(continues(offsets[i], offsets[i + 1]), max_length) for i in long}
        counts[long] = [len(starts) for starts in cuts.values()]
    sentence = np.repeat(np.arange(len(lengths), dtype=np.int32), counts)
    first_row = np.cumsum(counts) - counts
    place = (np.arange(len(sentence)) - first_row[sentence]) * stride
    for i, starts in cuts.items():
        place[first_row[i] : first_row[i] + counts[i]] = starts
    is_first = place == 0
    is_last = np.append(is_first[1:], True)
    rest = lengths[sentence] - place
    length = np.minimum(rest, max_length) if overlap else np.where(is_last, rest, np.roll(place, -1) - place)
    keep_start = np.where(is_first, 0, overlap // 2)
    keep_stop = np.where(is_last, length, stride + overlap // 2 if overlap else length)
    small = (x.astype(np.int32) for x in (length, keep_start, keep_stop))
    return Windows(sentence, offsets[sentence] + place, *small)


def _starts_between_mentions(continues: np.ndarray, max_length: int) -> list[int]:
    """Return where the rows of one sentence start, from the tokens that continue a mention."""
    starts = [0]
    while len(continues) - starts[-1] > max_length:
        free = np.flatnonzero(~continues[starts[-1] + 1 : starts[-1] + max_length + 1])
        starts.append(starts[-1] + (int(free[-1]) + 1 if len(free) else max_length))
    return starts


@dataclass(frozen=True)
class Bucket:
    """Batches of `batch_size` rows, each of up to `length` tokens and padded to `length`."""

    length: int
    batch_size: int


def choose_boundaries(lengths: np.ndarray, *, num_buckets: int, batch_size: int = 1) -> list[int]:
    """Choose the lengths to which rows are padded so that the padding is least.

    Dynamic programming over the distinct lengths: the fewest positions with k boundaries, the last of them l,
    are the minimum over i < l of `(fewest with k - 1, ending at i) + l * (rows longer than i, up to l)`.
    Rows count in whole batches, because those that do not fill a batch join the next bucket.

    Args:
        lengths: int (rows,), at least one row.
        num_buckets: most boundaries.
        batch_size: rows in a batch.

    Returns:
        Ascending boundaries; the last one is the greatest length. Fewer distinct lengths give fewer.
    """
    counts = np.bincount(lengths)
    values = np.flatnonzero(counts)
    rows = np.concatenate([[0], np.cumsum(counts[values]) // batch_size * batch_size])
    # positions[i, j]: rows of the i-th to the j-th length, padded to the j-th.
    positions = ((rows[None, 1:] - rows[:-1, None]) * values[None]).astype(float)
    positions[np.tril_indices(len(values), -1)] = np.inf
    fewest, ends_before = positions[0], []
    for _ in range(min(num_buckets, len(values)) - 1):
        candidates = fewest[:-1, None] + positions[1:]  # [i, j]: the last bucket holds the lengths i + 1 to j
        ends_before.append(np.argmin(candidates, axis=0))
        fewest = np.min(candidates, axis=0)
    ends = [len(values) - 1]
    for best in reversed(ends_before):
        ends.append(int(best[ends[-1]]))
    return [int(values[end]) for end in reversed(ends)]


def choose_buckets(
    lengths: np.ndarray, *, boundaries: Sequence[int], batch_size: int, batch_tokens: int | None = None
) -> list[Bucket]:
    """Choose the buckets for training on rows of these lengths.

    The rows of a bucket that do not fill a batch join the next longer bucket. A boundary whose bucket would
    not fill one batch is left out. The last bucket takes smaller batches if that drops fewer rows.

    Args:
        lengths: int (rows,), none above the last boundary.
        boundaries: ascending lengths; a row goes into the first bucket that is long enough.
        batch_size: rows in a batch.
        batch_tokens: positions in a batch, instead of `batch_size`: a bucket of length T takes
            `batch_tokens // T` rows.

    Raises:
        ValueError: there are no rows, or a row is longer than the last boundary.
    """
    if not len(lengths) or lengths.max() > boundaries[-1]:
        raise ValueError(f"expected rows of at most {boundaries[-1]} tokens")
    counts = np.bincount(np.searchsorted(boundaries, lengths))
    buckets: list[Bucket] = []
    waiting = 0
    for boundary, count in zip(boundaries, counts, strict=False):
        size = batch_size if batch_tokens is None else max(1, batch_tokens // boundary)
        waiting += int(count)
        if boundary == boundaries[len(counts) - 1]:
            size = _last_batch_size(waiting, size, allowed=len(lengths) // 100)
        if waiting >= size:
            buckets.append(Bucket(boundary, size))
            waiting %= size
    return buckets


def _last_batch_size(rows: int, size: int, *, allowed: int) -> int:
    """Return the largest size of at least `size // 2` that drops few of the rows, or else the fewest."""
    if rows <= size:
        return rows
    sizes = np.arange(size, size // 2, -1)
    dropped = rows % sizes
    return int(sizes[np.argmax(dropped <= max(allowed, dropped.min()))])
