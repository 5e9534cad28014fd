from __future__ import annotations

import json

import pytest

from seqlab.corpus.sentence import Sentence
from seqlab.corpus.statistics import corpus_statistics


def sentence(tokens, tags, line=1):
    return Sentence(tuple(tokens.split()), tuple(tags.split()), "a.conll", line)


TRAIN = [sentence("a b", "X Y", 1), sentence("a b", "Y Y", 4), sentence("c d e", "X X X", 7)]
DEV = [sentence("a b", "X Y", 2), sentence("a z z y", "X Z Z W", 5)]


@pytest.fixture
def statistics():
    return corpus_statistics({"dev": iter(DEV), "train": iter(TRAIN)})


def test_train(statistics):
    assert statistics["splits"]["train"] == {
        "sentences": 3,
        "tokens": 7,
        "types": 5,
        "tokens_per_sentence": 2.33,
        "tags": {"X": 4, "Y": 3},
        "longest_sentence": {"tokens": 3, "where": "a.conll:7"},
        "duplicate_sentences": 1,
        "sentences_in_other_splits": {"dev": 2},
    }


def test_dev_is_compared_with_train(statistics):
    dev = statistics["splits"]["dev"]
    assert dev["sentences_in_other_splits"] == {"train": 1}
    assert dev["unseen_token_rate"] == pytest.approx(3 / 6)
    assert dev["unseen_type_rate"] == pytest.approx(2 / 4)
    assert dev["tags_unseen_in_train"] == {"W": 1, "Z": 2}
    assert list(dev["tags"]) == ["X", "Z", "W", "Y"]


def test_splits_keep_their_order_and_are_json_serialisable(statistics):
    assert list(statistics["splits"]) == ["dev", "train"]
    assert json.loads(json.dumps(statistics)) == statistics


def test_without_train_there_are_no_entries_about_unseen_tokens():
    dev = corpus_statistics({"dev": DEV})["splits"]["dev"]
    assert "unseen_token_rate" not in dev
    assert dev["sentences_in_other_splits"] == {}


def test_an_empty_split():
    empty = corpus_statistics({"train": TRAIN, "dev": []})["splits"]["dev"]
    assert (empty["sentences"], empty["tokens_per_sentence"], empty["unseen_token_rate"]) == (0, 0.0, 0.0)
