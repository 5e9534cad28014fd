"""Padding changes nothing: equal logits at any length, in any batch, in graph and eager mode."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from small_taggers import KINDS, NUM_TAGS, logits_of, random_batch, small_tagger

from seqlab.modeling.tagger import Tagger

TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def tagger(request):
    """A tagger of each kind; no test changes it."""
    keras.utils.set_random_seed(7)
    return small_tagger(*request.param)


def real(values, features):
    """Values at real tokens, row by row: (real tokens, ...)."""
    return np.asarray(values)[features["token_ids"] > 0]


def test_more_padding_changes_no_logit(tagger):
    features, _, _ = random_batch([5, 2, 7], length=7)
    expected = real(logits_of(tagger, features), features)
    for length in (8, 13, 40):
        longer, _, _ = random_batch([5, 2, 7], length=length)
        np.testing.assert_allclose(real(logits_of(tagger, longer), longer), expected, **TOLERANCE)


def test_longer_character_axis_changes_no_logit(tagger):
    features, _, _ = random_batch([5, 2], length=6)
    wider, _, _ = random_batch([5, 2], length=6, token_length=9)
    np.testing.assert_allclose(
        real(logits_of(tagger, wider), wider), real(logits_of(tagger, features), features), **TOLERANCE
    )


def test_neighbours_in_the_batch_change_no_logit(tagger):
    features, _, _ = random_batch([5, 2, 7, 1], length=9)
    together = logits_of(tagger, features)
    for row in range(4):
        alone = {name: values[row : row + 1] for name, values in features.items()}
        np.testing.assert_allclose(
            real(logits_of(tagger, alone), alone), real(together[row : row + 1], alone), **TOLERANCE
        )
    order = [2, 0, 3, 1]
    shuffled = {name: values[order] for name, values in features.items()}
    np.testing.assert_allclose(
        real(logits_of(tagger, shuffled), shuffled), real(together[order], shuffled), **TOLERANCE
    )


def test_graph_mode_at_static_and_dynamic_length_gives_the_logits_of_eager_mode(tagger):
    features, _, _ = random_batch([5, 2, 7], length=10)
    expected = real(logits_of(tagger, features), features)
    spec = {name: tf.TensorSpec([None] * values.ndim, tf.int32) for name, values in features.items()}
    dynamic = tf.function(lambda f: tagger(f, training=False), input_signature=[spec])
    for function in (tagger.predict_logits, dynamic):
        np.testing.assert_allclose(real(function(features), features), expected, **TOLERANCE)


def test_decoding_gives_zero_at_padding_and_never_a_reserved_tag_elsewhere(tagger):
    features, _, _ = random_batch([5, 2, 7], length=10)
    decoded = np.asarray(tagger.decode(features))
    mask = features["token_ids"] > 0
    assert decoded.shape == mask.shape
    assert not decoded[~mask].any()
    assert (decoded[mask] >= 2).all()
    assert (decoded[mask] < NUM_TAGS).all()


def test_logits_of_windows_are_decoded_as_one_sentence():
    """A sentence of 12 tokens, whose logits are computed in two windows; the graph has no fixed length."""
    tagger = small_tagger("transformer", "crf")
    tagger.head.transitions.assign(np.random.default_rng(0).normal(scale=3, size=(NUM_TAGS, NUM_TAGS)))
    logits = np.concatenate(
        [tagger.predict_logits(random_batch([6], length=6, seed=seed)[0]) for seed in (1, 2)], axis=1
    )
    assert logits.dtype == np.float32
    assert tagger._predict_logits.traces == 1
    for length in (12, 9, 5, 3):
        mask = np.ones((1, length), bool)
        expected = tagger.head.decode(logits[:, :length], mask)
        np.testing.assert_array_equal(tagger.decode_logits(logits[:, :length], mask), expected)
    assert tagger._decode_logits.traces == 1


def test_rows_that_fill_the_batch_change_neither_loss_nor_gradient(tagger):
    features, tags, weight = random_batch([5, 2], length=7)
    filling = {name: np.zeros_like(values) for name, values in features.items()}
    filling["token_ids"][:, 0] = filling["shape_ids"][:, 0] = filling["char_ids"][:, 0, 0] = 1
    both = {name: np.concatenate([features[name], filling[name]]) for name in features}
    zeros = np.zeros_like(tags)

    def loss_and_gradients(f, t, w):
        with tf.GradientTape() as tape:
            loss = tagger.compute_loss(f, t, tagger(f, training=False), w)
        gradients = tape.gradient(loss, tagger.trainable_variables)
        return float(loss), [np.asarray(tf.convert_to_tensor(g)) for g in gradients if g is not None]

    loss, gradients = loss_and_gradients(features, tags, weight)
    loss_filled, gradients_filled = loss_and_gradients(
        both, np.concatenate([tags, zeros]), np.concatenate([weight, zeros.astype(np.float32)])
    )
    assert loss_filled == pytest.approx(loss, rel=1e-5)
    for filled, plain in zip(gradients_filled, gradients, strict=True):
        np.testing.assert_allclose(filled, plain, rtol=1e-3, atol=1e-6)


def test_the_loss_is_normalised_by_real_tokens(tagger):
    features, tags, weight = random_batch([6, 3], length=6)
    longer, longer_tags, longer_weight = random_batch([6, 3], length=20)
    plain = tagger.compute_loss(features, tags, tagger(features, training=False), weight)
    padded = tagger.compute_loss(longer, longer_tags, tagger(longer, training=False), longer_weight)
    assert float(padded) == pytest.approx(float(plain), rel=1e-5)
    parts = []
    for row, n in enumerate([6, 3]):
        alone = {name: values[row : row + 1] for name, values in features.items()}
        loss = tagger.compute_loss(
            alone, tags[row : row + 1], tagger(alone, training=False), weight[row : row + 1]
        )
        parts.append(float(loss) * n)
    assert float(plain) == pytest.approx(sum(parts) / 9, rel=1e-5)


@pytest.mark.parametrize(("jit_compile", "traces"), [(False, 1), (True, 2)])
def test_training_is_traced_once_or_under_xla_once_per_shape(jit_compile, traces):
    tagger = small_tagger("transformer", characters="none")
    tagger.compile(optimizer="sgd", jit_compile=jit_compile)
    for lengths, length in [([5, 2], 8), ([5, 2], 16), ([1, 8], 8), ([16, 2], 16), ([5, 2], 8)]:
        features, tags, weight = random_batch(lengths, length=length)
        batch = tf.nest.map_structure(tf.constant, (features, tags, weight))
        logs = tagger.train_on_batch(*batch[:2], sample_weight=batch[2], return_dict=True)
        assert np.isfinite(logs["loss"])
    assert tagger.run_eagerly is False
    assert tagger.training_traces == traces


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_a_training_step_returns_the_weighted_loss_and_changes_the_weights(run_eagerly):
    tagger = small_tagger("bilstm", characters="none")
    tagger.compile(optimizer="sgd", run_eagerly=run_eagerly)
    features, tags, weight = random_batch([5, 2], length=8)
    weight[1] = 0
    before = tagger.get_weights()
    expected = tagger.compute_loss(features, tags, tagger(features, training=False), weight)
    loss = tagger.train_batch(*tf.nest.map_structure(tf.constant, (features, tags, weight)))
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    assert not all(map(np.array_equal, before, tagger.get_weights()))


def test_eager_mode_has_no_traces():
    tagger = small_tagger()
    tagger.compile(optimizer="adam", run_eagerly=True)
    features, tags, weight = random_batch([5, 2], length=8)
    tagger.train_on_batch(features, tags, sample_weight=weight)
    assert tagger.training_traces is None


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_step_is_the_same_eagerly_in_graph_mode_and_under_xla(jit_compile):
    features, tags, weight = random_batch([5, 2, 8], length=8)

    def weights_after_a_step(**how):
        keras.utils.set_random_seed(3)
        tagger = small_tagger()
        tagger.compile(optimizer=keras.optimizers.SGD(0.5), **how)
        tagger.train_on_batch(
            *tf.nest.map_structure(tf.constant, (features, tags)), sample_weight=tf.constant(weight)
        )
        return tagger.get_weights()

    eager = weights_after_a_step(run_eagerly=True)
    for got, expected in zip(weights_after_a_step(jit_compile=jit_compile), eager, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5)


def test_the_parts_round_trip_through_the_config(tagger):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(tagger))
    assert again.get_config() == tagger.get_config()
    assert [variable.shape for variable in again.weights] == [variable.shape for variable in tagger.weights]


class HidesATokenId(Tagger):
    """Treats one id at the end of a sentence as padding."""

    def compute_token_mask(self, features):
        return ops.logical_and(super().compute_token_mask(features), features["token_ids"] != 7)


def test_every_part_receives_the_taggers_own_mask():
    whole = small_tagger()
    tagger = HidesATokenId(embedder=whole.embedder, encoder=whole.encoder, head=whole.head)
    features, _, _ = random_batch([4, 2], length=5)
    features["token_ids"][0, 3] = 7
    given = {}
    for part in (tagger.embedder, tagger.encoder, tagger.head):
        part.call = spy(part.call, given, part)
    tagger(features, training=False)
    expected = [[True, True, True, False, False], [True, True, False, False, False]]
    assert len(given) == 3
    for mask in given.values():
        np.testing.assert_array_equal(mask, expected)


def spy(call, given, part):
    """`call`, recording the mask argument."""

    def spied(*inputs, mask=None, **arguments):
        given[part] = mask
        return call(*inputs, mask=mask, **arguments)

    return spied
