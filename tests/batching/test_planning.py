from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.batching.buckets import Bucket, choose_boundaries, choose_buckets
from seqlab.batching.planning import FILLING, EpochPlanner, PlannedBatch, plan_evaluation, share_rows

LENGTHS = np.array([1, 3, 2, 8, 5, 7, 4, 4, 6, 8, 2, 1, 8, 8, 3])
BUCKETS = [Bucket(4, 3), Bucket(8, 2)]


def planned(*, seed=1, epoch=0, lengths=LENGTHS, buckets=BUCKETS):
    return [
        (length, rows.tolist())
        for length, rows, _ in EpochPlanner(lengths, buckets).batches(seed=seed, epoch=epoch)
    ]


def test_batches_have_the_shapes_of_their_buckets_and_every_row_fits():
    planner = EpochPlanner(LENGTHS, BUCKETS)
    batches = planned()
    assert {(length, len(rows)) for length, rows in batches} == {(4, 3), (8, 2)}
    assert all(LENGTHS[row] <= length for length, rows in batches for row in rows)
    rows = [row for _, rows in batches for row in rows]
    assert len(batches) == planner.steps == 6
    assert len(rows) == len(set(rows)) == planner.rows == len(LENGTHS) - planner.dropped
    assert planner.dropped == 1


def test_an_epoch_is_a_pure_function_of_seed_and_epoch():
    assert planned(seed=1, epoch=3) == planned(seed=1, epoch=3)
    assert planned(seed=1, epoch=3) != planned(seed=1, epoch=4)
    assert planned(seed=1, epoch=3) != planned(seed=2, epoch=3)


def test_dropped_rows_and_the_order_of_buckets_differ_between_epochs():
    epochs = [planned(epoch=epoch) for epoch in range(12)]
    assert len({frozenset(row for _, rows in epoch for row in rows) for epoch in epochs}) > 1
    assert len({tuple(length for length, _ in epoch) for epoch in epochs}) > 1


@settings(derandomize=True, max_examples=150, deadline=None)
@given(
    st.integers(100, 3000),
    st.sampled_from([1, 2, 7, 8, 16, 32, 64, 128, 500]),
    st.integers(1, 24),
    st.one_of(st.none(), st.integers(40, 2000)),
    st.integers(0, 2**32 - 1),
)
def test_at_most_three_per_cent_of_the_rows_are_dropped(rows, batch_size, num_buckets, batch_tokens, seed):
    lengths = np.random.default_rng(seed).geometric(0.07, rows).clip(1, 40)
    boundaries = choose_boundaries(lengths, num_buckets=num_buckets)
    buckets = choose_buckets(lengths, boundaries=boundaries, batch_size=batch_size, batch_tokens=batch_tokens)
    planner = EpochPlanner(lengths, buckets)
    assert planner.dropped <= 0.03 * rows
    assert planner.rows == sum(len(batch.row_ids) for batch in planner.batches(seed=seed, epoch=0))
    assert all(bucket.batch_size <= batch_size for bucket in buckets) or batch_tokens


def test_evaluation_contains_every_row_once_and_fills_the_last_batch_of_each_bucket():
    batches = list(plan_evaluation(LENGTHS, BUCKETS))
    assert {(batch.length, len(batch.row_ids)) for batch in batches} == {(4, 3), (8, 2)}
    rows = np.concatenate([batch.row_ids for batch in batches])
    assert sorted(rows[rows != FILLING].tolist()) == list(range(len(LENGTHS)))
    assert (rows == FILLING).sum() == 2
    assert all(LENGTHS[row] <= batch.length for batch in batches for row in batch.row_ids if row != FILLING)


def test_a_row_that_fits_no_bucket_is_refused():
    with pytest.raises(ValueError, match="at most 8 tokens, received 9"):
        list(plan_evaluation(np.array([3, 9]), BUCKETS))


@given(rows=st.integers(1, 9), replicas=st.integers(1, 5))
def test_replicas_share_all_rows_and_get_equally_many(rows, replicas):
    shares = share_rows(PlannedBatch(4, np.arange(rows)), replicas=replicas)
    row_ids = [share.row_ids.tolist() for share in shares]
    assert len(shares) == replicas
    assert {len(ids) for ids in row_ids} == {-(-rows // replicas)}
    assert sorted(row for ids in row_ids for row in ids if row != FILLING) == list(range(rows))
    assert row_ids[0][0] == 0
    assert all(share.length == 4 for share in shares)
