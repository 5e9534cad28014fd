from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from keras import ops

from seqlab.errors import SeqlabError
from seqlab.modeling.masks.walk import (
    FILLS,
    STRIPS,
    assert_mask_reaches,
    padding_changes_output,
    recording,
    walk_mask,
)

TOKEN_IDS = np.array([[4, 2, 3, 0], [3, 0, 0, 0]])
DIM = 4


class Unaware(keras.layers.Layer):
    """A layer without supports_masking."""

    def call(self, x):
        return x * 2


class Reader(keras.layers.Layer):
    """A layer that needs a mask."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x, mask=None):
        return x


class AttentionBlock(keras.layers.Layer):
    """Attention and sum in one layer, with an explicit attention mask."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = keras.layers.MultiHeadAttention(1, 2)
        self.supports_masking = True

    def build(self, input_shape):
        self.attention.build(input_shape, input_shape)

    def call(self, x, mask=None):
        return x + self.attention(x, x, attention_mask=mask[:, None, :])


def embedding():
    return keras.layers.Embedding(5, DIM, mask_zero=True, name="embedding")


def functional(between):
    """embedding -> between -> reader, as a functional model."""
    inputs = keras.Input((4,), dtype="int32")
    return keras.Model(inputs, Reader(name="reader")(between(embedding()(inputs))), name="tagger")


def composed(between):
    """The same as one subclassed model."""

    class Tagger(keras.Model):
        def __init__(self):
            super().__init__(name="tagger")
            self.embedding, self.reader = embedding(), Reader(name="reader")

        def call(self, token_ids):
            return self.reader(between(self.embedding(token_ids)))

    return Tagger()


def once(layer):
    """Return a function that calls the same layer every time."""
    return lambda x: layer(x)


def attend_and_add():
    attention, add = keras.layers.MultiHeadAttention(1, 2, name="attention"), keras.layers.Add(name="add")
    return lambda x: add([x, attention(x, x)])


def join_unmasked(join):
    unmasked = keras.layers.Dense(DIM, name="other")
    return lambda x: join([x, unmasked(ops.zeros_like(x))])


LOST = {
    "plus": (lambda: lambda x: x + x, None),
    "concatenate_op": (lambda: lambda x: ops.concatenate([x, x], axis=-1), None),
    "cast": (lambda: lambda x: ops.cast(x, "float16"), None),
    "reshape": (lambda: once(keras.layers.Reshape((4, DIM), name="reshape")), "Reshape"),
    "unaware": (lambda: once(Unaware(name="unaware")), "Unaware"),
    "conv": (lambda: once(keras.layers.Conv1D(2, 3, padding="same", name="conv")), "Conv1D"),
    "add_one_unmasked": (lambda: join_unmasked(keras.layers.Add(name="add")), "Add"),
}


