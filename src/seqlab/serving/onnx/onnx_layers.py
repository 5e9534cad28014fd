"""Write embedders and encoders as ONNX, layer by layer, as they compute in inference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqlab.modeling.characters import (
    NUM_HEADS,
    POSITION_DIM,
    CharacterAttentionPooling,
    CharacterBiLSTM,
    CharacterCNN,
)
from seqlab.modeling.embedder import TokenFeatureEmbedder
from seqlab.modeling.encoders.attention import SelfAttention
from seqlab.modeling.encoders.bilstm import BiLSTMEncoder
from seqlab.modeling.encoders.no_encoder import NoEncoder
from seqlab.modeling.encoders.transformer import (
    TransformerEncoder,
    TransformerEncoderBlock,
)
from seqlab.modeling.masks.masked_ops import MASKED_SCORE
from seqlab.serving.onnx.onnx_attention import attend, dot_products, project_to_heads
from seqlab.serving.onnx.onnx_graph import (
    OnnxGraph,
    UnsupportedLayerError,
    Value,
    affine,
    layer_norm,
    weight_of,
)
from seqlab.serving.onnx.onnx_pretrained import embed_pieces


def embed(
    g: OnnxGraph, layer: TokenFeatureEmbedder, features: dict[str, str], *, max_token_length: int | None
) -> str:
    """Write an embedder: ids (B, T), (B, T, C), (B, T) to float (B, T, D).

    A `max_token_length` of None leaves C dynamic, which `CharacterAttentionPooling` does not support. A
    pretrained encoder is written if there are the features of `PretrainedEmbedding`; without them, D is the
    size of what depends on a token alone.

    Raises:
        UnsupportedLayerError: the embedder or one of its encoders is of an unknown type.
    """
    if not isinstance(layer, TokenFeatureEmbedder):
        raise UnsupportedLayerError.of_layer(layer)
    parts = []
    if layer.token_embedding is not None:
        parts.append(g.op("Gather", layer.token_embedding.table(), features["token_ids"], axis=0))
    if layer.character_encoder is not None:
        ids = g.reshape(features["char_ids"], -1, max_token_length or g.size(features["char_ids"], 2))
        vectors = _characters(g, layer.character_encoder, ids, max_token_length)
        batch, length = (g.size(features["token_ids"], axis) for axis in (0, 1))
        parts.append(g.reshape(vectors, batch, length, layer.character_encoder.output_dim))
    if layer.shape_one_hot is not None:
        one_hot = np.eye(layer.shape_vocabulary_size, dtype=np.float32)
        parts.append(g.op("Gather", one_hot, features["shape_ids"], axis=0))
    if layer.pretrained_encoder is not None and "piece_ids" in features:
        parts.append(embed_pieces(g, layer.pretrained_encoder, features))
    return g.op("Concat", *parts, axis=-1) if len(parts) > 1 else parts[0]


def encode(g: OnnxGraph, layer: Any, x: str, mask: str) -> str:
    """Write an encoder: float (B, T, D) and mask, bool (B, T), to float (B, T, E).

    Raises:
        UnsupportedLayerError: the encoder or its activation is of an unknown type.
    """
    if isinstance(layer, TransformerEncoder):
        return transform(g, layer, project_to_blocks(g, layer, x), mask)
    if isinstance(layer, BiLSTMEncoder):
        return _bilstm(g, layer, x, mask)
    if isinstance(layer, NoEncoder):
        return x
    raise UnsupportedLayerError.of_layer(layer)


def project_to_blocks(g: OnnxGraph, layer: TransformerEncoder, x: str) -> str:
    """Write the projection before a Transformer's blocks: float (..., D) to (..., hidden_dim)."""
    return x if layer.projection is None else _dense(g, layer.projection, x)


