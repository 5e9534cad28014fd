from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_cases import CASES
from layer_checks import AttachMask, ReadMask, check_layer, feature_inputs
from numpy.testing import assert_allclose, assert_array_equal

from seqlab.modeling.encoders.bilstm_encoder import BiLSTMEncoder
from seqlab.modeling.layers.time_windows import TimeJoin, TimeSplit


def there_and_back(encoder=None):
    x = keras.Input((None, 8))
    mask = keras.Input((None,), dtype="bool")
    rows = AttachMask()([x, mask])
    windows = TimeSplit(window_length=3)(rows)
    joined = TimeJoin()([windows if encoder is None else encoder(windows), rows])
    return keras.Model([x, mask], [joined, ReadMask()(joined), ReadMask()(windows)])


def test_shared_checks(tmp_path):
    check_layer(CASES["time_split"], tmp_path)


def test_windows_of_a_row_follow_each_other():
    x = np.arange(1, 11, dtype="float32").reshape(2, 5, 1)
    mask = np.array([[True] * 5, [True] * 2 + [False] * 3])
    layer = TimeSplit(window_length=2)
    assert_array_equal(layer(x, mask=mask)[..., 0], [[1, 2], [3, 4], [5, 0], [6, 7], [0, 0], [0, 0]])
    assert_array_equal(
        layer.compute_mask(x, mask),
        [[True, True], [True, True], [True, False], [True, True], [False, False], [False, False]],
    )


def test_without_a_mask_only_what_fills_up_is_padding():
    layer = TimeSplit(window_length=2)
    assert_array_equal(layer(np.ones((1, 3, 1), dtype="float32"))._keras_mask, [[True, True], [True, False]])


def test_static_shapes():
    layer = TimeSplit(window_length=3)
    assert layer.compute_output_shape((4, 7, 8)) == (12, 3, 8)
    assert layer.compute_output_shape((None, None, 8)) == (None, 3, 8)
    assert TimeJoin().compute_output_shape([(12, 3, 5), (4, 7, 8)]) == (4, 7, 5)


@pytest.mark.parametrize("length", [1, 3, 7])
def test_join_undoes_split_and_brings_the_mask_back(length):
    inputs = feature_inputs(5, length)
    model = there_and_back()
    rows, mask, _ = model.predict([inputs.x, inputs.mask], batch_size=5, verbose=0)
    assert_array_equal(rows, np.where(inputs.mask[..., None], inputs.x, 0))
    assert_array_equal(mask, inputs.mask)


def test_join_gives_padding_zeros_whatever_stands_in_the_windows():
    mask = np.array([[True, True, True], [True, False, False]])
    windows, like = np.ones((4, 2, 5), dtype="float32"), np.ones((2, 3, 1), dtype="float32")
    joined = TimeJoin()([windows, like], mask=[np.ones((4, 2), dtype=bool), mask])
    assert_array_equal(joined, np.broadcast_to(mask[..., None], (2, 3, 5)))


def test_an_encoder_sees_each_window_by_itself():
    inputs = feature_inputs(4, 7)
    encoder = BiLSTMEncoder(num_layers=1, units=2)
    joined = np.array(there_and_back(encoder)([inputs.x, inputs.mask])[0])
    for row, length in enumerate(inputs.mask.sum(axis=1)):
        for start in range(0, length, 3):
            end = min(start + 3, length)
            alone = np.array(encoder(inputs.x[row : row + 1, start:end]))[0]
            assert_allclose(joined[row, start:end], alone, atol=1e-6)


def test_join_in_graph_under_xla_and_after_reload(tmp_path):
    inputs = feature_inputs(4, 7)
    arrays = [tf.constant(inputs.x), tf.constant(inputs.mask)]
    model = there_and_back(BiLSTMEncoder(num_layers=1, units=2))
    eager = model(arrays)[0]
    for jit_compile in (False, True):
        graph = tf.function(lambda *a: model(list(a))[0], jit_compile=jit_compile)
        assert_allclose(graph(*arrays), eager, atol=1e-6)
    model.save(tmp_path / "model.keras")
    assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(arrays)[0], eager)
