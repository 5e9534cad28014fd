from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from layer_checks import as_array, call, feature_inputs
from numpy.testing import assert_allclose, assert_array_equal

from seqlab.modeling.encoders.bilstm import BiLSTMEncoder


@pytest.fixture
def cudnn(monkeypatch):
    """The path of a GPU: Keras's layers, which the CPU runs without cuDNN."""
    monkeypatch.setattr(BiLSTMEncoder, "_uses_cudnn", lambda self: True)


def test_both_paths_give_the_same(monkeypatch):
    inputs = feature_inputs(3, 6).blanked(1)
    encoder = BiLSTMEncoder(num_layers=2, units=3)
    loop = as_array(call(encoder, inputs))
    monkeypatch.setattr(BiLSTMEncoder, "_uses_cudnn", lambda self: True)
    assert_allclose(as_array(call(encoder, inputs)), loop, atol=1e-6)


def test_equals_reading_each_sentence_alone():
    """Without padding and mask: the backward LSTM starts at the last real token."""
    inputs = feature_inputs(3, 6)
    encoder = BiLSTMEncoder(num_layers=2, units=3)
    output = as_array(call(encoder, inputs))
    for row, length in enumerate(inputs.mask.sum(axis=1)):
        x = inputs.x[row : row + 1, :length]
        for layer in encoder.recurrent_layers:
            x = layer(x)
        assert_allclose(output[row, :length], as_array(x)[0], atol=1e-6)


@pytest.mark.parametrize("padding", [np.nan, np.inf])
def test_padding_that_is_not_finite_reaches_neither_output_nor_gradient(padding):
    inputs = feature_inputs(3, 6)
    encoder = BiLSTMEncoder(num_layers=2, units=3)
    expected = as_array(call(encoder, inputs))
    x = tf.Variable(np.where(inputs.mask[..., None], inputs.x, padding))
    with tf.GradientTape() as tape:
        output = encoder(x, mask=inputs.mask)
        loss = tf.reduce_sum(output**2)
    assert_array_equal(as_array(output), expected)
    for gradient in tape.gradient(loss, [x, *(weight.value for weight in encoder.trainable_variables)]):
        assert np.isfinite(gradient).all()


def test_no_fully_padded_row_reaches_a_recurrent_layer(cudnn):
    """CuDNN asserts this; the CPU implementation does not."""
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


def test_the_lstm_arguments_allow_cudnn():
    encoder = BiLSTMEncoder(num_layers=1, units=3)
    encoder.build((None, None, 4))
    for lstm in (encoder.recurrent_layers[0].forward_layer, encoder.recurrent_layers[0].backward_layer):
        config = lstm.get_config()
        assert lstm.use_cudnn == "auto"
        assert config["recurrent_dropout"] == 0
        assert config["unroll"] is False
        assert (config["activation"], config["recurrent_activation"]) == ("tanh", "sigmoid")
