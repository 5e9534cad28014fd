from __future__ import annotations

import numpy as np
from layer_cases import CASES
from layer_checks import as_array, built, call, check_layer, feature_inputs
from numpy.testing import assert_allclose

from seqlab.modeling.encoders.feed_forward import FeedForward


def test_shared_checks(tmp_path):
    check_layer(CASES["feed_forward"], tmp_path)


def test_equals_the_formula():
    inputs = feature_inputs(3, 4)
    layer = FeedForward(intermediate_dim=6, activation="relu")
    layer.build((None, None, 8))
    layer.set_weights([np.random.default_rng(i).normal(size=w.shape) for i, w in enumerate(layer.weights)])
    w1, b1, w2, b2 = (as_array(w) for w in layer.weights)
    expected = np.maximum(inputs.x @ w1 + b1, 0) @ w2 + b2
    assert_allclose(as_array(call(layer, inputs))[inputs.mask], expected[inputs.mask], atol=1e-4, rtol=1e-5)


def test_dropout_is_on_in_training_only():
    inputs = feature_inputs(3, 5)
    layer = built(CASES["feed_forward"], inputs)
    assert np.array_equal(as_array(call(layer, inputs)), as_array(call(layer, inputs)))
    assert not np.array_equal(as_array(call(layer, inputs)), as_array(call(layer, inputs, training=True)))