def transform(g: OnnxGraph, layer: TransformerEncoder, x: str, mask: str) -> str:
    """Write a Transformer without its projection: float (B, T, H) and mask, bool (B, T), to (B, T, H)."""
    if layer.positions == "absolute" and layer.position_embedding is not None:
        table = weight_of(layer.position_embedding.positions)
        x = g.op("Add", x, g.op("Slice", table, np.array([0]), g.size(x, 1), np.array([0])))
    elif layer.positions == "sinusoidal":
        x = g.op("Add", x, g.op("Concat", *_sinusoids(g, g.size(x, 1), layer.hidden_dim), axis=-1))
    for block in layer.blocks:
        x = _transformer_block(g, block, x, mask)
    return layer_norm(g, layer.final_norm, x)


def lstm_gates(weight: Any) -> np.ndarray:
    """Reorder the gates on a weight's last axis: Keras has input, forget, cell, output; ONNX i, o, f, c."""
    i, f, c, o = np.split(weight_of(weight), 4, axis=-1)
    return np.concatenate([i, o, f, c], axis=-1)


def _dense(g: OnnxGraph, layer: Any, x: Value) -> str:
    return affine(g, x, weight_of(layer.kernel), weight_of(layer.bias))


def _gelu(g: OnnxGraph, x: str) -> str:
    return g.op("Gelu", x)


def _characters(g: OnnxGraph, layer: Any, ids: str, places: int | None) -> str:
    """Write a character encoder: int (N, C) to float (N, output_dim), 0 for a token without characters."""
    real = g.op("Not", g.op("Equal", ids, np.array(0, np.int32)))
    vectors = g.op("Gather", weight_of(layer.embedding.embeddings), ids, axis=0)
    if isinstance(layer, CharacterCNN):
        encoded = _character_cnn(g, layer, vectors, real)
    elif isinstance(layer, CharacterAttentionPooling) and places is not None:
        encoded = _character_attention(g, layer, vectors, real, places)
    elif isinstance(layer, CharacterBiLSTM):
        lengths = _lengths(g, real)
        encoded = g.op("Transpose", _lstm(g, layer.recurrent_layer, vectors, lengths)[1], perm=[1, 0, 2])
        encoded = g.reshape(encoded, -1, layer.output_dim)
    else:
        raise UnsupportedLayerError.of_layer(layer)
    has_any = g.op("ReduceMax", g.cast(real, np.int32), np.array([1]), keepdims=1)
    return g.op("Where", g.cast(has_any, np.bool_), encoded, 0.0)


def _character_cnn(g: OnnxGraph, layer: CharacterCNN, vectors: str, real: str) -> str:
    kernels = [convolution.kernel for convolution in layer.convolutions]
    answers = _convolve(g, kernels, vectors, real, weight_of(layer.bias))
    answers = g.op("Where", g.op("Unsqueeze", real, np.array([2])), answers, MASKED_SCORE)
    return g.op("Relu", g.op("ReduceMax", answers, np.array([1]), keepdims=0))


