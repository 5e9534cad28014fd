from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqlab.modeling.encoders.recurrence import lstm_states

LENGTHS = np.array([5, 3, 1])
MASK = np.arange(5) < LENGTHS[:, None]


@pytest.fixture(scope="module")
def layer():
    layer = keras.layers.LSTM(4, return_sequences=True, bias_initializer="random_normal")
    layer.build((None, None, 3))
    return layer


def states(layer, x, mask):
    """`lstm_states` with the weights of Keras's layer, batch first."""
    cell = layer.cell
    inputs = tf.transpose(tf.matmul(x, cell.kernel) + cell.bias, (1, 0, 2))
    result = lstm_states(inputs, cell.recurrent_kernel, None if mask is None else tf.transpose(mask))
    return tf.transpose(result, (1, 0, 2))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("graph", [False, True])
def test_states_and_gradients_are_those_of_keras(layer, masked, graph):
    x = tf.constant(np.random.default_rng(0).normal(size=(3, 5, 3)), tf.float32)
    mask = tf.constant(MASK) if masked else None
    weight = tf.constant(MASK[..., None] if masked else np.ones((3, 5, 1)), tf.float32)

    def results(x, function):
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = function(x) * weight
            loss = tf.reduce_sum(tf.sin(3 * output))
        variables = [variable.value for variable in layer.trainable_variables]
        return [output, *tape.gradient(loss, [x, *variables])]

    def ours(x):
        return results(x, lambda x: states(layer, x, mask))

    if graph:
        ours = tf.function(ours, input_signature=[tf.TensorSpec([None, None, 3])])
    expected = results(x, lambda x: layer(x, mask=mask))
    for value, other in zip(ours(x), expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padding", [0.0, 7.0, np.inf, np.nan])
def test_padding_of_any_value_changes_nothing_and_gets_state_zero(layer, padding):
    x = np.random.default_rng(0).normal(size=(3, 5, 3)).astype("float32")
    expected = states(layer, tf.constant(x), tf.constant(MASK))
    x[~MASK] = padding
    result = states(layer, tf.constant(x), tf.constant(MASK)).numpy()
    np.testing.assert_array_equal(result, expected)
    assert not result[~MASK].any()


def test_reading_backwards_starts_at_the_last_real_token(layer):
    x = tf.constant(np.random.default_rng(0).normal(size=(3, 5, 3)), tf.float32)
    backwards = states(layer, x[:, ::-1], tf.constant(MASK[:, ::-1])).numpy()[:, ::-1]
    for row, length in enumerate(LENGTHS):
        alone = states(layer, x[row : row + 1, :length][:, ::-1], None).numpy()[:, ::-1]
        np.testing.assert_allclose(backwards[row, :length], alone[0], atol=1e-6)
