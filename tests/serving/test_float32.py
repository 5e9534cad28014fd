from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_taggers import TOKENS, WINDOW, make_encoder, make_tagger, tiny_tagger

from seqlab.errors import SeqlabError
from seqlab.modeling.tagger import Tagger
from seqlab.serving.float32 import load_tagger
from seqlab.serving.reference import make_batches, tag_batches


def tags_of(tagger: Tagger) -> tuple[np.ndarray, np.ndarray]:
    return tag_batches(tagger, make_batches(TOKENS, encoder=make_encoder()), **WINDOW)


def test_a_mixed_precision_tagger_is_reloaded_in_float32_with_its_weights(tmp_path: Path) -> None:
    mixed, plain = (make_tagger("ner", precision=name).tagger for name in ("mixed_bfloat16", "float32"))
    mixed.save(tmp_path / "model.keras")
    tag_ids, probabilities = tags_of(load_tagger(tmp_path / "model.keras"))
    expected = tags_of(plain)
    np.testing.assert_array_equal(tag_ids, expected[0])
    np.testing.assert_allclose(probabilities, expected[1], atol=1e-6)
    assert np.abs(tags_of(mixed)[1] - expected[1]).max() > 1e-4


def test_a_reloaded_bilstm_tagger_is_the_tagger(tmp_path: Path) -> None:
    tagger = tiny_tagger("pos").tagger
    tagger.save(tmp_path / "model.keras")
    reloaded = load_tagger(tmp_path / "model.keras")
    for expected, received in zip(tagger.weights, reloaded.weights, strict=True):
        np.testing.assert_array_equal(received, expected, err_msg=expected.path)


def test_a_missing_model_raises(tmp_path: Path) -> None:
    with pytest.raises(SeqlabError, match=r"there is no trained model[\s\S]*dvc repro"):
        load_tagger(tmp_path / "model.keras")


def test_a_damaged_model_raises(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"nothing")
    with pytest.raises(SeqlabError, match=r"the model cannot be loaded[\s\S]*train it again"):
        load_tagger(tmp_path / "model.keras")


def test_a_model_that_is_no_tagger_raises(tmp_path: Path) -> None:
    import keras

    keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "model.keras")
    with pytest.raises(SeqlabError, match=r"not a tagger[\s\S]*Sequential"):
        load_tagger(tmp_path / "model.keras")
