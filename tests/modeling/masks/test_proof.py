"""`check_masks` refuses taggers that lose or ignore their mask."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops
from small_taggers import TOKEN_LENGTH, random_batch, small_tagger

from seqlab.errors import SeqlabError
from seqlab.modeling.masks.proof import check_masks
from seqlab.modeling.tagger import Tagger


@keras.saving.register_keras_serializable(package="seqlab_tests")
class Encoder(keras.layers.Layer):
    """Adds the mean of a sentence's real tokens to each token. Subclasses contain one fault each."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x, mask=None, training=False):
        real = ops.cast(mask, x.dtype)[..., None]
        mean = ops.sum(x * real, axis=1, keepdims=True) / ops.sum(real, axis=1, keepdims=True)
        return (x + mean) * real

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="seqlab_tests")
class IgnoresTheMask(Encoder):
    def call(self, x, mask=None, training=False):
        return x + ops.mean(x, axis=1, keepdims=True)


@keras.saving.register_keras_serializable(package="seqlab_tests")
class LSTMWithoutMask(Encoder):
    def build(self, input_shape):
        lstm = keras.layers.LSTM(input_shape[-1], return_sequences=True, dtype=self.dtype_policy)
        self.lstm = keras.layers.Bidirectional(lstm, merge_mode="sum", dtype=self.dtype_policy)
        self.lstm.build(input_shape)

    def call(self, x, mask=None, training=False):
        return self.lstm(1.0 * x)  # a new tensor, without the mask


@keras.saving.register_keras_serializable(package="seqlab_tests")
class TwoConvolutionsWithoutMask(Encoder):
    """The second convolution reads padding, which is 0 only as long as the first one's bias is 0."""

    def build(self, input_shape):
        self.convolutions = [keras.layers.Conv1D(input_shape[-1], 3, padding="same") for _ in range(2)]
        for convolution in self.convolutions:
            convolution.build(input_shape)

    def call(self, x, mask=None, training=False):
        real = ops.cast(mask, x.dtype)[..., None]
        x = self.convolutions[0](x * real)
        # Only the bias reaches padding: the kernel's part is removed.
        x = x * real + self.convolutions[0].bias * (1 - real)
        return self.convolutions[1](x)


@keras.saving.register_keras_serializable(package="seqlab_tests")
class MarksPaddingAsReal(Encoder):
    def compute_mask(self, x, mask=None):
        return ops.ones_like(mask)


@keras.saving.register_keras_serializable(package="seqlab_tests")
class ContainsOneThatMarksPaddingAsReal(Encoder):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = MarksPaddingAsReal(name="inner")

    def call(self, x, mask=None, training=False):
        return super().call(self.inner(x, mask=mask), mask=mask)


class LosesTheMask(Tagger):
    def encode(self, features, *, mask, training=None):
        return self.encoder(1.0 * self.embedder(features), training=training)


def tagger_with(encoder, kind=Tagger):
    whole = small_tagger()
    tagger = kind(embedder=whole.embedder, encoder=encoder, head=type(whole.head)(num_tags=6), name="tagger")
    tagger(random_batch([3], length=4)[0])
    return tagger


def check(tagger, **changes):
    return check_masks(tagger, **{"max_length": 64, "max_token_length": TOKEN_LENGTH} | changes)


@pytest.mark.parametrize(
    ("encoder", "head", "max_length"),
    [
        ("transformer", "softmax", 1),
        ("absolute", "crf", 2),
        ("bilstm", "crf", 3),
        ("absolute", "softmax", 64),
    ],
)
def test_our_taggers_are_accepted_and_unchanged(encoder, head, max_length):
    tagger = small_tagger(encoder, head)
    before = tagger.get_weights()
    assert check(tagger, max_length=max_length) >= 4
    assert all(map(np.array_equal, before, tagger.get_weights()))


def test_an_encoder_that_uses_its_mask_is_accepted():
    assert check(tagger_with(Encoder(name="encoder"))) >= 2


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("encoder", [IgnoresTheMask, LSTMWithoutMask])
def test_an_encoder_that_ignores_its_mask_is_refused(encoder, policy):
    message = rf"tagger/encoder \({encoder.__name__}\): padding changes the encoder's output for real tokens"
    with pytest.raises(SeqlabError, match=message):
        check(tagger_with(encoder(name="encoder", dtype=policy)))


def test_padding_that_is_zero_only_at_initialization_is_refused():
    tagger = tagger_with(TwoConvolutionsWithoutMask(name="encoder"))
    with pytest.raises(SeqlabError, match="padding changes the encoder's output"):
        check(tagger)


def test_a_character_encoder_that_reads_padding_is_refused(monkeypatch):
    encode = keras.saving.get_registered_object("seqlab>CharacterCNN").encode

    def encode_all(self, vectors, real, training):
        return encode(self, vectors, ops.ones_like(real), training)

    tagger = small_tagger()
    monkeypatch.setattr(type(tagger.embedder.character_encoder), "encode", encode_all)
    with pytest.raises(SeqlabError, match=r"padding changes the embedder's output[\s\S]*more padding"):
        check(tagger)


def test_a_mask_that_marks_padding_as_real_is_refused():
    with pytest.raises(SeqlabError, match=r"encoder[\s\S]*marks padding as real"):
        check(tagger_with(MarksPaddingAsReal(name="encoder")))


def test_an_inner_layer_that_marks_padding_as_real_is_refused():
    with pytest.raises(SeqlabError, match=r"tagger/encoder/inner: MarksPaddingAsReal marks padding as real"):
        check(tagger_with(ContainsOneThatMarksPaddingAsReal(name="encoder")))


def test_a_mask_that_never_arrives_is_refused():
    with pytest.raises(SeqlabError, match=r"the mask is lost"):
        check(tagger_with(IgnoresTheMask(name="encoder"), kind=LosesTheMask))
