from __future__ import annotations

import keras
import numpy as np
import pytest
from layer_cases import CASES
from layer_checks import as_array, call, check_layer, feature_inputs
from numpy.testing import assert_allclose

from seqlab.modeling.encoders.residual_block import ResidualBlock


def test_shared_checks(tmp_path):
    check_layer(CASES["residual_block"], tmp_path)


@pytest.mark.parametrize("norm_first", [True, False])
def test_equals_the_formula(norm_first):
    inputs = feature_inputs(3, 4)
    block = ResidualBlock(intermediate_dim=6, norm_first=norm_first)
    block.build((None, None, 8))
    block.norm.gamma.assign(np.linspace(0.5, 1.5, 8))
    x = inputs.x
    if norm_first:
        expected = x + block.feed_forward(block.norm(x))
    else:
        expected = block.norm(x + block.feed_forward(x))
    assert_allclose(as_array(call(block, inputs))[inputs.mask], as_array(expected)[inputs.mask], atol=1e-6)


def test_keeps_the_mask_that_a_plain_sum_loses():
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(5, 4, mask_zero=True)(ids)
    plain_sum = x + keras.layers.Dense(4)(x)
    block = ResidualBlock(intermediate_dim=6)(x)
    assert getattr(plain_sum, "_keras_mask", None) is None
    assert getattr(block, "_keras_mask", None) is not None
