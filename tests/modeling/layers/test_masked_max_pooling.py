from __future__ import annotations

import numpy as np
import pytest
from layer_cases import CASES
from layer_checks import as_array, check_layer
from numpy.testing import assert_array_equal

from seqlab.modeling.layers.masked_max_pooling import MaskedMaxPooling

X = np.array(
    [[[-3, -1], [-2, -4], [9, 9]], [[1, 2], [8, 8], [8, 8]], [[5, 5], [5, 5], [5, 5]]], dtype="float32"
)
MASK = np.array([[True, True, False], [True, False, False], [False, False, False]])


def test_shared_checks(tmp_path):
    check_layer(CASES["masked_max_pooling"], tmp_path)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_padding_is_never_the_largest(dtype):
    pooled = MaskedMaxPooling(dtype=dtype)(X, mask=MASK)
    assert_array_equal(as_array(pooled), [[-2, -1], [1, 2], [0, 0]])


def test_without_a_mask_every_position_counts():
    assert_array_equal(MaskedMaxPooling()(X), [[9, 9], [8, 8], [5, 5]])
