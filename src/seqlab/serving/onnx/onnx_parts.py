"""Export of a tagger as two ONNX files: what depends on a token alone, and what depends on its context.

`seqlab tag` runs the first one once per distinct token (type) and keeps its vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from seqlab.modeling.characters import CharacterAttentionPooling
from seqlab.modeling.encoders.bilstm import BiLSTMEncoder
from seqlab.modeling.encoders.no_encoder import NoEncoder
from seqlab.modeling.encoders.transformer import TransformerEncoder
from seqlab.modeling.tagger import Tagger
from seqlab.serving.onnx.onnx_graph import OnnxGraph, UnsupportedLayerError, affine
from seqlab.serving.onnx.onnx_heads import project
from seqlab.serving.onnx.onnx_layers import embed, encode, lstm_gates, project_to_blocks, transform
from seqlab.serving.onnx.onnx_pretrained import embed_pieces


def export_embedder(tagger: Tagger, path: Path, *, max_token_length: int) -> None:
    """Write the embedder and the encoder's first product: features of N types to their vectors.

    Inputs are `token_ids`, int32 (N,), `char_ids`, int32 (N, C), and `shape_ids`, int32 (N,). C is what the
    longest type needs, or `max_token_length` if characters are pooled by attention. The output
    `vectors`, float32 (N, P), is what the encoder's first layer computes for each token alone: its input in a
    Transformer's blocks, or the gates of an LSTM in both directions before the recurrent part is added. If
    the tagger has a pretrained encoder, or no encoder, it is what the embedder computes for a token alone.

    Args:
        tagger: the trained tagger, computing in float32.
        path: the file to write.
        max_token_length: the characters of a token that are encoded.

    Raises:
        UnsupportedLayerError: the tagger has a layer that cannot be written as ONNX.
    """
    g = OnnxGraph()
    needs_all = isinstance(tagger.embedder.character_encoder, CharacterAttentionPooling)
    characters = max_token_length if needs_all else None
    inputs: dict[str, tuple[int | str, ...]] = {
        "token_ids": ("types",),
        "char_ids": ("types", characters or "characters"),
        "shape_ids": ("types",),
    }
    rows = {name: g.op("Unsqueeze", name, np.array([0])) for name in inputs}
    dimension = _type_dimension(tagger)
    if dimension:
        x = g.op("Squeeze", embed(g, tagger.embedder, rows, max_token_length=characters), np.array([0]))
    else:  # the pretrained encoder is the only feature; a vector has one entry at least
        nothing = g.op("Unsqueeze", g.op("Sub", "token_ids", "token_ids"), np.array([1]))
        dimension, x = 1, g.cast(nothing, np.float32)
    if not _is_whole(tagger):
        x, dimension = _first_product(g, tagger.encoder, x)
    model = g.model(
        {name: (np.int32, sizes) for name, sizes in inputs.items()},
        {"vectors": (x, np.float32, ("types", dimension))},
        metadata={},
    )
    onnx.save(model, str(path))


def export_encoder(tagger: Tagger, path: Path) -> None:
    """Write the encoder after its first product, and the head's projection: vectors to logits.

    Inputs are `vectors`, float32 (V, P), from the file of `export_embedder` below a row 0 of zeros, and
    `types`, int32 (B, T), the vector of each token; 0 is padding, and only on the right. If the tagger has a
    pretrained encoder, there are also the features of `PretrainedEmbedding`. The output is `logits`,
    float32 (B, T, K).

    Raises:
        UnsupportedLayerError: the tagger has a layer that cannot be written as ONNX.
    """
    g = OnnxGraph()
    inputs: dict[str, tuple[Any, Sequence[int | str]]] = {
        "vectors": (np.float32, ("types", "dimension")),
        "types": (np.int32, ("batch", "length")),
    }
    mask = g.op("Not", g.op("Equal", "types", np.array(0, np.int32)))
    encoder, pretrained = tagger.encoder, tagger.embedder.pretrained_encoder
    if _is_whole(tagger):
        parts = [g.op("Gather", "vectors", "types", axis=0)] if _type_dimension(tagger) else []
        if pretrained is not None:
            inputs["piece_ids"] = (np.int32, ("batch", "pieces"))
            inputs |= dict.fromkeys(("piece_starts", "piece_counts"), (np.int32, ("batch", "length")))
            parts.append(embed_pieces(g, pretrained, {name: name for name in inputs}))
        x = encode(g, encoder, g.op("Concat", *parts, axis=-1), mask)
    elif isinstance(encoder, TransformerEncoder):
        x = transform(g, encoder, g.op("Gather", "vectors", "types", axis=0), mask)
    elif isinstance(encoder, BiLSTMEncoder):
        x = _bilstm(g, encoder, "vectors", "types", mask)
    else:
        raise UnsupportedLayerError.of_layer(encoder)
    model = g.model(
        inputs,
        {"logits": (project(g, tagger.head, x), np.float32, ("batch", "length", tagger.head.num_tags))},
        metadata={},
    )
    onnx.save(model, str(path))


def _first_product(g: OnnxGraph, encoder: Any, x: str) -> tuple[str, int]:
    """Write what the encoder's first layer computes for each token alone; return it with its dimension."""
    if isinstance(encoder, TransformerEncoder):
        return project_to_blocks(g, encoder, x), encoder.hidden_dim
    if isinstance(encoder, BiLSTMEncoder):
        cells = _cells(encoder.recurrent_layers[0])
        gates = [affine(g, x, lstm_gates(cell.kernel), lstm_gates(cell.bias)) for cell in cells]
        return g.op("Concat", *gates, axis=-1), 8 * encoder.units
    raise UnsupportedLayerError.of_layer(encoder)


