from __future__ import annotations

import numpy as np
import pytest
from layer_cases import CASES
from layer_checks import as_array, built, check_layer, token_id_inputs
from numpy.testing import assert_allclose, assert_array_equal

from seqlab.errors import SeqlabError
from seqlab.modeling.layers.token_and_position_embedding import TokenAndPositionEmbedding

NAMES = ["token_and_position_embedding_learned", "token_and_position_embedding_sinusoidal"]


@pytest.mark.parametrize("name", NAMES)
def test_shared_checks(name, tmp_path):
    check_layer(CASES[name], tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_sum_of_both_at_real_tokens(name):
    inputs = token_id_inputs(3, 6)
    layer = built(CASES[name], inputs)
    tokens = as_array(layer.token_embedding.embeddings)[inputs.x]
    positions = as_array(layer.position_embedding(np.zeros_like(tokens)))
    expected = np.where(inputs.real[..., None], tokens + positions, 0)
    assert_allclose(as_array(layer(inputs.x)), expected, atol=1e-6)
    assert_array_equal(layer(inputs.x)._keras_mask, inputs.real)


def test_more_tokens_than_positions_are_refused():
    with pytest.raises(SeqlabError, match=r"at most 4 tokens[\s\S]*5 tokens"):
        TokenAndPositionEmbedding(vocabulary_size=5, embedding_dim=2, max_length=4)(np.ones((1, 5), np.int32))
