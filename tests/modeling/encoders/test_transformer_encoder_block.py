from __future__ import annotations

import numpy as np
import pytest
from layer_cases import BLOCK, CASES
from layer_checks import as_array, built, call, check_layer, feature_inputs
from numpy.testing import assert_allclose

from seqlab.modeling.encoders.transformer_encoder_block import TransformerEncoderBlock

NAMES = [
    "transformer_encoder_block",
    "transformer_encoder_block_norm_last",
    "transformer_encoder_block_convolution",
]


@pytest.mark.parametrize("name", NAMES)
def test_shared_checks(name, tmp_path):
    check_layer(CASES[name], tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_equals_its_steps(name):
    inputs = feature_inputs(3, 5)
    block = built(CASES[name], inputs)
    x, mask = inputs.x, inputs.mask
    if block.convolution_step is not None:
        x = block.convolution_step(x, mask=mask)
    if block.norm_first:
        x = x + block.attention(block.norm(x), mask=mask)
    else:
        x = block.norm(x + block.attention(x, mask=mask))
    expected = block.feed_forward_step(x, mask=mask)
    assert_allclose(as_array(call(block, inputs))[mask], as_array(expected)[mask], atol=1e-6)


def test_arguments_reach_the_steps():
    block = TransformerEncoderBlock(
        **{**BLOCK, "activation": "relu"}, scale_scores=False, norm_first=False, convolution_kernel_size=5
    )
    block.build((None, None, 8))
    assert block.attention.dropout == 0.1
    assert block.attention.scale_scores is False
    assert block.feed_forward_step.feed_forward.activation == "relu"
    assert block.feed_forward_step.feed_forward.intermediate_dim == 12
    assert block.convolution_step.kernel_size == 5
    assert block.convolution_step.dropout == 0.1
    assert block.convolution_step.norm_first is False


def test_dropout_is_on_in_training_only():
    inputs = feature_inputs(3, 5)
    block = built(CASES["transformer_encoder_block"], inputs)
    assert np.array_equal(as_array(call(block, inputs)), as_array(call(block, inputs)))
    assert not np.array_equal(as_array(call(block, inputs)), as_array(call(block, inputs, training=True)))
