from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from layer_cases import CASES, TRANSFORMER
from layer_checks import as_array, built, call, feature_inputs
from numpy.testing import assert_allclose, assert_array_equal

from seqlab.errors import SeqlabError
from seqlab.modeling.encoders.transformer import ConvolutionBlock, FeedForwardBlock, TransformerEncoder


def gelu(x):
    return np.vectorize(lambda v: v * 0.5 * (1 + math.erf(v / math.sqrt(2))))(x)


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 5])
def test_convolution_block_equals_the_formula(kernel_size):
    inputs = feature_inputs(3, 6)
    block = ConvolutionBlock(kernel_size=kernel_size)
    block.build((None, None, 8))
    block.norm.gamma.assign(np.linspace(0.5, 1.5, 8))
    block.convolution.bias.assign(np.linspace(-1, 1, 8))
    kernel, bias = (as_array(weight) for weight in (block.convolution.kernel, block.convolution.bias))
    received = as_array(call(block, inputs))
    for row, real in zip(range(3), inputs.mask, strict=True):
        x = inputs.x[row][real]  # one sentence without padding
        seen = as_array(block.norm(x))
        for t in range(len(x)):
            total = bias.astype(np.float64)
            for k in range(kernel_size):
                place = t + k - (kernel_size - 1) // 2
                if 0 <= place < len(x):
                    total = total + seen[place] @ kernel[k]
            assert_allclose(received[row, t], x[t] + gelu(total), atol=1e-5)


def test_a_plain_convolution_depends_on_padding_and_the_block_does_not():
    inputs = feature_inputs(2, 5)
    noisy = np.where(inputs.mask[..., None], inputs.x, 7).astype(np.float32)
    plain = keras.layers.Conv1D(8, 3, padding="same")
    block = ConvolutionBlock(kernel_size=3)
    real = inputs.mask
    assert np.abs(as_array(plain(inputs.x) - plain(noisy))[real]).max() > 1e-3
    first, second = (as_array(block(x, mask=real)) for x in (inputs.x, noisy))
    assert_allclose(first[real], second[real], atol=1e-6)


def test_feed_forward_block_equals_the_formula():
    inputs = feature_inputs(3, 4)
    block = built(CASES["feed_forward_block"], inputs)
    w1, b1, w2, b2 = (as_array(w) for w in (*block.inner.weights, *block.outer.weights))
    expected = inputs.x + gelu(as_array(block.norm(inputs.x)) @ w1 + b1) @ w2 + b2
    assert_allclose(as_array(call(block, inputs))[inputs.mask], expected[inputs.mask], atol=1e-5)


def test_feed_forward_block_keeps_the_mask_that_a_plain_sum_drops():
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(5, 4, mask_zero=True)(ids)
    plain_sum = x + keras.layers.Dense(4)(x)
    block = FeedForwardBlock(intermediate_dim=6)(x)
    assert getattr(plain_sum, "_keras_mask", None) is None
    assert getattr(block, "_keras_mask", None) is not None


def test_encoder_block_equals_its_steps():
    inputs = feature_inputs(3, 5)
    block = built(CASES["transformer_encoder_block"], inputs)
    x, mask = block.convolution_step(inputs.x, mask=inputs.mask), inputs.mask
    x = x + block.attention(block.norm(x), mask=mask)
    expected = block.feed_forward_step(x, mask=mask)
    assert_allclose(as_array(call(block, inputs))[mask], as_array(expected)[mask], atol=1e-6)


@pytest.mark.parametrize("name", ["feed_forward_block", "convolution_block", "transformer_encoder_block"])
def test_dropout_applies_in_training_only(name):
    inputs = feature_inputs(3, 5)
    block = built(CASES[name], inputs)
    assert_array_equal(as_array(call(block, inputs)), as_array(call(block, inputs)))
    assert not np.array_equal(as_array(call(block, inputs)), as_array(call(block, inputs, training=True)))


def test_arguments_reach_every_step():
    encoder = TransformerEncoder(
        **{**TRANSFORMER, "num_layers": 3}, attention_dropout=0.3, convolution_kernel_size=2
    )
    encoder.build((None, None, 8))
    assert len(encoder.blocks) == 3
    for block in encoder.blocks:
        attention, feed_forward = block.attention, block.feed_forward_step
        assert (attention.num_heads, attention.dropout, attention.relative_positions) == (2, 0.3, True)
        assert (feed_forward.intermediate_dim, feed_forward.dropout) == (12, 0.1)
        assert (block.convolution_step.kernel_size, block.convolution_step.dropout) == (2, 0.1)


@pytest.mark.parametrize("positions", ["absolute", "sinusoidal", "relative"])
def test_order_matters_and_nan_at_padding_does_not(positions):
    inputs = feature_inputs(3, 6)
    encoder = TransformerEncoder(positions=positions, max_length=20, **TRANSFORMER)
    x = inputs.x[:1]
    assert not np.allclose(as_array(encoder(x)), as_array(encoder(x[:, ::-1]))[:, ::-1], atol=1e-3)
    expected = as_array(encoder(inputs.x, mask=inputs.mask))
    with_nan = np.where(inputs.mask[..., None], inputs.x, np.nan).astype("float32")
    assert_array_equal(as_array(encoder(with_nan, mask=inputs.mask)), expected)


def test_input_is_projected_only_if_sizes_differ():
    for dim, projected in ((8, False), (5, True)):
        encoder = TransformerEncoder(**TRANSFORMER)
        assert encoder(feature_inputs(2, 3, dim=dim).x).shape == (2, 3, 8)
        assert (encoder.projection is not None) is projected


def test_unknown_positions_are_an_error():
    with pytest.raises(SeqlabError, match=r"unknown positions[\s\S]*absolute, sinusoidal, relative"):
        TransformerEncoder(positions="rotary", **TRANSFORMER)


def test_absolute_positions_without_a_maximum_length_are_an_error():
    with pytest.raises(SeqlabError, match="max_length: learned absolute positions"):
        TransformerEncoder(positions="absolute", **TRANSFORMER)
