from __future__ import annotations

from unittest import mock

import numpy as np
from layer_cases import CASES
from layer_checks import as_array, built, character_id_inputs, check_layer
from numpy.testing import assert_allclose

from seqlab.modeling.characters.character_bilstm import CharacterBiLSTM


def test_shared_checks(tmp_path):
    check_layer(CASES["character_bilstm"], tmp_path)


def test_equals_each_token_read_by_itself():
    inputs = character_id_inputs(3, 4)
    layer = built(CASES["character_bilstm"], inputs)
    table = as_array(layer.embedding.embeddings)
    output = as_array(layer(inputs.x))
    for row, position in np.argwhere(inputs.real):
        ids = inputs.x[row, position]
        alone = layer.recurrent_layer(table[ids[ids != 0]][None])
        assert_allclose(output[row, position], as_array(alone)[0], atol=1e-6)


def test_no_wholly_padded_row_reaches_the_recurrent_layer():
    """CuDNN asserts this, and that padding stands at the right; a CPU would not notice."""
    inputs = character_id_inputs(4, 5).blanked(1)
    layer = built(CASES["character_bilstm"], inputs)
    with mock.patch.object(layer, "recurrent_layer", wraps=layer.recurrent_layer) as recurrent_layer:
        layer(inputs.x)
    mask = np.array(recurrent_layer.call_args.kwargs["mask"])
    lengths = mask.sum(axis=1)
    assert lengths.min() == 1
    assert np.array_equal(mask, np.arange(mask.shape[1]) < lengths[:, None])
    assert np.array_equal(lengths, np.maximum((inputs.x != 0).sum(axis=-1).ravel(), 1))


def test_use_cudnn_reaches_both_directions():
    layer = CharacterBiLSTM(vocabulary_size=5, embedding_dim=2, units=3, use_cudnn=False)
    layer(np.ones((1, 1, 1), dtype="int32"))
    assert layer.recurrent_layer.forward_layer.use_cudnn is False
    assert layer.recurrent_layer.backward_layer.use_cudnn is False
