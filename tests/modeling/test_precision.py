from __future__ import annotations

import keras
import numpy as np
from small_taggers import logits_of, random_batch, small_tagger

from seqlab.modeling.precision import in_float32


def test_a_mixed_precision_tagger_computes_in_float32_with_its_weights():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = small_tagger()
    finally:
        keras.config.set_dtype_policy("float32")
    exact = small_tagger()
    exact.set_weights(mixed.get_weights())
    features = random_batch([4, 2], length=4)[0]
    np.testing.assert_allclose(logits_of(in_float32(mixed), features), logits_of(exact, features), rtol=1e-5)
    assert np.abs(logits_of(mixed, features) - logits_of(exact, features)).max() > 1e-4


def test_a_float32_tagger_is_returned_unchanged():
    tagger = small_tagger()
    assert in_float32(tagger) is tagger
