from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_taggers import TOKENS, WINDOW, make_tagger, tiny_tagger

from seqlab.errors import SeqlabError
from seqlab.serving.float32 import in_float32, load_tagger
from seqlab.serving.rows import make_rows, tag_rows


@pytest.mark.parametrize("kind", ["ner", "pos"])
def test_a_reloaded_tagger_is_the_tagger(kind: str, tmp_path: Path) -> None:
    tiny = tiny_tagger(kind)
    tiny.tagger.save(tmp_path / "model.keras")
    rows = make_rows(TOKENS, encoder=tiny.encoder, **WINDOW)
    for expected, received in zip(
        tag_rows(tiny.tagger, rows), tag_rows(load_tagger(tmp_path / "model.keras"), rows), strict=True
    ):
        np.testing.assert_array_equal(received, expected)


@pytest.mark.parametrize("kind", ["ner", "pos"])
def test_a_mixed_precision_tagger_computes_in_float32_with_its_weights(kind: str) -> None:
    mixed, plain = make_tagger(kind, precision="mixed_bfloat16"), make_tagger(kind)
    rows = make_rows(TOKENS, encoder=plain.encoder, **WINDOW)
    expected = tag_rows(plain.tagger, rows)
    received = tag_rows(in_float32(mixed.tagger), rows)
    np.testing.assert_array_equal(received[0], expected[0])
    np.testing.assert_allclose(received[1], expected[1], atol=1e-6)
    assert np.abs(tag_rows(mixed.tagger, rows)[1] - expected[1]).max() > 1e-4


def test_a_float32_tagger_is_left_alone() -> None:
    tagger = tiny_tagger("pos").tagger
    assert in_float32(tagger) is tagger


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(SeqlabError, match=r"there is no trained model[\s\S]*dvc repro"):
        load_tagger(tmp_path / "model.keras")


def test_no_model_that_can_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"nothing")
    with pytest.raises(SeqlabError, match=r"the model cannot be loaded[\s\S]*train it again"):
        load_tagger(tmp_path / "model.keras")


def test_another_kind_of_model(tmp_path: Path) -> None:
    import keras

    keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "model.keras")
    with pytest.raises(SeqlabError, match=r"not a tagger[\s\S]*Sequential"):
        load_tagger(tmp_path / "model.keras")
