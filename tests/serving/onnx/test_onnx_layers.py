from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

from seqlab.modeling.encoders.bilstm import BiLSTMEncoder
from seqlab.modeling.encoders.transformer import TransformerEncoder
from seqlab.serving.onnx.onnx_graph import OnnxGraph, UnsupportedLayerError
from seqlab.serving.onnx.onnx_heads import project
from seqlab.serving.onnx.onnx_layers import embed, encode

MASK = np.array([[True] * 5, [True] * 2 + [False] * 3])


@pytest.mark.parametrize(
    "layer",
    [
        BiLSTMEncoder(num_layers=2, units=3, name="bilstm"),
        TransformerEncoder(
            num_layers=1, hidden_dim=6, num_heads=1, intermediate_dim=4, positions="sinusoidal"
        ),
        TransformerEncoder(
            num_layers=2, hidden_dim=8, num_heads=2, intermediate_dim=4, convolution_kernel_size=3
        ),
        TransformerEncoder(
            num_layers=1, hidden_dim=6, num_heads=1, intermediate_dim=4, convolution_kernel_size=4
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


@pytest.mark.parametrize(
    "write",
    [
        lambda g, layer: embed(g, layer, {}, max_token_length=7),
        lambda g, layer: encode(g, layer, "x", "mask"),
        lambda g, layer: project(g, layer, "x"),
    ],
    ids=["embedder", "encoder", "head"],
)
def test_an_unknown_layer_raises(write: Callable[[OnnxGraph, keras.layers.Layer], str]) -> None:
    message = r"other: this layer cannot be written as ONNX[\s\S]*Dense"
    with pytest.raises(UnsupportedLayerError, match=message):
        write(OnnxGraph(), keras.layers.Dense(16, name="other"))
