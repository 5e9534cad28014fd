from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.batching.buckets import Bucket, choose_buckets, cut_windows, plan_epoch


def offsets_of(lengths):
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def test_short_sentences_are_one_row_each_and_long_ones_several():
    windows = cut_windows(offsets_of([3, 10, 4]), max_length=4)
    assert windows.sentence.tolist() == [0, 1, 1, 1, 2]
    assert windows.start.tolist() == [0, 3, 7, 11, 13]
    assert windows.length.tolist() == [3, 4, 4, 2, 4]
    assert windows.keep_start.tolist() == [0, 0, 0, 0, 0]
    assert windows.keep_stop.tolist() == [3, 4, 4, 2, 4]


def test_overlapping_windows_keep_the_half_nearer_to_their_middle():
    windows = cut_windows(offsets_of([10]), max_length=6, overlap=2)
    assert windows.start.tolist() == [0, 4]
    assert windows.length.tolist() == [6, 6]
    assert windows.keep_start.tolist() == [0, 1]
    assert windows.keep_stop.tolist() == [5, 6]


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=20),
    st.integers(2, 12).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1))),
)
def test_every_token_is_kept_just_once_whatever_the_overlap(lengths, sizes):
    max_length, overlap = sizes
    windows = cut_windows(offsets_of(lengths), max_length=max_length, overlap=overlap)
    kept = np.concatenate(
        [
            np.arange(start + first, start + last)
            for start, first, last in zip(windows.start, windows.keep_start, windows.keep_stop, strict=True)
        ]
    )
    assert sorted(kept.tolist()) == list(range(sum(lengths)))
    assert windows.length.max() <= max_length
    assert (windows.length >= 1).all()


@pytest.mark.parametrize("overlap", [-1, 4])
def test_an_overlap_that_leaves_a_window_nothing_is_refused(overlap):
    with pytest.raises(ValueError, match="overlap must be"):
        cut_windows(offsets_of([9]), max_length=4, overlap=overlap)


def test_buckets_that_cannot_fill_a_batch_hand_their_rows_to_the_next():
    lengths = np.array([2] * 3 + [7] * 10 + [15])
    buckets = choose_buckets(lengths, bucket_boundaries=[4, 8, 16, 32], batch_size=4)
    assert buckets == [Bucket(8, 4), Bucket(16, 1)]
    assert plan_epoch(lengths, buckets).dropped == 1


def test_batch_tokens_gives_long_buckets_fewer_rows():
    lengths = np.array([4] * 100 + [16] * 100)
    buckets = choose_buckets(lengths, bucket_boundaries=[4, 16], batch_size=32, batch_tokens=64)
    assert buckets == [Bucket(4, 16), Bucket(16, 4)]


def test_a_corpus_smaller_than_a_batch_is_still_trained_on():
    buckets = choose_buckets(np.array([3, 5]), bucket_boundaries=[8, 16], batch_size=32)
    assert buckets == [Bucket(8, 2)]
    plan = plan_epoch(np.array([3, 5]), buckets)
    assert (plan.steps, plan.rows, plan.dropped) == (1, 2, 0)


def test_rows_above_the_last_boundary_are_refused():
    with pytest.raises(ValueError, match="at most 8 tokens"):
        choose_buckets(np.array([9]), bucket_boundaries=[4, 8], batch_size=2)


def test_a_plan_counts_full_batches_per_bucket():
    lengths = np.array([3] * 7 + [8] * 5)
    plan = plan_epoch(lengths, [Bucket(4, 3), Bucket(8, 2)])
    assert (plan.steps, plan.rows, plan.dropped) == (4, 10, 2)
