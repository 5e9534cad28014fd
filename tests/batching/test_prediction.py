from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seqlab.batching.buckets import Bucket, cut_windows
from seqlab.batching.datasets import evaluation_dataset
from seqlab.batching.gathering import BatchGatherer
from seqlab.batching.prediction import predict_tags

BUCKETS = [Bucket(4, 3), Bucket(6, 2)]


def batches_of(split, windows, buckets=BUCKETS):
    gatherer = BatchGatherer(split, windows, distinct_types=False)
    return evaluation_dataset(gatherer, windows.length, buckets)


def predict_logits(features):
    """Two logits per token, which depend on its characters alone."""
    is_odd = np.asarray(features["char_ids"]).sum(axis=-1, keepdims=True) % 2
    return np.concatenate([1 - is_odd, is_odd], axis=-1).astype(np.float32)


def decode_logits(logits, mask):
    return np.where(mask, 2 + logits.argmax(axis=-1), 0)


@pytest.mark.parametrize("overlap", [0, 2])
def test_sentences_are_returned_whole_and_in_order_with_the_prediction_of_each_token(make_split, overlap):
    split = make_split([3, 15, 1, 6, 7])
    windows = cut_windows(split.offsets, max_length=6, overlap=overlap)
    batches = batches_of(split, windows)
    predicted = list(predict_tags(predict_logits, decode_logits, batches, split=split, windows=windows))
    assert [(tokens, gold) for tokens, gold, _ in predicted] == list(split.sentences())
    characters = split.features["char_ids"][split.type_ids].sum(axis=-1)
    assert [tag for _, _, tags in predicted for tag in tags] == [split.tags[2 + n % 2] for n in characters]


def test_every_sentence_is_decoded_once(make_split):
    split = make_split([3, 15, 1, 6, 7])
    windows = cut_windows(split.offsets, max_length=6, overlap=2)

    def decode(logits, mask):
        """Number the real tokens of each row, so that a second decoding would start again at 0."""
        return np.where(mask, mask.cumsum(axis=1) - 1, 0)

    numbered = predict_tags(
        predict_logits,
        decode,
        batches_of(split, windows),
        split=replace(split, tags=[str(i) for i in range(15)]),
        windows=windows,
    )
    assert [tags for _, _, tags in numbered] == [[str(i) for i in range(n)] for n in split.lengths]


def test_missing_rows_raise(make_split):
    split = make_split([3, 2, 1])
    windows = cut_windows(split.offsets, max_length=6)
    batches = list(batches_of(split, windows, [Bucket(6, 2)]))[:1]
    with pytest.raises(ValueError, match="tags were predicted for 5 of the split's 6 tokens"):
        list(predict_tags(predict_logits, decode_logits, batches, split=split, windows=windows))