@pytest.fixture
def lenient():
    """Allow Keras's warning about a lost mask, which is an error in other tests."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not support masking.*")
        yield


@pytest.mark.parametrize("style", [functional, composed])
@pytest.mark.parametrize("case", LOST)
def test_a_lost_mask_is_an_error_that_names_the_place(case, style, lenient):
    make, type_name = LOST[case]
    model = style(make())
    with pytest.raises(SeqlabError, match="the mask is lost") as caught:
        assert_mask_reaches(model, TOKEN_IDS, "reader")
    error = caught.value
    assert error.expected == "a mask at tagger/reader (Reader)"
    assert error.received == "none"
    assert "mask=" in error.remedy or "supports_masking" in error.remedy
    if type_name is not None:
        assert error.what.startswith(f"the mask is lost: {type_name} ")
    else:
        assert "a raw operation" in error.what
        assert error.where == "between tagger/embedding and tagger/reader"


def test_attention_that_removes_the_mask_from_its_input_is_named():
    with pytest.raises(
        SeqlabError, match="MultiHeadAttention removes the mask from its input tensor"
    ) as caught:
        assert_mask_reaches(composed(attend_and_add()), TOKEN_IDS, "reader")
    assert caught.value.where == "tagger/attention"
    assert "attention and sum in one layer" in caught.value.remedy


@pytest.mark.parametrize("style", [functional, composed])
def test_a_mask_that_marks_padding_as_real_is_an_error(style):
    model = style(join_unmasked(keras.layers.Concatenate(name="concatenate")))
    with pytest.raises(SeqlabError, match=r"tagger/concatenate \(Concatenate\) marks padding as real"):
        assert_mask_reaches(model, TOKEN_IDS, "reader")
    assert [fault.path for fault in walk_mask(model, TOKEN_IDS).faults] == ["tagger/concatenate"]


@pytest.mark.parametrize("style", [functional, composed])
@pytest.mark.parametrize(
    "between",
    [
        lambda: once(keras.layers.Dense(3)),
        lambda: once(keras.layers.Dropout(0.5)),
        lambda: once(AttentionBlock()),
        lambda: once(keras.layers.Bidirectional(keras.layers.LSTM(2, return_sequences=True))),
        lambda: lambda x: keras.layers.Add()([x, x]),
    ],
    ids=["dense", "dropout", "attention_block", "bilstm", "add"],
)
def test_a_mask_that_arrives_is_accepted(between, style):
    assert_mask_reaches(style(between()), TOKEN_IDS, "reader", "tagger/reader")


def test_a_mask_given_explicitly_counts():
    embed, reader = embedding(), Reader(name="reader")

    def tag(token_ids):
        return reader(embed(token_ids) + 1.0, mask=ops.not_equal(token_ids, 0))

    assert_mask_reaches(tag, TOKEN_IDS, "reader")


def test_a_block_that_does_not_pass_its_mask_to_a_sublayer_is_named():
    class KeepsMask(keras.layers.Layer):
        def __init__(self):
            super().__init__(name="keeps_mask")
            self.reader = Reader(name="reader")
            self.supports_masking = True

        def call(self, x, mask=None):
            return self.reader(x * 1.0)

    embed, block = embedding(), KeepsMask()
    with pytest.raises(
        SeqlabError, match="KeepsMask receives a mask and does not pass it to reader"
    ) as caught:
        assert_mask_reaches(lambda x: block(embed(x)), TOKEN_IDS, "reader")
    assert caught.value.where == "keeps_mask"
    assert "mask=... in KeepsMask.call" in caught.value.remedy


def test_the_loss_is_found_several_layers_back(lenient):
    first, second = Unaware(name="first"), keras.layers.Dense(2, name="second")
    with pytest.raises(SeqlabError, match="tagger/first: the mask is lost: Unaware"):
        assert_mask_reaches(functional(lambda x: second(first(x))), TOKEN_IDS, "reader")


def test_no_layer_makes_a_mask():
    embed, reader = keras.layers.Embedding(5, DIM), Reader(name="reader")
    with pytest.raises(SeqlabError, match="no layer before it makes a mask"):
        assert_mask_reaches(lambda x: reader(embed(x)), TOKEN_IDS, "reader")


def test_an_unknown_layer_name_is_an_error():
    with pytest.raises(SeqlabError, match="head: no layer of this name is called") as caught:
        assert_mask_reaches(functional(once(keras.layers.Dense(2))), TOKEN_IDS, "head")
    assert "tagger/reader" in caught.value.expected


def test_report_lists_what_each_layer_does(lenient):
    pool = keras.layers.GlobalAveragePooling1D(name="pool")
    model = keras.Sequential(
        [embedding(), keras.layers.Dense(3, name="dense"), pool, keras.layers.Dense(2, name="out")]
    )
    report = walk_mask(model, TOKEN_IDS)
    seen = {layer.path.split("/")[-1]: (layer.received, layer.passed_on) for layer in report.layers}
    assert seen["embedding"] == (False, True)
    assert seen["dense"] == (True, True)
    assert seen["pool"] == (True, False)
    assert seen["out"] == (False, False)
    assert report.faults == []
    line = next(line for line in str(report).splitlines() if "/pool" in line)
    assert line.startswith("receives  ends here")
    assert line.endswith("/pool (GlobalAveragePooling1D)")


def tagger(*, masked: bool):
    embed = keras.layers.Embedding(5, DIM, mask_zero=masked)
    lstm = keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True))
    return lambda token_ids: lstm(embed(token_ids))


def test_padding_changes_the_output_of_an_unmasked_lstm():
    batch = ops.convert_to_tensor(TOKEN_IDS)
    masked, unmasked = tagger(masked=True), tagger(masked=False)
    assert padding_changes_output(lambda x: masked(ops.convert_to_tensor(x)), batch, 3) < 1e-6
    assert padding_changes_output(lambda x: unmasked(ops.convert_to_tensor(x)), batch, 3) > 1e-4


def test_padding_changes_the_output_of_a_layer_that_ignores_its_mask():
    """The mask arrives, so assert_mask_reaches accepts the layer."""

    class IgnoresMask(Reader):
        def call(self, x, mask=None):
            return x - ops.mean(x, axis=1, keepdims=True)

    embed, ignores = embedding(), IgnoresMask(name="ignores")

    def tag(token_ids):
        return ignores(embed(ops.convert_to_tensor(token_ids)))

    assert_mask_reaches(tag, TOKEN_IDS, "ignores")
    assert padding_changes_output(tag, TOKEN_IDS, 2) > 1e-4


def test_padding_is_compared_on_real_tokens_in_every_output():
    def outputs(batch):
        length = batch["token_ids"].shape[1]
        return {"same": batch["token_ids"], "padding": np.where(batch["token_ids"] == 0, length, 0)}

    batch = {"token_ids": TOKEN_IDS, "char_ids": np.ones((2, 4, 3), int)}
    assert padding_changes_output(outputs, batch, 1) == 0
    assert padding_changes_output(outputs, batch, 2, mask=np.ones((2, 4), bool)) == 2


def test_padding_without_ids_or_mask_is_an_error():
    with pytest.raises(SeqlabError, match="mask: unknown which tokens are real"):
        padding_changes_output(lambda x: x, np.zeros((2, 3, 4)), 1)


def record_calls(model, inputs):
    with recording() as calls:
        model(inputs)
    return calls


def test_records_calls_with_their_parents_in_order():
    model = keras.Sequential([embedding(), keras.layers.Dense(2, name="dense")], name="model")
    model(TOKEN_IDS)
    calls = record_calls(model, TOKEN_IDS)
    assert calls[0].path == "model"
    assert calls[-2].path.endswith("/embedding")
    assert calls[-1].path.endswith("/dense")
    assert calls[-1].parent is calls[-2].parent
    assert [call.layer_type for call in calls[-2:]] == ["Embedding", "Dense"]


def test_records_masks_on_inputs_and_outputs():
    embed, dense = embedding(), keras.layers.Dense(2)
    first, second = record_calls(lambda x: dense(embed(x)), ops.convert_to_tensor(TOKEN_IDS))
    assert (first.received, first.passed_on) == (False, True)
    assert (second.received, second.passed_on) == (True, True)
    np.testing.assert_array_equal(second.input_masks[0], TOKEN_IDS != 0)
    np.testing.assert_array_equal(second.output_masks[0], TOKEN_IDS != 0)


@pytest.mark.parametrize("positional", [True, False])
def test_records_masks_passed_as_arguments(positional):
    lstm = keras.layers.LSTM(2)  # LSTM.call(sequences, initial_state, mask)
    mask = ops.convert_to_tensor(TOKEN_IDS != 0)
    x = ops.zeros((2, 4, 3))
    call = record_calls(lambda x: lstm(x, None, mask) if positional else lstm(x, mask=mask), x)[0]
    np.testing.assert_array_equal(call.masks[0], mask)
    assert not call.passed_on  # return_sequences=False


def test_records_a_mask_removed_from_the_callers_tensor():
    embed, attention = embedding(), keras.layers.MultiHeadAttention(1, 2)

    def call(x):
        x = embed(x)
        return attention(x, x)

    calls = record_calls(call, ops.convert_to_tensor(TOKEN_IDS))
    assert [c.remark for c in calls if c.parent is None] == ["", STRIPS]


def test_records_a_mask_that_marks_padding_as_real():
    embed, concatenate = embedding(), keras.layers.Concatenate()
    calls = record_calls(
        lambda x: concatenate([embed(x), ops.zeros((2, 4, 1))]), ops.convert_to_tensor(TOKEN_IDS)
    )
    assert calls[-1].remark == FILLS


def test_recording_restores_keras():
    before, embed = keras.layers.Layer.__call__, embedding()
    record_calls(embed, TOKEN_IDS)
    assert keras.layers.Layer.__call__ is before
    with pytest.raises(ZeroDivisionError):
        record_calls(lambda x: embed(x) / (1 // 0), TOKEN_IDS)
    assert keras.layers.Layer.__call__ is before
