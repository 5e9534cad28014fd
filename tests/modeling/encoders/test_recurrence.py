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


def states(layer, x, mask, *, backwards=False):
    """`lstm_states` with the weights of Keras's layer, batch first."""
    by_time = None if mask is None else tf.transpose(mask)
    result = lstm_states(tf.transpose(x, (1, 0, 2)), layer.cell, by_time, backwards=backwards)
    return tf.transpose(result, (1, 0, 2))


def keras_states(layer, x, mask, *, backwards):
    """The same by Keras's loop, which reads backwards in flipped arrays."""
    if not backwards:
        return layer(x, mask=mask)
    return layer(x[:, ::-1], mask=None if mask is None else mask[:, ::-1])[:, ::-1]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("graph", [False, True])
def test_states_and_gradients_are_those_of_keras(layer, masked, graph, backwards):
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
        return results(x, lambda x: states(layer, x, mask, backwards=backwards))

    if graph:
        ours = tf.function(ours, input_signature=[tf.TensorSpec([None, None, 3])])
    expected = results(x, lambda x: keras_states(layer, x, mask, backwards=backwards))
    for value, other in zip(ours(x), expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("padding", [7.0, -1e30, 1e30])
def test_padding_of_any_value_changes_nothing_and_gets_state_zero(layer, padding, backwards):
    x = np.random.default_rng(0).normal(size=(3, 5, 3)).astype("float32")
    x[~MASK] = 0
    expected = states(layer, tf.constant(x), tf.constant(MASK), backwards=backwards)
    x[~MASK] = padding
    result = states(layer, tf.constant(x), tf.constant(MASK), backwards=backwards).numpy()
    np.testing.assert_array_equal(result, expected)
    assert not result[~MASK].any()


def test_reading_backwards_starts_at_the_last_real_token(layer):
    x = tf.constant(np.random.default_rng(0).normal(size=(3, 5, 3)), tf.float32)
    result = states(layer, x, tf.constant(MASK), backwards=True).numpy()
    for row, length in enumerate(LENGTHS):
        alone = states(layer, x[row : row + 1, :length], None, backwards=True).numpy()
        np.testing.assert_allclose(result[row, :length], alone[0], atol=1e-6)


def test_mixed_precision_computes_the_loop_in_float32(layer):
    x = tf.cast(np.random.default_rng(0).normal(size=(3, 5, 3)), tf.bfloat16)
    result = states(layer, x, tf.constant(MASK))
    assert result.dtype == tf.bfloat16
    expected = states(layer, tf.cast(x, tf.float32), tf.constant(MASK))
    np.testing.assert_allclose(tf.cast(result, tf.float32), expected, atol=0.02)
