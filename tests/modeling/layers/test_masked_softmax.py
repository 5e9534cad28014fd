from __future__ import annotations

import numpy as np
from layer_cases import CASES
from layer_checks import check_layer
from numpy.testing import assert_allclose, assert_array_equal

from seqlab.modeling.layers.masked_softmax import MaskedSoftmax


def test_shared_checks(tmp_path):
    check_layer(CASES["masked_softmax"], tmp_path)


def test_weights_by_hand():
    scores = np.log(np.array([[[1.0], [3.0], [100.0]], [[5.0], [7.0], [9.0]]], dtype="float32"))
    mask = np.array([[True, True, False], [False, False, False]])
    assert_allclose(MaskedSoftmax()(scores, mask=mask)[..., 0], [[0.25, 0.75, 0], [0, 0, 0]], atol=1e-6)


def test_columns_are_weighed_by_themselves():
    scores = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    mask = np.array([[True] * 5, [True] * 2 + [False] * 3])
    weights = np.array(MaskedSoftmax()(scores, mask=mask))
    assert_allclose(weights.sum(axis=1), np.ones((2, 3)), atol=1e-6)
    assert_array_equal(weights[1, 2:], 0)


def test_large_scores_stay_finite():
    scores = np.array([[[1e4], [1e4], [-1e4]]], dtype="float32")
    assert_allclose(MaskedSoftmax()(scores)[0, :, 0], [0.5, 0.5, 0])
