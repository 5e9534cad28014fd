from __future__ import annotations

import numpy as np
import pytest
from small_taggers import random_batch, small_tagger


@pytest.fixture
def embedder():
    return small_tagger().embedder


def test_without_a_mask_it_is_computed_from_the_token_ids(embedder):
    features, _, weight = random_batch([3, 5], length=6)
    given = embedder(features, mask=weight > 0)
    read_off = embedder(features)
    np.testing.assert_array_equal(given, read_off)
    np.testing.assert_array_equal(embedder.compute_mask(features), weight > 0)
    np.testing.assert_array_equal(read_off._keras_mask, weight > 0)
    assert not np.asarray(read_off)[weight == 0].any()


def test_a_given_mask_is_used(embedder):
    features, _, weight = random_batch([3, 5], length=6)
    shorter = weight > 0
    shorter[1, 4] = False
    embedded = np.asarray(embedder(features, mask=shorter))
    assert not embedded[1, 4].any()
    assert embedded[1, 3].any()
