from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from distinct_types import characters_of, fitted

from seqlab.batching.auxiliary import AuxiliaryColumn
from seqlab.batching.buckets import Bucket, cut_windows
from seqlab.batching.datasets import evaluation_dataset, training_dataset
from seqlab.batching.gathering import BatchGatherer
from seqlab.batching.planning import EpochPlanner
from seqlab.batching.vocabulary import Vocabulary

LENGTHS = [1, 3, 2, 8, 5, 7, 4, 4, 6, 13, 2, 1, 16, 3]


@pytest.fixture
def split(make_split):
    return make_split(LENGTHS)


@pytest.fixture
def windows(split):
    return cut_windows(split.offsets, max_length=8)


BUCKETS = [Bucket(4, 3), Bucket(8, 2)]


def training(split, windows, *, epoch=0, distinct_types=False, auxiliary=()):
    gatherer = BatchGatherer(split, windows, auxiliary=auxiliary, distinct_types=distinct_types)
    planner = EpochPlanner(windows.length, BUCKETS)
    return training_dataset(gatherer, planner, seed=1, epoch=epoch)


def evaluation(split, windows, *, buckets=BUCKETS, distinct_types=False):
    gatherer = BatchGatherer(split, windows, distinct_types=distinct_types)
    return evaluation_dataset(gatherer, windows.length, buckets)


def collect(dataset):
    return [
        tuple(
            {k: v.numpy() for k, v in part.items()} if isinstance(part, dict) else part.numpy()
            for part in batch
        )
        for batch in dataset
    ]


def test_training_batches_follow_the_batch_contract(split, windows):
    batches = collect(training(split, windows))
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
    plain = collect(training(split, windows, epoch=2))
    batches = training(split, windows, epoch=2, auxiliary=columns)
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


def test_evaluation_loses_no_token_and_fills_the_last_batch_with_rows_that_weigh_nothing(split, windows):
    batches = collect(evaluation(split, windows))
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
    for features, tags, _, row_ids in collect(evaluation(split, windows)):
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


def test_a_tag_that_the_vocabulary_lacks_becomes_unknown(tmp_path, encoder):
    from seqlab.batching.encoding import read_encoded_split, write_encoded_split
    from seqlab.corpus.sentence import Sentence

    tags = Vocabulary(["O"])
    write_encoded_split(tmp_path / "s", [Sentence(("a", "b"), ("O", "NEW"))], encoder=encoder, tags=tags)
    split = read_encoded_split(tmp_path / "s", tags=tags)
    windows = cut_windows(split.offsets, max_length=4)
    ((_, tag_ids, _, _),) = collect(evaluation(split, windows, buckets=[Bucket(4, 1)]))
    assert tag_ids.tolist() == [[2, 1, 0, 0]]


def test_the_rows_are_those_of_the_plan(split, windows):
    planned = list(EpochPlanner(windows.length, BUCKETS).batches(seed=1, epoch=0))
    batches = collect(training(split, windows))
    for (_, tags, weight), (length, row_ids, _) in zip(batches, planned, strict=True):
        assert tags.shape == (len(row_ids), length)
        assert weight.sum(axis=1).tolist() == windows.length[row_ids].tolist()
        for row, start, size in zip(tags, windows.start[row_ids], windows.length[row_ids], strict=True):
            assert row[:size].tolist() == split.tag_ids[start : start + size].tolist()


@pytest.mark.parametrize("make", [training, evaluation])
def test_the_end_of_an_epoch_waits_for_no_tuning(split, windows, make):
    """TensorFlow's tuning thread sleeps for 10, 20, 40, ... ms, and an epoch would end with its sleep."""
    assert make(split, windows).options().autotune.enabled is False


@pytest.mark.parametrize("make", [training, evaluation])
def test_characters_of_the_distinct_types_are_those_of_the_tokens(split, windows, make):
    plain = collect(make(split, windows))
    distinct = collect(make(split, windows, distinct_types=True))
    for (expected, *labels), (features, *same_labels) in zip(plain, distinct, strict=True):
        short, long = features["char_ids"], features["long_char_ids"]
        assert (short.dtype, long.dtype, features["char_rows"].dtype) == (np.int32,) * 3
        assert not short[0].any(), "row 0 is padding"
        assert (len(short) % 64, len(long) % 16) == (0, 0)
        characters = characters_of(features)
        np.testing.assert_array_equal(characters, fitted(expected["char_ids"], characters.shape[2]))
        for name in ("token_ids", "shape_ids"):
            np.testing.assert_array_equal(features[name], expected[name])
        for label, same in zip(labels, same_labels, strict=True):
            np.testing.assert_array_equal(label, same)


def test_long_types_are_apart(make_split):
    split = make_split([22])
    characters = np.where(np.arange(20) < np.arange(23)[:, None], 1, 0).astype(np.int32)  # type n has n
    split = replace(split, features=split.features | {"char_ids": characters})

    def batches(length):
        windows = cut_windows(split.offsets, max_length=length)
        return collect(evaluation(split, windows, buckets=[Bucket(length, 1)], distinct_types=True))

    ((features, *_),) = batches(22)
    assert features["char_ids"].shape == (64, 8)
    assert features["long_char_ids"].shape == (16, 20)
    np.testing.assert_array_equal(characters_of(features), characters[split.type_ids][None])
    features, *_ = batches(10)[0]
    assert features["long_char_ids"].shape == (16, 12), "the longest of the batch, rounded up"


def test_each_type_is_encoded_once(make_split):
    split = make_split([3, 2])
    repeated = replace(split, type_ids=np.array([2, 1, 2, 1, 2], np.int32))
    windows = cut_windows(split.offsets, max_length=3)
    ((features, *_),) = collect(evaluation(repeated, windows, buckets=[Bucket(3, 2)], distinct_types=True))
    assert features["char_rows"].tolist() == [[2, 1, 2], [1, 2, 0]]
    np.testing.assert_array_equal(features["char_ids"][:3], split.features["char_ids"][:3])
    assert not features["char_ids"][3:].any()
