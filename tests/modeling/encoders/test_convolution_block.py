from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from layer_cases import CASES
from layer_checks import as_array, call, check_layer, feature_inputs
from numpy.testing import assert_allclose

from seqlab.modeling.encoders.convolution_block import ConvolutionBlock


@pytest.mark.parametrize("case", ["convolution_block", "convolution_block_norm_last"])
def test_shared_checks(case, tmp_path):
    check_layer(CASES[case], tmp_path)


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 5])
def test_equals_the_formula(norm_first, kernel_size):
    inputs = feature_inputs(3, 6)
    block = ConvolutionBlock(kernel_size=kernel_size, norm_first=norm_first)
    block.build((None, None, 8))
    block.norm.gamma.assign(np.linspace(0.5, 1.5, 8))
    block.convolution.bias.assign(np.linspace(-1, 1, 8))
    kernel, bias = (as_array(weight) for weight in (block.convolution.kernel, block.convolution.bias))
    received = as_array(call(block, inputs))
    for row, real in zip(range(3), inputs.mask, strict=True):
        x = inputs.x[row][real]  # one sentence by itself, without any padding
        seen = as_array(block.norm(x)) if norm_first else x
        expected = np.zeros_like(x)
        for t in range(len(x)):
            total = bias.astype(np.float64)
            for k in range(kernel_size):
                place = t + k - (kernel_size - 1) // 2
                if 0 <= place < len(x):
                    total = total + seen[place] @ kernel[k]
            gelu = [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in total]
            expected[t] = x[t] + gelu
        if len(x) and not norm_first:
            expected = as_array(block.norm(expected))
        assert_allclose(received[row][real], expected, atol=1e-5)


def test_a_plain_convolution_reads_what_stands_at_padding_and_ours_does_not():
    inputs = feature_inputs(2, 5)
    noisy = np.where(inputs.mask[..., None], inputs.x, 7).astype(np.float32)
    plain = keras.layers.Conv1D(8, 3, padding="same")
    block = ConvolutionBlock(kernel_size=3)
    real = inputs.mask
    assert np.abs(as_array(plain(inputs.x) - plain(noisy))[real]).max() > 1e-3
    quiet, loud = (as_array(block(x, mask=real)) for x in (inputs.x, noisy))
    assert_allclose(quiet[real], loud[real], atol=1e-6)
