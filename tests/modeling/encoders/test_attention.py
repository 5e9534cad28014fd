from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_cases import CASES
from layer_checks import as_array, built, call, feature_inputs
from numpy.testing import assert_allclose, assert_array_equal

from seqlab.errors import SeqlabError
from seqlab.modeling.encoders.attention import SelfAttention


def test_equals_keras_attention_with_the_same_weights():
    inputs = feature_inputs(3, 6)
    layer = built(CASES["self_attention"], inputs)
    reference = keras.layers.MultiHeadAttention(num_heads=2, key_dim=4)
    reference.build((None, None, 8), (None, None, 8))
    weights = layer.get_weights()
    reference.set_weights([w.reshape(v.shape) for w, v in zip(weights, reference.weights, strict=True)])
    expected = reference(inputs.x, inputs.x, attention_mask=inputs.mask[:, None, :])
    assert_allclose(
        as_array(call(layer, inputs))[inputs.mask], as_array(expected)[inputs.mask], atol=1e-5, rtol=1e-5
    )


def test_relative_scores_equal_the_formula():
    """TENER's four terms, distance by distance, on each sentence without its padding."""
    inputs = feature_inputs(3, 9)
    layer = SelfAttention(num_heads=2, relative_positions=True)
    output = as_array(call(layer, inputs))
    q, k, v, last = (
        [as_array(w) for w in f.weights]
        for f in (layer.query, layer.key, layer.value, layer.output_projection)
    )
    content_bias, distance_bias = as_array(layer.content_bias), as_array(layer.distance_bias)
    frequencies = 10000.0 ** (-2 * np.arange(2) / 4)
    for row, length in enumerate(inputs.mask.sum(axis=1)):
        x = inputs.x[row, :length]
        query, key, value = ((x @ w + b).reshape(length, 2, 4) for w, b in (q, k, v))
        context = np.zeros((length, 2, 4))
        for head in range(2):
            for t in range(length):
                angles = (t - np.arange(length))[:, None] * frequencies
                r = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
                scores = key[:, head] @ (query[t, head] + content_bias[head, 0])
                scores = scores + r @ (query[t, head] + distance_bias[head, 0])
                weights = np.exp(scores / 2)
                context[t, head] = weights / weights.sum() @ value[:, head]
        expected = context.reshape(length, 8) @ last[0] + last[1]
        assert_allclose(output[row, :length], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("relative", [False, True])
def test_padding_has_no_gradient(relative):
    inputs = feature_inputs(4, 7)
    layer = SelfAttention(num_heads=2, relative_positions=relative)
    x = tf.constant(inputs.x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(tf.square(layer(x, mask=inputs.mask)))
    gradient = np.array(tape.gradient(loss, x))
    assert_array_equal(gradient[~inputs.mask], 0)
    assert np.all(np.any(gradient[inputs.mask] != 0, axis=-1))


def test_order_matters_only_with_relative_positions():
    x = feature_inputs(1, 5).x
    for relative in (False, True):
        layer = SelfAttention(num_heads=2, relative_positions=relative)
        forwards, backwards = as_array(layer(x)), as_array(layer(x[:, ::-1]))[:, ::-1]
        assert np.allclose(forwards, backwards, atol=1e-5) is not relative


def test_heads_that_do_not_divide_the_vectors_are_an_error():
    with pytest.raises(SeqlabError, match=r"a multiple of 3\n"):
        SelfAttention(num_heads=3).build((None, None, 8))
    with pytest.raises(SeqlabError, match=r"a multiple of 8 .*even size per head"):
        SelfAttention(num_heads=4, relative_positions=True).build((None, None, 12))
