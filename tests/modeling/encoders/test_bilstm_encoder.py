from __future__ import annotations

from unittest import mock

import keras
import numpy as np
from layer_cases import CASES
from layer_checks import as_array, call, check_layer, feature_inputs
from numpy.testing import assert_allclose, assert_array_equal

from seqlab.modeling.encoders.bilstm_encoder import BiLSTMEncoder


def test_shared_checks(tmp_path):
    check_layer(CASES["bilstm_encoder"], tmp_path)


def test_equals_each_sentence_read_by_itself():
    """Layer by layer without any mask: the backward reading begins at the last real token."""
    inputs = feature_inputs(4, 6)
    encoder = BiLSTMEncoder(num_layers=2, units=3)
    output = as_array(call(encoder, inputs))
    for row, length in enumerate(inputs.mask.sum(axis=1)):
        x = inputs.x[row : row + 1, :length]
        for layer in encoder.recurrent_layers:
            x = layer(x)
        assert_allclose(output[row, :length], as_array(x)[0], atol=1e-6)


def test_no_wholly_padded_row_reaches_a_recurrent_layer():
    """CuDNN asserts this; a CPU would not notice."""
    inputs = feature_inputs(4, 6).blanked(1)
    encoder = BiLSTMEncoder(num_layers=2, units=3)
    encoder.build(inputs.x.shape)
    expected = inputs.mask.copy()
    expected[1, 0] = True
    spies = [mock.Mock(wraps=layer) for layer in encoder.recurrent_layers]
    with mock.patch.object(encoder, "recurrent_layers", spies):
        call(encoder, inputs)
    for spy in spies:
        assert_array_equal(spy.call_args.kwargs["mask"], expected)


def test_variational_dropout_drops_the_same_entries_all_along_a_sentence():
    x = feature_inputs(2, 30).x
    for variational in (True, False):
        encoder = BiLSTMEncoder(num_layers=1, units=8, dropout=0.5, variational_dropout=variational)
        dropped = as_array(encoder(x, training=True)) == 0
        assert 0 < dropped.mean() < 1
        assert np.array_equal(dropped, np.broadcast_to(dropped[:, :1], dropped.shape)) is variational


def test_use_cudnn_is_kept_by_reload(tmp_path):
    inputs = keras.Input((None, 4))
    keras.Model(inputs, BiLSTMEncoder(num_layers=2, units=3, use_cudnn=False)(inputs)).save(
        tmp_path / "model.keras"
    )
    encoder = keras.saving.load_model(tmp_path / "model.keras").layers[-1]
    for layer in encoder.recurrent_layers:
        assert layer.forward_layer.use_cudnn is False
        assert layer.backward_layer.use_cudnn is False


def test_right_for_cudnn():
    encoder = BiLSTMEncoder(num_layers=1, units=3)
    encoder.build((None, None, 4))
    for lstm in (encoder.recurrent_layers[0].forward_layer, encoder.recurrent_layers[0].backward_layer):
        config = lstm.get_config()
        assert config["recurrent_dropout"] == 0
        assert config["unroll"] is False
        assert (config["activation"], config["recurrent_activation"]) == ("tanh", "sigmoid")
