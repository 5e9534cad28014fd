"""The rows of which batches are made: windows cut from sentences, and buckets of rows of similar length."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    crowded: Mapping[int, np.ndarray] | None = None,
    max_pieces: int = 0,
) -> Windows:
    """Cut sentences into rows of at most `max_length` tokens.

    Args:
        offsets: int64 (sentences + 1,), where each sentence starts, and the end.
        max_length: most tokens in a row.
        overlap: tokens that neighbouring rows of one sentence share, less than `max_length`.
        continues: maps the first and the last token (exclusive) of a long sentence to bool (tokens,), True if
            a token continues the mention of the token before it. Rows then start between mentions, except
            inside a mention of more than `max_length` tokens. It needs an overlap of 0.
        crowded: for each sentence of more than `max_pieces` pieces, the pieces of its tokens, int (tokens,),
            none above `max_pieces`. Their rows have at most `max_pieces` pieces, and may overlap less.
        max_pieces: most pieces in a row.

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
    cuts: dict[int, list[tuple[int, int]]] = {}
    for i in {*(long.tolist() if continues else ()), *(crowded or ())}:
        cuts[i] = _rows_of(
            lengths[i],
            max_length=max_length,
            overlap=overlap,
            continues=continues(offsets[i], offsets[i + 1]) if continues else None,
            pieces=crowded.get(i) if crowded else None,
            max_pieces=max_pieces,
        )
        counts[i] = len(cuts[i])
    sentence = np.repeat(np.arange(len(lengths), dtype=np.int32), counts)
    first_row = np.cumsum(counts) - counts
    place = (np.arange(len(sentence)) - first_row[sentence]) * stride
    length = np.minimum(lengths[sentence] - place, max_length)
    for i, rows in cuts.items():
        at = slice(first_row[i], first_row[i] + counts[i])
        place[at], stops = np.array(rows).T
        length[at] = stops - place[at]
    is_first = place == 0
    is_last = np.append(is_first[1:], True)
    shared = np.where(is_last, 0, place + length - np.roll(place, -1))  # with the next row
    keep_start = np.where(is_first, 0, np.roll(shared, 1) // 2)
    keep_stop = np.where(is_last, length, length - shared + shared // 2)
    small = (x.astype(np.int32) for x in (length, keep_start, keep_stop))
    return Windows(sentence, offsets[sentence] + place, *small)


def _rows_of(
    length: int,
    *,
    max_length: int,
    overlap: int,
    continues: np.ndarray | None,
    pieces: np.ndarray | None,
    max_pieces: int,
) -> list[tuple[int, int]]:
    """Return the first token and the end (exclusive) of each row of one sentence; see `cut_windows`."""
    before = None if pieces is None else np.concatenate([[0], np.cumsum(pieces)])
    rows: list[tuple[int, int]] = []
    start = 0
    while True:
        stop = start + max_length
        if before is not None:
            fitting = int(np.searchsorted(before, before[start] + max_pieces, side="right")) - 1
            stop = min(stop, max(fitting, start + 1))
        if stop >= length:
            return [*rows, (start, int(length))]
        if continues is not None:
            free = np.flatnonzero(~continues[start + 1 : stop + 1])
            stop = start + 1 + int(free[-1]) if len(free) else stop
        rows.append((start, stop))
        start = stop - min(overlap, (stop - start) // 2)


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
