from __future__ import annotations

import numpy as np
import pytest

from seqlab.batching.auxiliary import AuxiliaryColumn
from seqlab.batching.buckets import Bucket, choose_buckets, cut_windows, plan_epoch
from seqlab.batching.datasets import evaluation_dataset, row_order, training_dataset
from seqlab.batching.vocabulary import Vocabulary

LENGTHS = [1, 3, 2, 8, 5, 7, 4, 4, 6, 13, 2, 1, 16, 3]


@pytest.fixture
def split(make_split):
    return make_split(LENGTHS)


@pytest.fixture
def windows(split):
    return cut_windows(split.offsets, max_length=8)


BUCKETS = [Bucket(4, 3), Bucket(8, 2)]


def collect(dataset):
    return [
        tuple(
            {k: v.numpy() for k, v in part.items()} if isinstance(part, dict) else part.numpy()
            for part in batch
        )
        for batch in dataset
    ]


def test_training_batches_follow_the_batch_contract(split, windows):
    batches = collect(training_dataset(split, windows, BUCKETS, seed=1, epoch=0))
    assert {tags.shape for _, tags, _ in batches} <= {(3, 4), (2, 8)}
    for features, tags, weight in batches:
        rows, length = tags.shape
        assert features["token_ids"].shape == features["shape_ids"].shape == (rows, length)
        assert features["char_ids"].shape == (rows, length, 3)
        assert {features[k].dtype for k in features} == {np.dtype(np.int32)}
        assert tags.dtype == np.int32
        assert weight.dtype == np.float32
        mask = features["token_ids"] != 0
        np.testing.assert_array_equal(weight, mask.astype(np.float32))
        np.testing.assert_array_equal(tags != 0, mask)
        np.testing.assert_array_equal(features["char_ids"][..., 0] != 0, mask)
        np.testing.assert_array_equal(features["shape_ids"] != 0, mask)
        assert mask[:, 0].all(), "every row holds a token"
        assert (np.diff(mask.astype(int), axis=1) <= 0).all(), "padding stands on the right"


def test_auxiliary_tags_stay_with_their_tokens(split, windows):
    token_numbers = np.arange(2, 2 + split.num_tokens, dtype=np.int32)
    columns = [
        AuxiliaryColumn("type", Vocabulary([]), np.asarray(split.type_ids)),
        AuxiliaryColumn("number", Vocabulary([]), token_numbers),
    ]
    plain = collect(training_dataset(split, windows, BUCKETS, seed=1, epoch=2))
    batches = training_dataset(split, windows, BUCKETS, seed=1, epoch=2, auxiliary=columns)
    seen = []
    for (features, (tags, auxiliary), weight), (_, plain_tags, plain_weight) in zip(
        batches, plain, strict=True
    ):
        np.testing.assert_array_equal(tags, plain_tags)
        np.testing.assert_array_equal(weight, plain_weight)
        auxiliary, mask = auxiliary.numpy(), weight.numpy() > 0
        assert auxiliary.shape == (*mask.shape, 2)
        assert not auxiliary[~mask].any()
        numbers = auxiliary[mask][:, 1] - 2
        seen.extend(numbers.tolist())
        np.testing.assert_array_equal(auxiliary[mask][:, 0], split.type_ids[numbers])
        np.testing.assert_array_equal(tags.numpy()[mask], split.tag_ids[numbers])
        np.testing.assert_array_equal(
            features["token_ids"].numpy()[mask], split.features["token_ids"][split.type_ids[numbers]]
        )
    assert len(seen) == len(set(seen)) > split.num_tokens / 2


def test_the_remainder_is_dropped_in_training_as_planned(split, windows):
    plan = plan_epoch(windows.length, BUCKETS)
    batches = collect(training_dataset(split, windows, BUCKETS, seed=1, epoch=0))
    assert len(batches) == plan.steps
    assert sum(len(tags) for _, tags, _ in batches) == plan.rows == len(windows) - plan.dropped
    assert plan.dropped > 0


def test_order_is_a_pure_function_of_seed_and_epoch(split, windows):
    def tokens(seed, epoch):
        return [
            b[0]["char_ids"].tolist()
            for b in collect(training_dataset(split, windows, BUCKETS, seed=seed, epoch=epoch))
        ]

    assert tokens(1, 3) == tokens(1, 3)
    assert tokens(1, 3) != tokens(1, 4)
    assert tokens(1, 3) != tokens(2, 3)
    assert sorted(row_order(9, seed=5, epoch=2).tolist()) == list(range(9))


