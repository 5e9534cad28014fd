from __future__ import annotations

import keras
import numpy as np
import pytest
from small_taggers import random_batch, small_tagger

from seqlab.errors import SeqlabError
from seqlab.modeling.saving import save_tagger, weights_digest


def test_a_reloaded_tagger_decodes_equally(tmp_path):
    tagger = small_tagger("bilstm", "crf")
    features, _, _ = random_batch([5, 2], length=8)
    save_tagger(tagger, tmp_path / "t.keras", features=features)
    again = keras.saving.load_model(tmp_path / "t.keras")
    np.testing.assert_array_equal(again.decode(features), tagger.decode(features))


def test_a_file_that_gives_another_tagger_is_an_error_and_is_deleted(tmp_path, monkeypatch):
    tagger, other = small_tagger(), small_tagger()
    features, _, _ = random_batch([5, 2], length=8)
    monkeypatch.setattr(keras.saving, "load_model", lambda path: other)
    with pytest.raises(
        SeqlabError,
        match=r"differs from the trained tagger\n.*\n  received: different weights, logits that differ by",
    ):
        save_tagger(tagger, tmp_path / "t.keras", features=features)
    assert list(tmp_path.iterdir()) == []


def test_the_digest_of_weights_changes_with_values_shapes_dtypes_and_order():
    one, two = np.arange(6, dtype="float32"), np.ones((2, 2), "float32")
    equal = [np.arange(12, dtype="float32")[:6], two.copy(order="F")]
    assert weights_digest([one, two]) == weights_digest(equal)
    others = [[two, one], [one + 1e-7, two], [one.reshape(2, 3), two], [one.astype("float64"), two], [one]]
    assert len({weights_digest(weights) for weights in [[one, two], *others]}) == 6
