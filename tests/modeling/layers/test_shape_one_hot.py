from __future__ import annotations

import keras
import numpy as np
from layer_cases import CASES
from layer_checks import check_layer
from numpy.testing import assert_array_equal

from seqlab.modeling.layers.shape_one_hot import ShapeOneHot

IDS = np.array([[2, 1, 0], [3, 0, 0]], dtype="int32")


def test_shared_checks(tmp_path):
    check_layer(CASES["shape_one_hot"], tmp_path)


def test_marks_real_shapes_and_leaves_padding_empty():
    expected = [[[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], [[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]]
    assert_array_equal(ShapeOneHot(vocabulary_size=4)(IDS), expected)


def test_stands_in_a_functional_model():
    inputs = keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, ShapeOneHot(vocabulary_size=4)(inputs))
    assert model.output.shape == (None, None, 4)
    assert_array_equal(model.predict(IDS, verbose=0), ShapeOneHot(vocabulary_size=4)(IDS))
