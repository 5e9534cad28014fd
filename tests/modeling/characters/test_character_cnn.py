from __future__ import annotations

import numpy as np
from layer_cases import CASES
from layer_checks import as_array, built, character_id_inputs, check_layer
from numpy.testing import assert_allclose

from seqlab.modeling.characters.character_cnn import CharacterCNN


def test_shared_checks(tmp_path):
    check_layer(CASES["character_cnn"], tmp_path)


def test_equals_the_formula_token_by_token():
    """Each token convolved by itself between zeros; the bias is large, to see a maximum below zero."""
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


def test_kernel_sizes_come_back_as_a_plain_list():
    layer = CharacterCNN(vocabulary_size=5, embedding_dim=2, filters=3, kernel_sizes=(2, 4))
    assert layer.get_config()["kernel_sizes"] == [2, 4]
    assert layer.compute_output_shape((None, None, None)) == (None, None, 6)