def _is_whole(tagger: Tagger) -> bool:
    """Whether no product of the encoder is computed once per type."""
    return tagger.embedder.pretrained_encoder is not None or isinstance(tagger.encoder, NoEncoder)


def _type_dimension(tagger: Tagger) -> int:
    """Return the size of what the embedder computes from a token alone."""
    pretrained = tagger.embedder.pretrained_encoder
    shape = tagger.embedder.compute_output_shape({"token_ids": (None, None)})
    return int(shape[-1]) - (0 if pretrained is None else pretrained.output_dim)


def _cells(layer: Any) -> list[Any]:
    """Return the forward and the backward cell of a bidirectional layer."""
    return [layer.forward_layer.cell, layer.backward_layer.cell]


def _bilstm(g: OnnxGraph, encoder: BiLSTMEncoder, vectors: str, types: str, mask: str) -> str:
    """Write stacked LSTMs over the gates of types, float (V, 8 H): int (B, T) to float (B, T, 2 H).

    The backward direction reads reversed rows. With padding on the right, padding comes last in either
    direction, so no step has to look at the mask.
    """
    lengths = g.op("ReduceSum", g.cast(mask, np.int64), np.array([1]), keepdims=0)
    lengths = g.op("Max", lengths, np.array(1))

    def reverse(x: str) -> str:
        return g.op("ReverseSequence", x, lengths, time_axis=0, batch_axis=1)

    by_time = g.op("Mul", g.op("Transpose", types, perm=[1, 0]), np.array(2, np.int32))
    inputs = [by_time, g.op("Add", reverse(by_time), np.array(1, np.int32))]
    by_direction = g.reshape(vectors, -1, 4 * encoder.units)
    x = ""
    for number, layer in enumerate(encoder.recurrent_layers):
        if number > 0:
            inputs = [x, reverse(x)]
        forward, backward = (
            _recurrence(g, cell, part, f"lstm{number}_{direction}_", gates=None if number else by_direction)
            for direction, cell, part in zip(("forward", "backward"), _cells(layer), inputs, strict=True)
        )
        x = g.op("Concat", forward, reverse(backward), axis=-1)
    return g.op("Transpose", x, perm=[1, 0, 2])


def _recurrence(g: OnnxGraph, cell: Any, inputs: str, prefix: str, *, gates: str | None) -> str:
    """Write the steps of an LSTM in one direction.

    All that a step needs is computed in it: arrays over all steps would not fit into the CPU's cache.

    Args:
        cell: the LSTM's cell with H units.
        inputs: float (T, B, D), or, if `gates` is given, indices of its rows, int32 (T, B).
        prefix: prefix of all names in a step.
        gates: float (V, 4 H), the part of the gates that depends on the input, for each type and direction.

    Returns:
        The states, float (T, B, H).
    """
    step = OnnxGraph(prefix)
    hidden, memory, now = f"{prefix}hidden", f"{prefix}memory", f"{prefix}input"
    kernel = lstm_gates(cell.recurrent_kernel)
    if gates:
        total = step.op("Add", step.op("MatMul", hidden, kernel), step.op("Gather", gates, now, axis=0))
    else:
        kernel = np.concatenate([lstm_gates(cell.kernel), kernel])
        both = step.op("Concat", now, hidden, axis=-1)
        total = step.op("Add", step.op("MatMul", both, kernel), lstm_gates(cell.bias))
    i, o, f, c = step.ops("Split", total, outputs=4, axis=-1, num_outputs=4)
    i, o, f = (step.op("Sigmoid", x) for x in (i, o, f))
    kept, written = step.op("Mul", f, memory), step.op("Mul", i, step.op("Tanh", c))
    next_memory = step.op("Add", kept, written)
    next_hidden = step.op("Mul", o, step.op("Tanh", next_memory))
    zeros = g.op("Expand", 0.0, g.op("Concat", g.size(inputs, 1), np.array([cell.units]), axis=0))
    return g.scan(
        step,
        [(hidden, zeros, next_hidden), (memory, zeros, next_memory)],
        [(now, inputs)],
        [step.op("Identity", next_hidden)],
    )[2]
