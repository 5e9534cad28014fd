"""Write pretrained encoders of KerasHub as ONNX, by walking their graphs of layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from seqlab.modeling.pretrained import PretrainedEmbedding
from seqlab.serving.onnx.onnx_attention import attend, dot_products, project_to_heads
from seqlab.serving.onnx.onnx_graph import OnnxGraph, UnsupportedLayerError, affine, layer_norm, weight_of


def embed_pieces(g: OnnxGraph, layer: PretrainedEmbedding, features: dict[str, str]) -> str:
    """Write a pretrained encoder: the features of `PretrainedEmbedding` to float (B, T, D).

    The layers of BERT, DistilBERT, ELECTRA, RoBERTa and XLM-RoBERTa are known.

    Raises:
        UnsupportedLayerError: the backbone has another layer.
    """
    ids, starts, counts = (features[name] for name in ("piece_ids", "piece_starts", "piece_counts"))
    place = g.op("Range", np.array(0), g.op("Squeeze", g.size(ids, 1)), np.array(1))
    ends = g.op("ReduceMax", g.op("Add", starts, counts), np.array([1]), keepdims=1)
    mask = g.op("LessOrEqual", place, g.cast(ends, np.int64))  # the end piece follows the last token's
    inputs = {
        "token_ids": ids,
        "segment_ids": g.op("Sub", ids, ids),
        "padding_mask": mask,
    }
    walked = {name: inputs[name] for name in layer.backbone.input}
    outputs = layer.backbone._run_through_graph(
        walked, call_fn=lambda part, *args, **kwargs: _write(g, part, *args, **kwargs)
    )
    blocks = outputs if isinstance(outputs, list) else [outputs]
    vectors = blocks[-1]
    if layer.layers == "mix":
        scores = np.asarray(layer.mix_scores, np.float32)
        shares = np.exp(scores - scores.max())
        shares *= np.asarray(layer.mix_scale, np.float32) / shares.sum()
        vectors = g.op(
            "Sum", *(g.op("Mul", block, share[None]) for block, share in zip(blocks, shares, strict=True))
        )
    first, count = (g.op("Unsqueeze", g.cast(x, np.int64), np.array([2])) for x in (starts, counts))
    if layer.pooling == "first":
        to_all = g.op("Concat", np.array([1, 1, layer.output_dim]), axis=0)
        return g.op("GatherElements", vectors, g.op("Expand", first, to_all), axis=1)
    inside = g.op("And", g.op("GreaterOrEqual", place, first), g.op("Less", place, g.op("Add", first, count)))
    share = g.op("Div", g.cast(inside, np.float32), g.cast(g.op("Max", count, np.array(1)), np.float32))
    return g.op("MatMul", share, vectors)


def _write(g: OnnxGraph, layer: Any, *args: Any, **kwargs: Any) -> str:
    writer = _WRITERS.get(type(layer).__name__)
    if writer is None:
        raise UnsupportedLayerError.of_layer(layer)
    kwargs.pop("training", None)
    return writer(g, layer, *args, **kwargs)


def _embedding(g: OnnxGraph, layer: Any, ids: str) -> str:
    return g.op("Gather", weight_of(layer.embeddings), ids, axis=0)


def _positions(g: OnnxGraph, layer: Any, x: str) -> str:
    return g.op("Slice", weight_of(layer.position_embeddings), np.array([0]), g.size(x, 1), np.array([0]))


def _token_and_positions(g: OnnxGraph, layer: Any, ids: str) -> str:
    tokens = _embedding(g, layer.token_embedding, ids)
    return g.op("Add", tokens, _positions(g, layer.position_embedding, tokens))


def _add(g: OnnxGraph, layer: Any, inputs: Any) -> str:
    return g.op("Sum", *inputs)


def _same(g: OnnxGraph, layer: Any, x: str) -> str:
    return x


def _dense(g: OnnxGraph, layer: Any, x: str) -> str:
    x = affine(g, x, weight_of(layer.kernel), weight_of(layer.bias))
    name = getattr(layer.activation, "__name__", type(layer.activation).__name__)
    if name not in _ACTIVATIONS:
        raise UnsupportedLayerError.of_activation(layer, name)
    return _ACTIVATIONS[name](g, x)


def _block(g: OnnxGraph, layer: Any, x: str, padding_mask: str) -> str:
    """Write `keras_hub.layers.TransformerEncoder`."""
    attended = layer_norm(g, layer._self_attention_layer_norm, x) if layer.normalize_first else x
    x = g.op("Add", _attention(g, layer._self_attention_layer, attended, padding_mask), x)
    if not layer.normalize_first:
        x = layer_norm(g, layer._self_attention_layer_norm, x)
    hidden = layer_norm(g, layer._feedforward_layer_norm, x) if layer.normalize_first else x
    hidden = _dense(g, layer._feedforward_intermediate_dense, hidden)
    x = g.op("Add", _dense(g, layer._feedforward_output_dense, hidden), x)
    return x if layer.normalize_first else layer_norm(g, layer._feedforward_layer_norm, x)


def _attention(g: OnnxGraph, layer: Any, x: str, mask: str) -> str:
    """Write `keras.layers.MultiHeadAttention` of x to itself."""
    heads, size = layer.num_heads, layer.key_dim
    scales = (np.float32(1 / math.sqrt(size)), np.float32(1), np.float32(1))
    query, key, value = (
        project_to_heads(
            g,
            x,
            weight_of(part.kernel).reshape(-1, heads * size) * scale,
            weight_of(part.bias).reshape(-1) * scale,
            heads=heads,
        )
        for part, scale in zip((layer.query_dense, layer.key_dense, layer.value_dense), scales, strict=True)
    )
    context = attend(g, dot_products(g, query, key), value, mask, units=heads * size)
    output = layer.output_dense
    return affine(g, context, weight_of(output.kernel).reshape(heads * size, -1), weight_of(output.bias))


_WRITERS: dict[str, Callable[..., str]] = {
    "Add": _add,
    "Dense": _dense,
    "Dropout": _same,
    "Embedding": _embedding,
    "LayerNormalization": layer_norm,
    "PositionEmbedding": _positions,
    "ReversibleEmbedding": _embedding,
    "TokenAndPositionEmbedding": _token_and_positions,
    "TransformerEncoder": _block,
}
_ACTIVATIONS: dict[str, Callable[[OnnxGraph, str], str]] = {
    "gelu": lambda g, x: g.op("Gelu", x),
    "gelu_approximate": lambda g, x: g.op("Gelu", x, approximate="tanh"),
    "linear": lambda g, x: x,
    "relu": lambda g, x: g.op("Relu", x),
}
