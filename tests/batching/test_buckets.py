from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.batching.buckets import Bucket, choose_boundaries, choose_buckets, cut_windows


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


def test_rows_start_between_mentions():
    mentions = [(2, 5), (7, 9), (11, 12)]
    continues = np.zeros(14, bool)
    for start, stop in mentions:
        continues[start + 1 : stop] = True
    windows = cut_windows(offsets_of([3, 14]), max_length=4, continues=lambda start, stop: continues)
    assert windows.sentence.tolist() == [0, 1, 1, 1, 1]
    assert windows.start.tolist() == [0, 3, 5, 9, 13]
    assert windows.length.tolist() == windows.keep_stop.tolist() == [3, 2, 4, 4, 4]
    assert not windows.keep_start.any()


def test_a_mention_that_fits_no_row_is_cut():
    inside = np.array([False, *[True] * 8, False])
    windows = cut_windows(offsets_of([10]), max_length=4, continues=lambda start, stop: inside[start:stop])
    assert windows.start.tolist() == [0, 4, 8]


def test_rows_between_mentions_cannot_overlap():
    with pytest.raises(ValueError, match="cannot overlap"):
        cut_windows(offsets_of([9]), max_length=4, overlap=1, continues=lambda start, stop: np.zeros(9, bool))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(1, 4), st.integers(1, 3))
def test_the_chosen_boundaries_have_the_least_padding(lengths, num_buckets, batch_size):
    lengths = np.array(lengths)
    distinct = sorted(set(lengths.tolist()))

    def positions(boundaries):
        """Positions of all full batches, where the rows of a bucket that fill none join the next bucket."""
        total = waiting = 0
        for low, high in zip([0, *boundaries[:-1]], boundaries, strict=True):
            waiting += int(((lengths > low) & (lengths <= high)).sum())
            total += waiting // batch_size * batch_size * high
            waiting %= batch_size
        return total

    chosen = choose_boundaries(lengths, num_buckets=num_buckets, batch_size=batch_size)
    assert chosen == sorted(set(chosen))
    assert chosen[-1] == distinct[-1]
    assert len(chosen) == min(num_buckets, len(distinct))
    others = combinations(distinct[:-1], len(chosen) - 1)
    assert positions(chosen) == min(positions([*other, distinct[-1]]) for other in others)


def test_rows_that_fill_no_batch_join_the_next_bucket():
    lengths = np.array([2] * 3 + [7] * 10 + [15])
    buckets = choose_buckets(lengths, boundaries=[4, 8, 16, 32], batch_size=4)
    assert buckets == [Bucket(8, 4), Bucket(16, 2)]


def test_batch_tokens_gives_long_buckets_fewer_rows():
    lengths = np.array([4] * 100 + [16] * 100)
    buckets = choose_buckets(lengths, boundaries=[4, 16], batch_size=32, batch_tokens=64)
    assert buckets == [Bucket(4, 16), Bucket(16, 4)]


def test_a_corpus_smaller_than_a_batch_is_still_trained_on():
    assert choose_buckets(np.array([3, 5]), boundaries=[8, 16], batch_size=32) == [Bucket(8, 2)]


def test_rows_above_the_last_boundary_are_refused():
    with pytest.raises(ValueError, match="at most 8 tokens"):
        choose_buckets(np.array([9]), boundaries=[4, 8], batch_size=2)
