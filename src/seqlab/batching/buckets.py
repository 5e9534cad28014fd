"""The rows of which batches are made: windows cut from sentences, and buckets of rows of similar length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Windows:
    """Rows cut from sentences, none longer than the longest bucket.

    A sentence that fits is one row. A longer sentence becomes several rows, which overlap if `overlap` is
    above 0. Each row keeps the half of an overlap that is nearer to its middle, so that every token is kept
    exactly once.

    Args:
        sentence: int64 (rows,), the sentence from which the row is cut.
        start: int64 (rows,), the row's first token, counted over the whole split.
        length: int64 (rows,), tokens in the row.
        keep_start, keep_stop: int64 (rows,), the part of the row that is kept, counted within the row.
    """

    sentence: np.ndarray
    start: np.ndarray
    length: np.ndarray
    keep_start: np.ndarray
    keep_stop: np.ndarray

    def __len__(self) -> int:
        return len(self.start)


def cut_windows(offsets: np.ndarray, *, max_length: int, overlap: int = 0) -> Windows:
    """Cut sentences into rows of at most `max_length` tokens.

    Args:
        offsets: int64 (sentences + 1,), where each sentence starts, and the end.
        max_length: most tokens in a row.
        overlap: tokens that neighbouring rows of one sentence share, less than `max_length`.

    Raises:
        ValueError: the overlap is negative or not less than `max_length`.
    """
    if not 0 <= overlap < max_length:
        raise ValueError(f"overlap must be at least 0 and below max_length, received {overlap}, {max_length}")
    offsets = np.asarray(offsets)
    lengths = np.diff(offsets)
    long = np.flatnonzero(lengths > max_length)
    short = np.flatnonzero(lengths <= max_length)
    rows = [np.stack([short, offsets[short], lengths[short], np.zeros_like(short), lengths[short]], axis=1)]
    for i in long:
        stride = max_length - overlap
        starts = np.arange(0, max(lengths[i] - overlap, 1), stride)
        stops = np.minimum(starts + max_length, lengths[i])
        cuts = np.concatenate([[0], (starts[1:] + stops[:-1]) // 2, [lengths[i]]])
        rows.append(
            np.stack(
                [
                    np.full_like(starts, i),
                    offsets[i] + starts,
                    stops - starts,
                    cuts[:-1] - starts,
                    cuts[1:] - starts,
                ],
                axis=1,
            )
        )
    table = np.concatenate(rows).astype(np.int64)
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    return Windows(*(np.ascontiguousarray(column) for column in table.T))


@dataclass(frozen=True)
class Bucket:
    """Batches of `batch_size` rows, each of up to `length` tokens and padded to `length`."""

    length: int
    batch_size: int


def choose_buckets(
    lengths: np.ndarray, *, bucket_boundaries: list[int], batch_size: int, batch_tokens: int | None = None
) -> list[Bucket]:
    """Choose the buckets for training on rows of these lengths.

    A boundary whose bucket would not fill one batch is left out: its rows join the next longer bucket instead
    of being dropped in every epoch. The last bucket takes a smaller batch if necessary.

    Args:
        lengths: int (rows,), none above the last boundary.
        bucket_boundaries: ascending lengths; a row goes into the first bucket that is long enough.
        batch_size: rows in a batch.
        batch_tokens: positions in a batch, instead of `batch_size`: a bucket of length T takes
            `batch_tokens // T` rows.

    Raises:
        ValueError: there are no rows, or a row is longer than the last boundary.
    """
    if not len(lengths) or lengths.max() > bucket_boundaries[-1]:
        raise ValueError(f"expected rows of at most {bucket_boundaries[-1]} tokens")
    sizes = [batch_size if batch_tokens is None else max(1, batch_tokens // b) for b in bucket_boundaries]
    counts = np.bincount(np.searchsorted(bucket_boundaries, lengths), minlength=len(bucket_boundaries))
    buckets: list[Bucket] = []
    waiting = 0
    last = int(np.flatnonzero(counts)[-1])
    for boundary, size, count in zip(bucket_boundaries[: last + 1], sizes, counts, strict=False):
        waiting += int(count)
        if waiting >= size:
            buckets.append(Bucket(boundary, size))
            waiting = 0
    if waiting:
        buckets.append(Bucket(bucket_boundaries[last], waiting))
    return buckets


@dataclass(frozen=True)
class EpochPlan:
    """The size of an epoch, the same for every epoch: only the order of the rows changes.

    Args:
        steps: number of batches.
        rows: rows in those batches.
        dropped: rows that do not fill a batch and are dropped; different rows in each epoch.
    """

    steps: int
    rows: int
    dropped: int


def plan_epoch(lengths: np.ndarray, buckets: list[Bucket]) -> EpochPlan:
    """Count the batches of an epoch over rows of these `lengths`."""
    counts = np.bincount(
        np.searchsorted([bucket.length for bucket in buckets], lengths), minlength=len(buckets)
    )
    steps = [int(count) // bucket.batch_size for count, bucket in zip(counts, buckets, strict=True)]
    rows = sum(n * bucket.batch_size for n, bucket in zip(steps, buckets, strict=True))
    return EpochPlan(steps=sum(steps), rows=rows, dropped=len(lengths) - rows)
