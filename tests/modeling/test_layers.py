from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqlab.modeling.layers import Dropout, LayerNorm, gelu


def value_and_gradients(function, x, upstream, weights=()):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return [y, *tape.gradient(y, [x, *weights], output_gradients=upstream)]


@pytest.fixture
def x():
    return tf.constant(np.random.default_rng(1).normal(1, 3, (3, 5, 8)), tf.float32)


@pytest.fixture
def upstream():
    return tf.constant(np.random.default_rng(2).normal(size=(3, 5, 8)), tf.float32)


def test_layer_norm_has_the_values_and_gradients_of_keras(x, upstream):
    ours, keras_layer = LayerNorm(), keras.layers.LayerNormalization(epsilon=1e-6)
    for layer in (ours, keras_layer):
        layer.build(x.shape)
        layer.set_weights([np.linspace(0.5, 2, 8), np.linspace(-1, 1, 8)])
    results = [
        value_and_gradients(layer, x, upstream, [weight.value for weight in layer.weights])
        for layer in (ours, keras_layer)
    ]
    for mine, expected in zip(*results, strict=True):
        np.testing.assert_allclose(mine, expected, atol=1e-5)


def test_layer_norm_computes_in_float32_under_mixed_precision(x):
    layer = LayerNorm(dtype="mixed_float16")
    layer.build(x.shape)
    huge = tf.cast(x, tf.float16) * 3000  # whose squares are infinite in float16
    assert layer(huge).dtype == tf.float16
    np.testing.assert_allclose(
        layer(huge), keras.layers.LayerNormalization()(tf.cast(huge, tf.float32)), atol=2e-3
    )


def test_gelu_has_the_values_and_gradients_of_keras(x, upstream):
    expected = value_and_gradients(lambda x: keras.ops.gelu(x, approximate=False), x, upstream)
    for mine, theirs in zip(value_and_gradients(gelu, x, upstream), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout_drops_its_share_and_keeps_the_mean(rate):
    dropped = np.asarray(Dropout(rate, seed=3)(tf.ones((100, 101, 7)), training=True))  # an odd number
    assert np.mean(dropped == 0) == pytest.approx(rate, abs=0.006)  # five standard deviations
    np.testing.assert_allclose(np.unique(dropped), [0, 1 / (1 - rate)], rtol=1e-4)


def test_entries_are_dropped_independently():
    kept = np.asarray(Dropout(0.5, seed=4)(tf.ones((1000, 64)), training=True)) > 0
    correlations = np.corrcoef(kept.T) - np.eye(64)
    assert np.abs(correlations).max() < 0.18  # five standard deviations and a half


def test_dropout_passes_gradients_of_kept_entries_only(x, upstream):
    kept, gradient = value_and_gradients(lambda x: Dropout(0.4, seed=5)(x, training=True), x, upstream)
    scale = np.asarray(kept) / np.asarray(x)
    np.testing.assert_allclose(gradient, scale * upstream, rtol=1e-5)


def test_dropout_depends_on_its_seed_and_changes_from_call_to_call(x):
    first, second = (Dropout(0.5, seed=6) for _ in range(2))
    calls = [np.asarray(layer(x, training=True)) for layer in (first, second, first)]
    np.testing.assert_array_equal(calls[0], calls[1])
    assert np.any(calls[0] != calls[2])


def test_dropout_does_nothing_in_inference(x):
    assert Dropout(0.5)(x) is x


def test_dropout_keeps_the_type_of_its_input(x):
    assert Dropout(0.5, dtype="float16")(tf.cast(x, tf.float16), training=True).dtype == tf.float16
