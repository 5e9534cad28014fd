"""Export of a tagger as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from seqlab.batching.pieces import SpecialPieces
from seqlab.modeling.tagger import Tagger
from seqlab.serving.onnx.onnx_graph import OnnxGraph
from seqlab.serving.onnx.onnx_heads import decode, project
from seqlab.serving.onnx.onnx_layers import embed, encode
from seqlab.serving.onnx.onnx_windows import cut_piece_windows, piece_rows


def export_onnx(
    tagger: Tagger,
    path: Path,
    *,
    max_token_length: int,
    max_length: int,
    overlap: int,
    pieces: SpecialPieces | None = None,
    metadata: dict[str, str] | None = None,
) -> None:
    """Write the tagger as ONNX: ids in, tag ids out.

    Inputs are `token_ids`, int32 (batch, length), `char_ids`, int32 (batch, length, C), and `shape_ids`,
    int32 (batch, length), right-padded with 0. Outputs are `tag_ids`, int32, `probabilities`, float32, and
    `mask`, bool, all (batch, length), 0 at padding. Rows longer than `max_length` are cut into windows, as in
    evaluation, and every row is decoded once. Recurrent layers are ONNX's LSTM operator. If the tagger has a
    pretrained encoder, a fourth input, `piece_ids`, int32 (batch, length, N), contains the pieces of each
    token without special ones, right-padded with -1.

    Args:
        tagger: the trained tagger, computing in float32.
        path: the file to write.
        max_token_length: C.
        max_length: maximum number of tokens in a window.
        overlap: tokens that neighbouring windows share.
        pieces: the special pieces of the pretrained encoder, if the tagger has one.
        metadata: properties stored in the file.

    Raises:
        UnsupportedLayerError: the tagger has a layer that cannot be written as ONNX.
    """
    g = OnnxGraph()
    shape = ("batch", "length")
    inputs: dict[str, tuple[int | str, ...]] = {
        "token_ids": shape,
        "char_ids": (*shape, max_token_length),
        "shape_ids": shape,
    }
    mask = _mask(g, "token_ids")
    if pieces is None:
        windows, kept_places = _cut_windows(g, inputs, mask, max_length=max_length, overlap=overlap)
    else:
        inputs["piece_ids"] = (*shape, "pieces")
        windows, kept_places = cut_piece_windows(
            g, list(inputs), mask, max_length=max_length, overlap=overlap, max_pieces=pieces.max_pieces
        )
        windows |= piece_rows(g, windows["piece_ids"], pieces)
    x = embed(g, tagger.embedder, windows, max_token_length=max_token_length)
    x = encode(g, tagger.encoder, x, _mask(g, windows["token_ids"]))
    flat_logits = g.reshape(project(g, tagger.head, x), -1, tagger.head.num_tags)
    row_logits = g.op("Gather", flat_logits, kept_places, axis=0)
    tag_ids, probabilities = decode(g, tagger.head, row_logits, mask)
    model = g.model(
        {name: (np.int32, sizes) for name, sizes in inputs.items()},
        {
            "tag_ids": (tag_ids, np.int32, shape),
            "probabilities": (probabilities, np.float32, shape),
            "mask": (mask, np.bool_, shape),
        },
        metadata=metadata or {},
    )
    onnx.save(model, str(path))


def _mask(g: OnnxGraph, token_ids: str) -> str:
    return g.op("Not", g.op("Equal", token_ids, np.array(0, np.int32)))


def _cut_windows(
    g: OnnxGraph, inputs: dict[str, tuple[int | str, ...]], mask: str, *, max_length: int, overlap: int
) -> tuple[dict[str, str], str]:
    """Cut rows into R windows of W places, as `batching.buckets.cut_windows` does.

    Args:
        inputs: the features and their shapes, (B, T) or (B, T, C).
        mask: bool (B, T).
        max_length: maximum number of tokens in a window.
        overlap: tokens that neighbouring windows share.

    Returns:
        The features of the windows, (R, W) or (R, W, C), and for each token, int64 (B, T), its place in the
        window that keeps it, in the flattened windows (R * W).
    """
    stride = max_length - overlap
    zero, one, axis = np.array(0), np.array(1), np.array([1])
    length = g.size(mask, 1)
    width = g.op("Min", length, np.array([max_length]))
    place = g.op("Range", zero, g.op("Squeeze", length), one)
    # Window i of a row starts at i * stride, if a token after the overlap is left: (B, windows).
    row_lengths = g.op("ReduceSum", g.cast(mask, np.int64), axis, keepdims=1)
    left = g.op("Max", g.op("Sub", row_lengths, np.array(overlap)), one)
    starts = g.op("Range", zero, g.op("Squeeze", g.op("Max", length, one)), np.array(stride))
    is_window = g.op("Less", starts, left)
    rows_and_windows = g.op("NonZero", is_window)
    row, window = (g.op("Unsqueeze", g.op("Gather", rows_and_windows, np.array(i)), axis) for i in (0, 1))
    # The windows' places in the flattened rows, which are padded by one zero: (R, W).
    inside = g.op("Range", zero, g.op("Squeeze", width), one)
    inside = g.op("Min", g.op("Add", g.op("Mul", window, np.array(stride)), inside), length)
    tokens = g.op("Add", g.op("Mul", row, g.op("Add", length, one)), inside)
    windows = {}
    for name, (_, _, *sizes) in inputs.items():
        padded = g.op("Pad", name, np.array([0, 0, *[0] * len(sizes), 0, 1, *[0] * len(sizes)]))
        windows[name] = g.op("Gather", g.reshape(padded, -1, *sizes), tokens, axis=0)
    # The window that keeps each token: window i > 0 keeps the tokens from i * stride + overlap // 2.
    counts = g.op("ReduceSum", g.cast(is_window, np.int64), axis, keepdims=1)
    first = g.op("CumSum", counts, zero, exclusive=1)
    keeps = g.op("Div", g.op("Max", g.op("Sub", place, np.array(overlap // 2)), zero), np.array(stride))
    keeps = g.op("Min", keeps, g.op("Sub", counts, one))
    kept_place = g.op("Sub", place, g.op("Mul", keeps, np.array(stride)))
    kept_place = g.op("Min", kept_place, g.op("Sub", width, one))  # padding may lie after the last window
    return windows, g.op("Add", g.op("Mul", g.op("Add", first, keeps), width), kept_place)
