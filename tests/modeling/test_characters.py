from __future__ import annotations

from unittest import mock

import keras
import numpy as np
import pytest
from layer_cases import CASES
from layer_checks import as_array, built, character_id_inputs
from numpy.testing import assert_allclose

from seqlab.errors import SeqlabError
from seqlab.modeling.characters import NUM_HEADS, POSITION_DIM, CharacterAttentionPooling, CharacterCNN


def test_cnn_equals_the_formula_token_by_token():
    """The bias is large, so that a maximum below zero is visible in the output."""
    inputs = character_id_inputs(3, 4)
    layer = built(CASES["character_cnn"], inputs)
    layer.bias.assign(np.linspace(1, 2, 8))
    table = as_array(layer.embedding.embeddings)
    output = as_array(layer(inputs.x))
    negative = 0
    for row, position in np.argwhere(inputs.real):
        ids = inputs.x[row, position]
        characters = table[ids[ids != 0]]
        expected = []
        for convolution, size in zip(layer.convolutions, (2, 3), strict=True):
            kernel = as_array(convolution.kernel)
            left = (size - 1) // 2
            between_zeros = np.pad(characters, [(left, size - 1 - left), (0, 0)])
            windows = [between_zeros[c : c + size] for c in range(len(characters))]
            expected.append(np.max([np.einsum("ke,kef->f", window, kernel) for window in windows], axis=0))
        expected = np.concatenate(expected)
        negative += np.sum(expected < 0)
        assert_allclose(
            output[row, position], np.maximum(expected + as_array(layer.bias), 0), atol=1e-6, rtol=1e-5
        )
    assert negative


def test_kernel_sizes_are_a_plain_list_in_the_config():
    layer = CharacterCNN(vocabulary_size=5, embedding_dim=2, filters=3, kernel_sizes=(2, 4))
    assert layer.get_config()["kernel_sizes"] == [2, 4]
    assert layer.output_dim == 6


def test_attention_pooling_equals_the_formula_token_by_token():
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
        parts = np.split(hidden, NUM_HEADS, axis=1)
        expected = np.concatenate([weights[:, head] @ part for head, part in enumerate(parts)])
        assert_allclose(output[row, position], expected, atol=1e-5)


def test_units_that_the_heads_do_not_divide_are_an_error():
    with pytest.raises(SeqlabError, match=r"character_filters[\s\S]*a multiple of 4"):
        CharacterAttentionPooling(vocabulary_size=5, embedding_dim=2, units=6)


def test_bilstm_equals_reading_each_token_alone():
    inputs = character_id_inputs(3, 4)
    layer = built(CASES["character_bilstm"], inputs)
    table = as_array(layer.embedding.embeddings)
    output = as_array(layer(inputs.x))
    for row, position in np.argwhere(inputs.real):
        ids = inputs.x[row, position]
        alone = layer.recurrent_layer(table[ids[ids != 0]][None])
        assert_allclose(output[row, position], as_array(alone)[0], atol=1e-6)


def test_no_fully_padded_row_reaches_the_recurrent_layer():
    """CuDNN asserts this, and that padding is on the right; the CPU implementation does not."""
    inputs = character_id_inputs(4, 5).blanked(1)
    layer = built(CASES["character_bilstm"], inputs)
    with mock.patch.object(layer, "recurrent_layer", wraps=layer.recurrent_layer) as recurrent_layer:
        layer(inputs.x)
    mask = np.array(recurrent_layer.call_args.kwargs["mask"])
    lengths = mask.sum(axis=1)
    assert lengths.min() == 1
    assert np.array_equal(mask, np.arange(mask.shape[1]) < lengths[:, None])
    assert np.array_equal(lengths, np.maximum((inputs.x != 0).sum(axis=-1).ravel(), 1))
