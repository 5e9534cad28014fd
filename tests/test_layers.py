"""The layers, heads and losses in other Keras models."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

import seqlab.layers
from seqlab.layers import BiLSTMEncoder, CRFHead, SoftmaxHead, TaggingLoss, TransformerEncoder

NUM_TAGS, LENGTH = 5, 6
TOKEN_IDS = np.array([[2, 3, 4, 5, 0, 0], [5, 4, 3, 2, 2, 3], [3, 0, 0, 0, 0, 0], [4, 5, 0, 0, 0, 0]])
TAG_IDS = np.where(TOKEN_IDS > 0, 2 + TOKEN_IDS % 3, 0)


def make_model(encoder: keras.layers.Layer, head: keras.layers.Layer) -> keras.Model:
    """A functional model: an embedding of Keras, an encoder and a head of ours."""
    token_ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(8, 12, mask_zero=True)(token_ids)
    return keras.Model(token_ids, head(encoder(x)))


@pytest.mark.parametrize("head", [SoftmaxHead, CRFHead])
@pytest.mark.parametrize(
    "encoder",
    [
        lambda: BiLSTMEncoder(num_layers=1, units=8),
        lambda: TransformerEncoder(num_layers=1, hidden_dim=16, num_heads=2, intermediate_dim=16),
    ],
    ids=["bilstm", "transformer"],
)
def test_a_functional_model_learns(encoder, head: type, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = make_model(encoder(), head(num_tags=NUM_TAGS, name="head"))
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss=TaggingLoss(model.get_layer("head")))
    history = model.fit(TOKEN_IDS, TAG_IDS, epochs=80, batch_size=4, verbose=0).history["loss"]
    assert history[-1] < 0.1 * history[0]
    logits = model.predict(TOKEN_IDS, verbose=0)
    decoded = model.get_layer("head").decode(logits, TOKEN_IDS > 0)
    np.testing.assert_array_equal(decoded, TAG_IDS)
    # Padding changes nothing, and the model can be saved and loaded.
    padded = np.pad(TOKEN_IDS, [(0, 0), (0, 3)])
    np.testing.assert_allclose(
        model.predict(padded, verbose=0)[:, :LENGTH][TOKEN_IDS > 0], logits[TOKEN_IDS > 0], atol=1e-5
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(loaded.predict(TOKEN_IDS, verbose=0), logits)


def test_the_loss_is_the_heads_mean_over_real_tokens() -> None:
    head = SoftmaxHead(num_tags=NUM_TAGS)
    logits = np.random.default_rng(2).normal(size=(4, LENGTH, NUM_TAGS)).astype(np.float32)
    weights = (TOKEN_IDS > 0).astype(np.float32)
    expected = float(head.loss(TAG_IDS.astype(np.int32), logits, weights))
    assert float(TaggingLoss(head)(TAG_IDS, logits)) == pytest.approx(expected)
    weights[0] = 0
    assert float(TaggingLoss(head)(TAG_IDS, logits, weights)) != pytest.approx(expected)


def test_every_layer_is_exported() -> None:
    assert all(issubclass(getattr(seqlab.layers, name), object) for name in seqlab.layers.__all__)
