"""Mask faults reported in public: the construction that fails, next to the form that works.

If Keras has since fixed a fault, the test pins the current behaviour, so that an upgrade that changes it is
noticed here first.
"""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from keras.src.backend import get_keras_mask
from numpy.testing import assert_array_equal

from seqlab.modeling.encoders.bilstm import BiLSTMEncoder
from seqlab.modeling.encoders.transformer import TransformerEncoderBlock
from seqlab.modeling.heads.softmax_head import SoftmaxHead
from seqlab.modeling.token_embedding import ShapeOneHot, TokenEmbedding

TOKEN_IDS = np.array([[4, 2, 0], [3, 0, 0]], "int32")
MASK = TOKEN_IDS != 0


def batches(*shapes):
    """Random sentences in batches of the given (rows, length), at most 3 tokens each, with tag 0."""
    random = np.random.default_rng(0)

    def generate():
        for rows, length in shapes:
            token_ids = random.integers(2, 10, size=(rows, length))
            token_ids[:, 3:] = 0
            yield token_ids, np.zeros((rows, length))

    signature = tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None, None), tf.float32)
    return tf.data.Dataset.from_generator(generate, output_signature=signature)


def losses(model, dataset):
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    return model.fit(dataset, verbose=0).history["loss"]


def embedded():
    """Embedded tokens, an eager tensor with their mask."""
    return layers.Embedding(5, 4, mask_zero=True)(TOKEN_IDS)


# keras#20754: Embedding with mask_zero, BiLSTM and TimeDistributed, in graph mode, with a short last batch.


def recurrent_tagger(scores):
    return keras.Sequential(
        [
            keras.Input((None,)),
            layers.Embedding(10, 5, mask_zero=True),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            scores,
        ]
    )


def test_time_distributed_with_a_short_last_batch_is_fixed():
    model = recurrent_tagger(layers.TimeDistributed(layers.Dense(3)))
    of_known_length = batches((4, 6), (2, 6)).map(
        lambda token_ids, tags: (tf.ensure_shape(token_ids, (None, 6)), tf.ensure_shape(tags, (None, 6)))
    )
    assert np.isfinite(losses(model, of_known_length))


def test_time_distributed_still_fails_at_dynamic_length():
    model = recurrent_tagger(layers.TimeDistributed(layers.Dense(3)))
    with pytest.raises(tf.errors.InvalidArgumentError):
        losses(model, batches((4, 6), (2, 6)))


def test_dense_needs_no_time_distributed():
    assert np.isfinite(losses(recurrent_tagger(layers.Dense(3)), batches((4, 6), (2, 9))))


def test_the_bilstm_encoder_accepts_any_last_batch_and_length():
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            TokenEmbedding(vocabulary_size=10, embedding_dim=5),
            BiLSTMEncoder(num_layers=1, units=4),
            SoftmaxHead(num_tags=3),
        ]
    )
    tagged = batches((4, 6), (2, 9)).map(lambda token_ids, tags: (token_ids, tags + 2))
    assert np.isfinite(losses(model, tagged))


# keras-io#1795: attention with masks, in graph mode, at dynamic length.


class AttentionBlock(layers.Layer):
    """Attention with a residual connection; `spread` turns the mask (B, T) into one for pairs of tokens."""

    def __init__(self, spread):
        super().__init__()
        self.attention = layers.MultiHeadAttention(1, 4)
        self.spread = spread
        self.supports_masking = True

    def call(self, x, mask=None):
        return x + self.attention(x, x, attention_mask=self.spread(x, mask))


def attention_tagger(block):
    return keras.Sequential(
        [keras.Input((None,)), layers.Embedding(10, 8, mask_zero=True), block, layers.Dense(3)]
    )


@pytest.mark.parametrize(
    ("spread", "error"),
    [
        (lambda x, mask: ops.broadcast_to(mask[:, None, :], (x.shape[0], x.shape[1], x.shape[1])), TypeError),
        (lambda x, mask: ops.repeat(mask[:, None, :], x.shape[1], axis=1), ValueError),
        (lambda x, mask: np.asarray(mask)[:, None, :], NotImplementedError),
        (lambda x, mask: mask[:, None, :] if ops.all(mask) else None, TypeError),
    ],
    ids=["broadcast_to_x_shape", "repeat_x_shape", "numpy", "python_if"],
)
def test_a_mask_that_needs_static_shapes_or_values_fails(spread, error):
    with pytest.raises(error):
        losses(attention_tagger(AttentionBlock(spread)), batches((4, 6)))


@pytest.mark.parametrize(
    "block",
    [
        lambda: AttentionBlock(lambda x, mask: mask[:, None, :]),
        lambda: TransformerEncoderBlock(num_heads=2, intermediate_dim=8, dropout=0.0),
    ],
    ids=["broadcasting", "ours"],
)
def test_a_mask_that_broadcasts_works(block):
    assert np.isfinite(losses(attention_tagger(block()), batches((4, 6), (2, 9))))


# keras#20706: a Masking layer's mask_value through .keras.


def reloaded(layer, tmp_path):
    inputs = keras.Input((None, 3))
    keras.Model(inputs, layer(inputs)).save(tmp_path / "model.keras")
    return keras.saving.load_model(tmp_path / "model.keras")


