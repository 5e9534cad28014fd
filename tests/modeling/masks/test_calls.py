from __future__ import annotations

import keras
import numpy as np
import pytest

from seqlab.modeling.masks.calls import FILLS, STRIPS, record_calls

TOKEN_IDS = np.array([[4, 2, 0], [3, 0, 0]])
MASK = TOKEN_IDS != 0


@pytest.fixture
def embedding():
    return keras.layers.Embedding(5, 4, mask_zero=True, name="embedding")


def test_notes_calls_with_their_parents_in_order(embedding):
    model = keras.Sequential([embedding, keras.layers.Dense(2, name="dense")], name="model")
    calls = record_calls(model, TOKEN_IDS)
    assert calls[0].path == "model"
    assert calls[-2].path.endswith("/embedding")
    assert calls[-1].path.endswith("/dense")
    assert calls[-1].parent is calls[-2].parent
    assert [call.type_name for call in calls[-2:]] == ["Embedding", "Dense"]


def test_notes_masks_on_inputs_and_outputs(embedding):
    dense = keras.layers.Dense(2)
    first, second = record_calls(lambda x: dense(embedding(x)), keras.ops.convert_to_tensor(TOKEN_IDS))
    assert (first.received, first.passed_on) == (False, True)
    assert (second.received, second.passed_on) == (True, True)
    np.testing.assert_array_equal(second.input_masks[0], MASK)
    np.testing.assert_array_equal(second.output_masks[0], MASK)
    assert not second.explicit_masks


@pytest.mark.parametrize("positional", [True, False])
def test_notes_masks_given_as_arguments(positional):
    lstm = keras.layers.LSTM(2)
    x = np.zeros((2, 3, 4), "float32")
    mask = keras.ops.convert_to_tensor(MASK)
    call = record_calls(lambda x: lstm(x, None, mask) if positional else lstm(x, mask=mask), x)[0]
    if positional:  # LSTM.call(sequences, initial_state, mask)
        assert list(call.operation._call_signature.parameters)[2] == "mask"
    assert call.received
    np.testing.assert_array_equal(call.explicit_masks[0], MASK)
    assert not call.passed_on  # return_sequences=False


def test_notes_raw_operations_of_functional_models(embedding):
    inputs = keras.Input((3,))
    x = embedding(inputs)
    model = keras.Model(inputs, x + x)
    last = record_calls(model, TOKEN_IDS)[-1]
    assert last.type_name == "Add"
    assert not isinstance(last.operation, keras.layers.Layer)
    assert (last.received, last.passed_on) == (True, False)


def test_notes_a_mask_taken_off_the_callers_tensor(embedding):
    attention = keras.layers.MultiHeadAttention(1, 2)

    def call(x):
        x = embedding(x)
        return attention(x, x)

    calls = record_calls(call, keras.ops.convert_to_tensor(TOKEN_IDS))
    assert [c.remark for c in calls if c.parent is None] == ["", STRIPS]


def test_notes_a_mask_that_marks_padding_as_real(embedding):
    concatenate = keras.layers.Concatenate()

    def call(token_ids):
        x = embedding(token_ids)
        return concatenate([x, keras.ops.zeros((2, 3, 1))])

    assert record_calls(call, keras.ops.convert_to_tensor(TOKEN_IDS))[-1].remark == FILLS


def test_leaves_no_trace(embedding):
    before = keras.layers.Layer.__call__, keras.Operation.__call__
    record_calls(embedding, TOKEN_IDS)
    assert (keras.layers.Layer.__call__, keras.Operation.__call__) == before
    with pytest.raises(ZeroDivisionError):
        record_calls(lambda x: embedding(x) / (1 // 0), TOKEN_IDS)
    assert (keras.layers.Layer.__call__, keras.Operation.__call__) == before
