from __future__ import annotations

import keras
import numpy as np
import pytest
from layer_cases import CASES
from layer_checks import check_layer
from numpy.testing import assert_array_equal

from seqlab.errors import SeqlabError
from seqlab.modeling.layers.dense_input import DenseInput

X = np.array([[[1, 2], [7, -1], [7, 5]], [[7, -1], [7, -1], [7, -1]]], dtype="float32")
REAL = np.array([[True, False, True], [False, False, False]])


def test_shared_checks(tmp_path):
    check_layer(CASES["dense_input"], tmp_path)


def test_padding_is_where_every_entry_equals_the_value():
    layer = DenseInput(mask_value=[7, -1])
    assert_array_equal(layer.compute_mask(X), REAL)
    assert_array_equal(layer(X), np.where(REAL[..., None], X, 0))


def test_a_mask_that_arrives_is_respected():
    layer = DenseInput(mask_value=[7, -1])
    arriving = np.array([[True, True, False], [True, True, True]])
    assert_array_equal(layer.compute_mask(X, arriving), REAL & arriving)
    assert_array_equal(layer(X, mask=arriving), np.where((REAL & arriving)[..., None], X, 0))


def test_half_precision_does_not_round_a_token_onto_padding():
    """In float16 the first token's number would be padding's zero."""
    x = np.array([[[1e-9, 0], [0, 0]]], dtype="float32")
    layer = DenseInput(mask_value=[0, 0], dtype="mixed_float16")
    assert_array_equal(layer(x)._keras_mask, [[True, False]])


def test_mask_value_comes_back_from_a_file_where_an_array_given_to_masking_does_not(tmp_path):
    def saved(layer):
        inputs = keras.Input((None, 2))
        keras.Model(inputs, layer(inputs)).save(tmp_path / "model.keras")
        return keras.saving.load_model(tmp_path / "model.keras")

    model = saved(DenseInput(mask_value=[7, -1]))
    assert model.layers[-1].mask_value == [7.0, -1.0]
    assert_array_equal(model(X)._keras_mask, REAL)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_value_that_is_not_a_number_is_refused(number):
    with pytest.raises(SeqlabError, match="finite numbers"):
        DenseInput(mask_value=[0.0, number])


def test_a_value_of_another_size_is_refused():
    with pytest.raises(SeqlabError, match=r"expected: 2 numbers[\s\S]*received: 3 numbers"):
        DenseInput(mask_value=[0, 0, 0])(X)
