from __future__ import annotations

import numpy as np
import pytest

from seqlab.batching.buckets import Bucket, cut_windows
from seqlab.batching.datasets import evaluation_dataset
from seqlab.batching.prediction import predict_tags

BUCKETS = [Bucket(4, 3), Bucket(6, 2)]


@pytest.mark.parametrize("overlap", [0, 2])
def test_sentences_come_back_whole_and_in_order_with_each_tokens_own_prediction(make_split, overlap):
    split = make_split([3, 15, 1, 6, 7])
    windows = cut_windows(split.offsets, max_length=6, overlap=overlap)

    def decode(features):  # the tag is a function of the token's characters, so that it can be checked
        return 2 + np.asarray(features["char_ids"]).sum(axis=-1) % 2

    predicted = list(
        predict_tags(decode, evaluation_dataset(split, windows, BUCKETS), split=split, windows=windows)
    )
    assert [tokens for tokens, _, _ in predicted] == [tokens for tokens, _ in split.sentences()]
    assert [gold for _, gold, _ in predicted] == [gold for _, gold in split.sentences()]
    position = 0
    for _, _, tags in predicted:
        for tag in tags:
            characters = split.features["char_ids"][split.type_ids[position]]
            assert tag == split.tags[2 + characters.sum() % 2]
            position += 1
    assert position == split.num_tokens


def test_missing_rows_are_noticed(make_split):
    split = make_split([3, 2, 1])
    windows = cut_windows(split.offsets, max_length=6)
    batches = list(evaluation_dataset(split, windows, [Bucket(6, 2)]))[:1]
    with pytest.raises(ValueError, match="5 tokens were scored, but the split has 6"):
        list(predict_tags(lambda f: np.zeros_like(f["token_ids"]), batches, split=split, windows=windows))
