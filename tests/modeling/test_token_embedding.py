from __future__ import annotations

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from seqlab.errors import SeqlabError
from seqlab.modeling.token_embedding import ShapeOneHot, TokenEmbedding

IDS = np.array([[2, 3, 1, 0], [4, 0, 0, 0]], dtype="int32")


def embedding(**arguments):
    layer = TokenEmbedding(vocabulary_size=6, embedding_dim=3, **arguments)
    layer.set_embeddings(np.arange(18, dtype="float32").reshape(6, 3) + 1)
    return layer


def test_looks_up_rows_and_sets_padding_to_zero_whatever_row_0_contains():
    layer = embedding()
    output = np.array(layer(IDS))
    assert_array_equal(output[0, :3], [[7, 8, 9], [10, 11, 12], [4, 5, 6]])
    assert_array_equal(output[IDS == 0], 0)
    assert_array_equal(layer.compute_mask(IDS), IDS != 0)


def test_token_dropout_uses_the_unknown_id_at_its_rate_in_training_only():
    ids = np.full((50, 80), 5, dtype="int32")
    ids[:, 60:] = 0
    layer = embedding(token_dropout=0.25)
    assert_array_equal(np.array(layer(ids, training=False))[:, :60, 0], 16)

    values = np.array(layer(ids, training=True))[..., 0]
    assert_array_equal(values[:, 60:], 0)
    assert set(np.unique(values[:, :60])) == {4, 16}
    assert np.mean(values[:, :60] == 4) == pytest.approx(0.25, abs=0.03)


def test_random_numbers_differ_between_calls_and_continue_after_reload(tmp_path):
    ids = np.full((8, 8), 5, dtype="int32")
    inputs = keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, embedding(token_dropout=0.5)(inputs))
    first = np.array(model(ids, training=True))
    model.save(tmp_path / "model.keras")
    second = np.array(model(ids, training=True))
    assert not np.array_equal(first, second)

    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_array_equal(reloaded(ids, training=True), second)


def test_a_frozen_table_has_no_trainable_weights_and_accepts_vectors():
    layer = embedding(trainable=False)
    assert layer.trainable_variables == []
    assert layer.get_config()["trainable"] is False
    assert_allclose(np.array(layer(IDS))[0, 0], [7, 8, 9])


def test_frozen_rows_are_looked_up_but_neither_trained_nor_given_an_optimizer_state(tmp_path):
    layer = TokenEmbedding(vocabulary_size=6, embedding_dim=3, frozen_size=2)
    values = np.arange(18, dtype="float32").reshape(6, 3) + 1
    layer.set_embeddings(values[:4], values[4:])
    assert_array_equal(np.array(layer(IDS)), values[IDS] * (IDS != 0)[..., None])
    assert_array_equal(layer.table(), values)

    inputs = keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.Adam(0.1), loss="mse")
    model.train_on_batch(IDS, np.zeros((2, 4, 3), "float32"))
    changed = (layer.table() != values).any(axis=1)
    assert_array_equal(changed, [False, True, True, True, False, False])
    assert max(np.prod(variable.shape, dtype=int) for variable in model.optimizer.variables) == 4 * 3

    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_array_equal(np.array(reloaded(IDS)), np.array(model(IDS)))


def test_vectors_of_another_shape_are_an_error():
    with pytest.raises(SeqlabError, match=r"do not fit[\s\S]*shape \(6, 3\)[\s\S]*shape \(6, 4\)"):
        embedding().set_embeddings(np.zeros((6, 4)))


def test_one_hot_marks_real_shapes_and_sets_padding_to_zero():
    ids = np.array([[2, 1, 0], [3, 0, 0]], dtype="int32")
    expected = [[[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], [[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]]
    assert_array_equal(ShapeOneHot(vocabulary_size=4)(ids), expected)
