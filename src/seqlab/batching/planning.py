"""Which rows stand in which batch: a whole epoch, planned with NumPy alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from seqlab.batching.buckets import Bucket

FILLING = -1
"""The row id of a row that only fills a batch."""


class PlannedBatch(NamedTuple):
    """A batch: the length to which its rows are padded, and the ids of its rows, int64 (B,).

    The length is T, in tokens; with a pretrained encoder it is planned in pieces, and `pieces` keeps it once
    `BatchGatherer.sized` has replaced it.
    """

    length: int
    row_ids: np.ndarray
    pieces: int = 0


class EpochPlanner:
    """Plan epochs of training batches.

    Every epoch has the same shapes and number of batches. Rows and batches are shuffled, as a pure function
    of (seed, epoch). Rows that do not fill a batch of their bucket join the next longer one; the remainder of
    the last bucket is dropped, other rows in each epoch.

    Args:
        lengths: int (rows,), none above the last bucket's length.
        buckets: in ascending order.

    Attributes:
        steps: batches of an epoch.
        rows: rows of those batches.
        dropped: rows that are dropped in each epoch.
    """

    def __init__(self, lengths: np.ndarray, buckets: Sequence[Bucket]) -> None:
        self.buckets = list(buckets)
        self._bucket_of = np.searchsorted([bucket.length for bucket in buckets], lengths).astype(np.int16)
        counts = np.bincount(self._bucket_of, minlength=len(buckets)).tolist()
        self._stops = np.cumsum(counts)
        waiting, steps = 0, []
        for bucket, count in zip(buckets, counts, strict=True):
            batches, waiting = divmod(waiting + count, bucket.batch_size)
            steps.append(batches)
        self.steps, self.dropped = sum(steps), waiting
        self.rows = len(lengths) - waiting

    def batches(self, *, seed: int, epoch: int) -> Iterator[PlannedBatch]:
        """Yield the batches of an epoch, counted from 0."""
        random = np.random.default_rng([seed, epoch])
        order = random.permutation(len(self._bucket_of))
        order = order[np.argsort(self._bucket_of[order], kind="stable")]
        waiting = order[:0]
        planned: list[PlannedBatch] = []
        for bucket, rows in zip(self.buckets, np.split(order, self._stops[:-1]), strict=True):
            rows = np.concatenate([waiting, rows])
            full = len(rows) - len(rows) % bucket.batch_size
            batches = rows[:full].reshape(-1, bucket.batch_size)
            planned += [PlannedBatch(bucket.length, row_ids) for row_ids in batches]
            waiting = rows[full:]
        for i in random.permutation(len(planned)):
            yield planned[i]


def share_rows(batch: PlannedBatch, *, replicas: int) -> list[PlannedBatch]:
    """Share the rows of a batch among replicas; replica i gets the rows i, i + replicas, and so on.

    All get equally many rows. `FILLING` makes up for missing ones.
    """
    row_ids = np.append(batch.row_ids, np.full(-len(batch.row_ids) % replicas, FILLING))
    return [batch._replace(row_ids=row_ids[replica::replicas]) for replica in range(replicas)]


def plan_evaluation(lengths: np.ndarray, buckets: Sequence[Bucket]) -> Iterator[PlannedBatch]:
    """Yield batches that contain every row once; `FILLING` fills the last batch of each bucket.

    Raises:
        ValueError: a row is longer than the last bucket.
    """
    if len(lengths) and lengths.max() > buckets[-1].length:
        raise ValueError(f"expected rows of at most {buckets[-1].length} tokens, received {lengths.max()}")
    bucket_of = np.searchsorted([bucket.length for bucket in buckets], lengths)
    for number, bucket in enumerate(buckets):
        rows = np.flatnonzero(bucket_of == number)
        missing = -len(rows) % bucket.batch_size
        rows = np.append(rows, np.full(missing, FILLING))
        for row_ids in rows.reshape(-1, bucket.batch_size):
            yield PlannedBatch(bucket.length, row_ids)
