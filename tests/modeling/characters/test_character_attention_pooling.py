from __future__ import annotations

import keras
import numpy as np
import pytest
from layer_cases import CASES
from layer_checks import as_array, built, character_id_inputs, check_layer
from numpy.testing import assert_allclose

from seqlab.errors import SeqlabError
from seqlab.modeling.characters.character_attention_pooling import POSITION_DIM, CharacterAttentionPooling


def test_shared_checks(tmp_path):
    check_layer(CASES["character_attention_pooling"], tmp_path)


def test_equals_the_formula_token_by_token():
    inputs = character_id_inputs(3, 4)
    layer = built(CASES["character_attention_pooling"], inputs)
    table = as_array(layer.embedding.embeddings)
    kernel, bias = (as_array(w) for w in layer.convolution.weights)
    score_kernel, score_bias = (as_array(w) for w in layer.scores.weights)
    output = as_array(layer(inputs.x))
    frequencies = 10000.0 ** (-2 * np.arange(POSITION_DIM // 2) / POSITION_DIM)
    for row, position in np.argwhere(inputs.real):
        ids = inputs.x[row, position]
        ids = ids[ids != 0]
        places = np.arange(len(ids))
        angles = [distance[:, None] * frequencies for distance in (places, places[::-1])]
        sinusoids = [f(angle) for angle in angles for f in (np.sin, np.cos)]
        features = np.pad(np.concatenate([table[ids], *sinusoids], axis=-1), [(1, 1), (0, 0)])
        hidden = np.stack([np.einsum("ke,keu->u", features[c : c + 3], kernel) for c in places]) + bias
        hidden = as_array(keras.activations.gelu(hidden))
        scores = np.exp(hidden @ score_kernel + score_bias)
        weights = scores / scores.sum(axis=0)
        expected = np.concatenate([weights[:, 0] @ hidden[:, :3], weights[:, 1] @ hidden[:, 3:]])
        assert_allclose(output[row, position], expected, atol=1e-5)


def test_units_must_divide_among_the_heads():
    with pytest.raises(SeqlabError, match="multiple of num_heads, 4"):
        CharacterAttentionPooling(vocabulary_size=5, embedding_dim=2, units=6, num_heads=4)
