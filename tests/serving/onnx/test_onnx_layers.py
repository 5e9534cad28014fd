from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

from seqlab.errors import SeqlabError
from seqlab.modeling.encoders.bilstm_encoder import BiLSTMEncoder
from seqlab.modeling.encoders.transformer_encoder import TransformerEncoder
from seqlab.serving.onnx.onnx_graph import OnnxGraph
from seqlab.serving.onnx.onnx_layers import encode

MASK = np.array([[True] * 5, [True] * 2 + [False] * 3])


@pytest.mark.parametrize(
    "layer",
    [
        BiLSTMEncoder(num_layers=2, units=3, name="bilstm"),
        TransformerEncoder(num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=4, activation="relu"),
        TransformerEncoder(
            num_layers=1,
            hidden_dim=6,
            num_heads=1,
            intermediate_dim=4,
            positions="sinusoidal",
            norm_first=False,
        ),
        TransformerEncoder(
            num_layers=2, hidden_dim=8, num_heads=2, intermediate_dim=4, convolution_kernel_size=3
        ),
        TransformerEncoder(
            num_layers=2,
            hidden_dim=6,
            num_heads=1,
            intermediate_dim=4,
            norm_first=False,
            convolution_kernel_size=4,
        ),
    ],
    ids=lambda layer: layer.name,
)
def test_an_encoder_computes_what_the_layer_computes(layer: keras.layers.Layer, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(2, 5, 6)).astype(np.float32)
    expected = np.asarray(layer(x, mask=MASK))
    g = OnnxGraph()
    model = g.model(
        {"x": (np.float32, ("batch", "length", 6)), "mask": (np.bool_, ("batch", "length"))},
        {"encoded": (encode(g, layer, "x", "mask"), np.float32, ("batch", "length", expected.shape[2]))},
        metadata={},
    )
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (received,) = session.run(None, {"x": x, "mask": MASK})
    np.testing.assert_allclose(received[MASK], expected[MASK], atol=1e-5)


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(SeqlabError, match=r"other: this layer cannot be written as ONNX[\s\S]*Dense"):
        encode(OnnxGraph(), keras.layers.Dense(16, name="other"), "x", "mask")


def test_an_unknown_activation_is_refused() -> None:
    layer = TransformerEncoder(num_layers=1, hidden_dim=4, num_heads=1, intermediate_dim=4, activation="silu")
    layer(np.zeros((1, 2, 4), np.float32))
    with pytest.raises(SeqlabError, match=r"activation: this activation[\s\S]*gelu or relu[\s\S]*silu"):
        encode(OnnxGraph(), layer, "x", "mask")
