"""Which rows a batch is made of: windows, buckets, and what a batch of each bucket holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Windows:
    """Rows cut from sentences, none longer than the longest bucket.

    A sentence that fits is one row. A longer one is several, which overlap where `overlap` is above 0; of
    an overlap each row keeps the half nearer to its own middle, so that every token is kept just once.

    Args:
        sentence: int64 (rows,), the sentence a row is cut from.
        start: int64 (rows,), the row's first token, counted over the whole split.
        length: int64 (rows,), tokens in the row.
        keep_start, keep_stop: int64 (rows,), the part of the row whose tags are kept, counted in the row.
    """

    sentence: np.ndarray
    start: np.ndarray
    length: np.ndarray
    keep_start: np.ndarray
    keep_stop: np.ndarray

    def __len__(self) -> int:
        return len(self.start)


def cut_windows(offsets: np.ndarray, *, max_length: int, overlap: int = 0) -> Windows:
    """Cut the sentences that `offsets` (sentences + 1,) bound into rows of at most `max_length` tokens.

    Raises:
        ValueError: the overlap leaves a window nothing of its own.
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
    """Rows of up to `length` tokens, batched by `batch_size` and padded to `length`."""

    length: int
    batch_size: int


def choose_buckets(
    lengths: np.ndarray, *, bucket_boundaries: list[int], batch_size: int, batch_tokens: int | None = None
) -> list[Bucket]:
    """The buckets that a training with these row lengths uses.

    A boundary whose bucket would not fill one batch is left out, so that its rows are trained on in the next
    longer bucket instead of being dropped in every epoch; the last bucket takes a smaller batch if it must.

    Args:
        lengths: int (rows,), none above the last boundary.
        bucket_boundaries: rising lengths; a row goes into the first that is at least its length.
        batch_size: rows in a batch.
        batch_tokens: instead, positions in a batch: a bucket of length T takes `batch_tokens // T` rows.

    Raises:
        ValueError: there are no rows, or one is longer than the last boundary.
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
    """What one epoch of training sees; the same in every epoch, since only the order changes.

    Args:
        steps: batches.
        rows: rows in those batches.
        dropped: rows left out for want of a full batch; other ones in each epoch.
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