@pytest.mark.parametrize(
    "make_value",
    [lambda: 9.0, lambda: [9.0, 9.0, 9.0], lambda: np.full(3, 9.0), lambda: ops.full((3,), 9.0)],
    ids=["number", "list", "array", "tensor"],
)
def test_masking_in_keras_files_is_fixed(make_value, tmp_path):
    model = reloaded(layers.Masking(make_value()), tmp_path)
    x = np.array([[[1, 2, 3], [9, 9, 9]]], "float32")
    assert_array_equal(get_keras_mask(model(x)), [[True, False]])


def test_the_config_of_masking_is_not_plain_if_the_value_is_an_array():
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(layers.Masking(np.full(3, 9.0)).get_config())


# fchollet/deep-learning-with-python-notebooks#239: a TensorFlow function on a symbolic Keras tensor.


def test_a_tensorflow_function_rejects_a_symbolic_tensor():
    with pytest.raises(ValueError, match="KerasTensor cannot be used as input to a TensorFlow function"):
        tf.one_hot(keras.Input((None,), dtype="int32"), 4)


def test_keras_ops_and_the_one_hot_layer_accept_a_symbolic_tensor():
    inputs = keras.Input((None,), dtype="int32")
    by_operation = keras.Model(inputs, ops.one_hot(inputs, 5))
    by_layer = keras.Model(inputs, ShapeOneHot(vocabulary_size=5)(inputs))
    one_hot = np.eye(5)[TOKEN_IDS]
    assert_array_equal(by_operation(TOKEN_IDS), one_hot)
    assert get_keras_mask(by_operation(TOKEN_IDS)) is None
    assert_array_equal(by_layer(TOKEN_IDS), np.where(MASK[..., None], one_hot, 0))
    assert_array_equal(get_keras_mask(by_layer(TOKEN_IDS)), MASK)


# Masks that are dropped or changed without an error.


@pytest.mark.parametrize(
    "operation",
    [
        lambda x: x + x,
        lambda x: ops.concatenate([x, x], axis=-1),
        lambda x: ops.cast(x, "float16"),
        lambda x: layers.Add()([x, ops.zeros_like(x)]),
        lambda x: layers.Multiply()([x, ops.zeros_like(x)]),
    ],
    ids=["plus", "concatenate", "cast", "add_layer", "multiply_layer"],
)
def test_a_mask_is_dropped_by_raw_operations_and_by_merging_with_the_unmasked(operation):
    assert get_keras_mask(operation(embedded())) is None


def test_a_mask_is_kept_when_masked_tensors_are_merged():
    for layer in (layers.Add(), layers.Concatenate()):
        x = embedded()
        assert_array_equal(get_keras_mask(layer([x, x])), MASK)


def test_concatenation_with_an_unmasked_tensor_makes_padding_real():
    x = embedded()
    assert_array_equal(get_keras_mask(layers.Concatenate()([x, ops.zeros_like(x)])), np.ones((2, 3), bool))


def test_merging_two_masks_keeps_positions_that_are_real_in_either():
    embedding = layers.Embedding(5, 4, mask_zero=True)
    for layer in (layers.Add(), layers.Concatenate()):
        merged = layer([embedding(np.array([[4, 2, 0]])), embedding(np.array([[4, 0, 0]]))])
        assert_array_equal(get_keras_mask(merged), [[True, True, False]])


def test_attention_removes_the_mask_from_its_input():
    x = embedded()
    attended = layers.MultiHeadAttention(1, 2)(x, x)
    assert get_keras_mask(x) is None
    assert_array_equal(get_keras_mask(attended), MASK)
    assert get_keras_mask(layers.Add()([x, attended])) is None


def test_a_functional_model_connects_the_mask_at_construction():
    """The mask reaches the layer after attention, and is missing only on the output."""
    inputs = keras.Input((3,), dtype="int32")
    x = layers.Embedding(5, 4, mask_zero=True)(inputs)
    x = layers.Add()([x, layers.MultiHeadAttention(1, 2)(x, x)])
    model = keras.Model(inputs, [x, layers.GlobalAveragePooling1D()(x)])
    summed, mean = model(TOKEN_IDS)
    assert get_keras_mask(summed) is None
    assert_array_equal(mean[1], summed[1, 0])


def test_the_encoder_block_keeps_the_mask():
    block = TransformerEncoderBlock(num_heads=2, intermediate_dim=8, dropout=0.0)
    x = embedded()
    assert_array_equal(get_keras_mask(block(x)), MASK)
    assert_array_equal(get_keras_mask(x), MASK)
    assert_array_equal(get_keras_mask(block(x + 1.0, mask=MASK)), MASK)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.Reshape((3, 4)),
        lambda: layers.Conv1D(4, 3, padding="same"),
        lambda: layers.EinsumDense("btd,de->bte", (None, 4)),
        lambda: layers.RMSNormalization(),
    ],
    ids=["reshape", "conv", "einsum_dense", "rms_normalization"],
)
def test_some_layers_drop_the_mask_with_a_warning(layer):
    with pytest.raises(UserWarning, match="does not support masking"):  # an error throughout these tests
        layer()(embedded())


def test_softmax_rejects_masked_scores_per_token():
    with pytest.raises(ValueError, match="must be broadcastable"):
        layers.Softmax()(embedded())