def _convolve(g: OnnxGraph, kernels: Sequence[Any], x: str, mask: str, bias: np.ndarray) -> str:
    """Write convolutions over time: (N, T, D) and mask, bool (N, T), to (N, T, filters of all kernels).

    Padding is read as zeros. One matrix product over gathered neighbours is faster than ONNX Runtime's
    `Conv`. Kernels of several sizes are filled up with zeros to one size.
    """
    arrays = [weight_of(kernel) for kernel in kernels]
    before, after = (max(size(len(k)) for k in arrays) for size in (lambda n: (n - 1) // 2, lambda n: n // 2))
    sizes = [(before - (len(k) - 1) // 2, after - len(k) // 2) for k in arrays]
    filled = [np.pad(k, [size, (0, 0), (0, 0)]) for k, size in zip(arrays, sizes, strict=True)]
    kernel = np.concatenate(filled, axis=-1)
    rows = g.op("Pad", g.reshape(x, -1, kernel.shape[1]), np.array([0, 0, 1, 0]))  # a last row of zeros
    near = g.op("Gather", rows, _neighbours(g, mask, before, after), axis=0)
    kernel = kernel.reshape(-1, kernel.shape[-1])
    return affine(g, g.reshape(near, g.size(mask, 0), g.size(mask, 1), len(kernel)), kernel, bias)


def _neighbours(g: OnnxGraph, mask: str, before: int, after: int) -> str:
    """Write the indices of each position's neighbours, and its own, among the flattened N * T positions.

    Returns:
        int64 (N, T, before + 1 + after); N * T if a neighbour is padding or lies outside.
    """
    zero, one = np.array(0), np.array(1)
    shape = g.op("Shape", mask)
    size = g.op("ReduceProd", shape, keepdims=0)
    places = g.op("Reshape", g.op("Range", zero, size, one), shape)
    places = g.op("Where", mask, places, size)
    places = g.op("Pad", places, np.array([0, before, 0, after]), size)
    length, axis = g.size(mask, 1), np.array([1])
    windows = [
        g.op("Slice", places, np.array([shift]), g.op("Add", length, np.array([shift])), axis)
        for shift in range(before + 1 + after)
    ]
    return g.op("Concat", *(g.op("Unsqueeze", window, np.array([2])) for window in windows), axis=2)


def _convolution_step(g: OnnxGraph, layer: Any, x: str, mask: str) -> str:
    """Write a convolution over time with gelu: (N, T, D) and mask, bool (N, T), to (N, T, filters)."""
    return _gelu(g, _convolve(g, [layer.kernel], x, mask, weight_of(layer.bias)))


def _character_attention(
    g: OnnxGraph, layer: CharacterAttentionPooling, vectors: str, real: str, places: int
) -> str:
    angles = np.arange(places, dtype=np.float32)[:, None] * _frequencies(POSITION_DIM)
    table = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
    last = g.op("Sub", g.cast(_lengths(g, real), np.int64), np.array(1))
    from_end = g.op("Sub", g.op("Unsqueeze", last, np.array([1])), np.arange(places)[None])
    from_end = g.op("Max", from_end, np.array(0))
    ends = g.op("Gather", table, from_end, axis=0)
    starts = g.op("Expand", table[None], g.op("Shape", ends))
    x = g.op("Concat", vectors, starts, ends, axis=-1)
    hidden = _convolution_step(g, layer.convolution, x, real)
    is_real = g.op("Unsqueeze", real, np.array([2]))
    scores = g.op("Where", is_real, _dense(g, layer.scores, hidden), MASKED_SCORE)
    weights = g.op("Softmax", scores, axis=1)
    by_head = g.reshape(hidden, -1, places, NUM_HEADS, layer.units // NUM_HEADS)
    weighted = g.op("Mul", g.op("Unsqueeze", weights, np.array([3])), by_head)
    return g.reshape(g.op("ReduceSum", weighted, np.array([1]), keepdims=0), -1, layer.units)


def _transformer_block(g: OnnxGraph, block: TransformerEncoderBlock, x: str, mask: str) -> str:
    if block.convolution_step is not None:
        step = block.convolution_step
        x = g.op("Add", x, _convolution_step(g, step.convolution, layer_norm(g, step.norm, x), mask))
    x = g.op("Add", x, _attention(g, block.attention, layer_norm(g, block.norm, x), mask))
    step = block.feed_forward_step
    hidden = _gelu(g, _dense(g, step.inner, layer_norm(g, step.norm, x)))
    return g.op("Add", x, _dense(g, step.outer, hidden))


def _attention(g: OnnxGraph, layer: SelfAttention, x: str, mask: str) -> str:
    """Write self-attention. Constant factors and sums are computed here and not in the graph."""
    heads, head_dim = layer.num_heads, layer.head_dim
    scale = np.float32(1 / math.sqrt(head_dim))
    kernels, biases = (
        [weight_of(getattr(part, name)) for part in (layer.query, layer.key, layer.value)]
        for name in ("kernel", "bias")
    )
    kernels[0], biases[0] = kernels[0] * scale, biases[0] * scale
    if layer.relative_positions:
        biases[0] = biases[0] + weight_of(layer.content_bias).reshape(-1) * scale
    query, key, value = (
        project_to_heads(g, x, kernel, bias, heads=heads)
        for kernel, bias in zip(kernels, biases, strict=True)
    )
    scores = dot_products(g, query, key)
    if layer.relative_positions:
        sine, cosine = _sinusoids(g, g.size(x, 1), head_dim)
        change = (weight_of(layer.distance_bias) - weight_of(layer.content_bias)) * scale
        for_sine, for_cosine = g.ops("Split", g.op("Add", query, change), outputs=2, axis=-1, num_outputs=2)
        rotated = g.op(
            "Concat",
            g.op("Add", g.op("Mul", for_sine, sine), g.op("Mul", for_cosine, cosine)),
            g.op("Sub", g.op("Mul", for_cosine, sine), g.op("Mul", for_sine, cosine)),
            axis=-1,
        )
        places = g.op("Transpose", g.op("Concat", cosine, sine, axis=-1), perm=[1, 0])
        scores = g.op("Add", scores, g.op("MatMul", rotated, places))
    return _dense(g, layer.output_projection, attend(g, scores, value, mask, units=heads * head_dim))


def _bilstm(g: OnnxGraph, layer: BiLSTMEncoder, x: str, mask: str) -> str:
    lengths = _lengths(g, mask)
    for recurrent in layer.recurrent_layers:
        states = _lstm(g, recurrent, x, lengths)[0]
        batch, length = g.size(x, 0), g.size(x, 1)
        x = g.reshape(g.op("Transpose", states, perm=[2, 0, 1, 3]), batch, length, 2 * layer.units)
    return x


def _lstm(g: OnnxGraph, layer: Any, x: str, lengths: str) -> list[str]:
    """Write a bidirectional LSTM over float (B, T, D): states (T, 2, B, H) and final states (2, B, H)."""
    cells = [layer.forward_layer.cell, layer.backward_layer.cell]
    units = layer.forward_layer.units

    kernels = np.stack([lstm_gates(cell.kernel).T for cell in cells])
    recurrent = np.stack([lstm_gates(cell.recurrent_kernel).T for cell in cells])
    biases = np.stack(
        [np.concatenate([lstm_gates(cell.bias), np.zeros(4 * units, np.float32)]) for cell in cells]
    )
    by_time = g.op("Transpose", x, perm=[1, 0, 2])
    return g.ops(
        "LSTM",
        by_time,
        np.ascontiguousarray(kernels),
        np.ascontiguousarray(recurrent),
        biases,
        lengths,
        outputs=2,
        direction="bidirectional",
        hidden_size=units,
    )


def _lengths(g: OnnxGraph, mask: str) -> str:
    """Write the number of real positions in each row, int32 (B,), at least 1."""
    counts = g.op("ReduceSum", g.cast(mask, np.int32), np.array([1]), keepdims=0)
    return g.op("Max", counts, np.array(1, np.int32))


def _sinusoids(g: OnnxGraph, length: str, dim: int) -> tuple[str, str]:
    """Write sines and cosines, both float (T, dim / 2), for a dynamic length T, int64 (1,)."""
    steps = g.op("Range", np.array(0), g.op("Squeeze", length), np.array(1))
    angles = g.op("Mul", g.op("Unsqueeze", g.cast(steps, np.float32), np.array([1])), _frequencies(dim))
    return g.op("Sin", angles), g.op("Cos", angles)


def _frequencies(dim: int) -> np.ndarray:
    return np.array([math.pow(10000.0, -2.0 * i / dim) for i in range(dim // 2)], np.float32)