def test_dropped_rows_differ_between_epochs(split, windows):
    def kept(epoch):
        rows = [
            tuple(map(tuple, row))
            for features, _, _ in collect(training_dataset(split, windows, BUCKETS, seed=1, epoch=epoch))
            for row in features["char_ids"]
        ]
        return set(rows)

    assert len({frozenset(kept(epoch)) for epoch in range(6)}) > 1


def test_evaluation_loses_no_token_and_fills_the_last_batch_with_rows_that_weigh_nothing(split, windows):
    batches = collect(evaluation_dataset(split, windows, BUCKETS))
    assert {tags.shape for _, tags, _, _ in batches} == {(3, 4), (2, 8)}
    rows = np.concatenate([row_ids for _, _, _, row_ids in batches])
    assert sorted(rows[rows >= 0].tolist()) == list(range(len(windows)))
    assert (rows < 0).any()
    assert sum(weight.sum() for _, _, weight, _ in batches) == sum(LENGTHS)
    for features, tags, weight, row_ids in batches:
        filling = row_ids < 0
        assert (weight[filling] == 0).all()
        assert (features["token_ids"][filling, 0] == 1).all()
        assert (features["char_ids"][filling, 0, 0] == 1).all()
        assert (features["token_ids"][filling, 1:] == 0).all()
        assert (tags[filling] == 0).all()


def test_evaluation_rows_hold_the_tokens_that_their_window_names(split, windows):
    for features, tags, _, row_ids in collect(evaluation_dataset(split, windows, BUCKETS)):
        for row, row_id in enumerate(row_ids):
            if row_id < 0:
                continue
            start, length = windows.start[row_id], windows.length[row_id]
            types = split.type_ids[start : start + length]
            np.testing.assert_array_equal(
                features["char_ids"][row, :length], split.features["char_ids"][types]
            )
            np.testing.assert_array_equal(tags[row, :length], split.tag_ids[start : start + length])
            assert not features["token_ids"][row, length:].any()


def test_batches_equal_a_plain_python_bucketing(split, windows):
    """The same batches as a loop that appends rows to buckets and emits a bucket when it is full."""
    expected, waiting = [], {4: [], 8: []}
    for row in row_order(len(windows), seed=7, epoch=2):
        length = 4 if windows.length[row] <= 4 else 8
        waiting[length].append(int(row))
        if len(waiting[length]) == {4: 3, 8: 2}[length]:
            expected.append(waiting[length])
            waiting[length] = []
    batches = collect(training_dataset(split, windows, BUCKETS, seed=7, epoch=2))
    assert len(batches) == len(expected)
    for (_, tags, weight), rows in zip(batches, expected, strict=True):
        assert weight.sum(axis=1).tolist() == [float(windows.length[row]) for row in rows]
        for got, row in zip(tags, rows, strict=True):
            start, length = windows.start[row], windows.length[row]
            assert got[:length].tolist() == split.tag_ids[start : start + length].tolist()


def test_a_tag_that_the_vocabulary_lacks_becomes_unknown(tmp_path, encoder):
    from seqlab.batching.encoding import read_encoded_split, write_encoded_split
    from seqlab.corpus.sentence import Sentence

    tags = Vocabulary(["O"])
    write_encoded_split(tmp_path / "s", [Sentence(("a", "b"), ("O", "NEW"))], encoder=encoder, tags=tags)
    split = read_encoded_split(tmp_path / "s", tags=tags)
    windows = cut_windows(split.offsets, max_length=4)
    ((_, tag_ids, _, _),) = collect(evaluation_dataset(split, windows, [Bucket(4, 1)]))
    assert tag_ids.tolist() == [[2, 1, 0, 0]]


def test_chosen_buckets_leave_no_row_untrained_in_every_epoch(split, windows):
    buckets = choose_buckets(windows.length, bucket_boundaries=[2, 4, 8], batch_size=5)
    counts = np.bincount(np.searchsorted([b.length for b in buckets], windows.length), minlength=len(buckets))
    assert all(count >= bucket.batch_size for count, bucket in zip(counts, buckets, strict=True))
