"""Training refuses a tagger that loses its mask, whichever way it is lost."""

from __future__ import annotations

import keras
import pytest
from keras import ops
from small_taggers import TOKEN_LENGTH, small_tagger

from seqlab.errors import SeqlabError
from seqlab.modeling.masks.proof import check_masks
from seqlab.modeling.tagger import Tagger


class Encoder(keras.layers.Layer):
    """Adds the mean of a row's real tokens to each; a subclass says how it goes wrong."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x, mask=None, training=False):
        real = ops.cast(mask, x.dtype)[..., None]
        mean = ops.sum(x * real, axis=1, keepdims=True) / ops.sum(real, axis=1, keepdims=True)
        return (x + mean) * real

    def compute_output_shape(self, input_shape):
        return input_shape


class IgnoresTheMask(Encoder):
    def call(self, x, mask=None, training=False):
        return x + ops.mean(x, axis=1, keepdims=True)


class MarksPaddingAsReal(Encoder):
    def compute_mask(self, x, mask=None):
        return ops.ones_like(mask)


class HoldsOneThatMarksPaddingAsReal(Encoder):
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
    return tagger


def check(tagger, **changes):
    return check_masks(tagger, **{"max_length": 64, "max_token_length": TOKEN_LENGTH} | changes)


@pytest.mark.parametrize("encoder", ["transformer", "absolute", "bilstm"])
@pytest.mark.parametrize("head", ["softmax", "crf"])
@pytest.mark.parametrize("max_length", [2, 3, 8, 64])
def test_our_taggers_pass_and_the_number_of_layers_is_told(encoder, head, max_length):
    reached = check(small_tagger(encoder, head), max_length=max_length)
    assert reached >= 4


def test_an_encoder_that_keeps_to_its_mask_passes():
    assert check(tagger_with(Encoder(name="encoder"))) >= 2


def test_an_encoder_that_ignores_its_mask_is_refused():
    with pytest.raises(SeqlabError, match=r"tagger: padding changes the scores of real tokens"):
        check(tagger_with(IgnoresTheMask(name="encoder")))


def test_a_mask_that_marks_padding_as_real_is_refused():
    with pytest.raises(SeqlabError, match=r"encoder[\s\S]*marks padding as real"):
        check(tagger_with(MarksPaddingAsReal(name="encoder")))


def test_a_layer_deep_inside_that_marks_padding_as_real_is_refused():
    with pytest.raises(SeqlabError, match=r"tagger/encoder/inner: MarksPaddingAsReal marks padding as real"):
        check(tagger_with(HoldsOneThatMarksPaddingAsReal(name="encoder")))


def test_a_mask_that_never_arrives_is_refused():
    with pytest.raises(SeqlabError, match=r"the mask is lost"):
        check(tagger_with(IgnoresTheMask(name="encoder"), kind=LosesTheMask))
