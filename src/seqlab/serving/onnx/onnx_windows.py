"""Write windows of long sentences and rows of pieces as ONNX."""

from __future__ import annotations

import numpy as np

from seqlab.batching.pieces import SpecialPieces
from seqlab.serving.onnx.onnx_graph import OnnxGraph


def cut_piece_windows(
    g: OnnxGraph,
    features: list[str],
    mask: str,
    *,
    max_length: int,
    overlap: int,
    max_pieces: int,
) -> tuple[dict[str, str], str]:
    """Cut rows into R windows of at most `max_pieces` pieces, as `serving.tagging.piece_windows` does.

    Args:
        features: names of inputs (B, T, ...); among them `piece_ids` (B, T, N), -1 at padding.
        mask: bool (B, T).
        max_length: maximum number of tokens in a window.
        overlap: tokens that neighbouring windows share.
        max_pieces: maximum number of pieces in a window, without the special ones.

    Returns:
        The features of the windows, (R, W, ...), and for each token, int64 (B, T), its place in the window
        that keeps it, in the flattened windows (R * W).
    """
    zero, one, axis = np.array(0), np.array(1), np.array([1])
    length = g.size(mask, 1)
    row_lengths = g.op("ReduceSum", g.cast(mask, np.int64), axis, keepdims=0)
    is_piece = g.op("GreaterOrEqual", "piece_ids", np.array(0, np.int32))
    counts = g.op("ReduceSum", g.cast(is_piece, np.int64), np.array([2]), keepdims=0)
    before = g.op("Pad", g.op("CumSum", counts, one), np.array([0, 1, 0, 0]))

    step = OnnxGraph("cut_")
    is_active = step.op("Or", step.op("Equal", "cut_step", zero), step.op("Less", "cut_start", row_lengths))
    first = step.op("Unsqueeze", step.op("Min", "cut_start", length), axis)
    most = step.op("Add", step.op("GatherElements", before, first, axis=1), np.array(max_pieces))
    fits = step.cast(step.op("LessOrEqual", before, most), np.int64)
    fitting = step.op("Sub", step.op("ReduceSum", fits, axis, keepdims=0), one)
    stop = step.op("Max", fitting, step.op("Add", "cut_start", one))
    stop = step.op("Min", stop, step.op("Add", "cut_start", np.array(max_length)), row_lengths)
    goes_on = step.op("And", is_active, step.op("Less", stop, row_lengths))
    half = step.op("Div", step.op("Sub", stop, "cut_start"), np.array(2))
    shared = step.op("Where", goes_on, step.op("Min", half, np.array(overlap)), zero)
    next_start = step.op("Where", goes_on, step.op("Sub", stop, shared), row_lengths)
    keep_start = step.op("Add", "cut_start", step.op("Div", "cut_shared", np.array(2)))
    kept_of_shared = step.op("Div", shared, np.array(2))
    keep_stop = step.op("Add", step.op("Sub", stop, shared), kept_of_shared)
    columns = (step.cast(is_active, np.int64), "cut_start", stop, keep_start, keep_stop)
    row = step.op("Concat", *(step.op("Unsqueeze", column, axis) for column in columns), axis=1)
    nothing = g.op("Sub", row_lengths, row_lengths)
    steps = g.op("Range", zero, g.op("Squeeze", g.op("Max", length, one)), one)
    parts = g.scan(
        step,
        [("cut_start", nothing, next_start), ("cut_shared", nothing, shared)],
        [("cut_step", steps)],
        [row],
    )[2]
    parts = g.op("Transpose", parts, perm=[1, 0, 2])
    is_window, *_ = g.ops("Split", parts, outputs=5, axis=2, num_outputs=5)
    found = g.op("Transpose", g.op("NonZero", g.op("Squeeze", is_window, np.array([2]))), perm=[1, 0])
    _, start, stop, keep_start, keep_stop = g.ops(
        "Split", g.op("GatherND", parts, found), outputs=5, axis=1, num_outputs=5
    )
    row = g.op("Gather", found, np.array([0]), axis=1)
    width = g.op("ReduceMax", g.op("Sub", stop, start), keepdims=0)
    places = g.op("Add", start, g.op("Range", zero, g.op("Max", width, one), one))
    base = g.op("Mul", row, g.op("Add", length, one))
    tokens = g.op("Add", base, g.op("Where", g.op("Less", places, stop), places, length))
    windows = {}
    for name in features:
        sizes = {"char_ids": 1, "piece_ids": 1}.get(name, 0)
        padding = np.array(-1 if name == "piece_ids" else 0, np.int32)
        padded = g.op("Pad", name, np.array([0, 0, *[0] * sizes, 0, 1, *[0] * sizes]), padding)
        flat = g.op("Concat", np.array([-1]), g.op("Shape", name, start=2), axis=0)
        windows[name] = g.op("Gather", g.op("Reshape", padded, flat), tokens, axis=0)
    is_kept = g.op("And", g.op("GreaterOrEqual", places, keep_start), g.op("Less", places, keep_stop))
    kept = g.reshape(g.op("NonZero", g.reshape(is_kept, -1)), -1)
    kept_tokens = g.op("Gather", g.reshape(tokens, -1), kept, axis=0)
    padded_length = g.op("Add", length, one)
    size = g.op("Mul", g.size(mask, 0), padded_length)
    kept_places = g.op("ScatterElements", g.op("Expand", zero, size), kept_tokens, kept, axis=0)
    kept_places = g.reshape(kept_places, g.size(mask, 0), padded_length)
    return windows, g.op("Slice", kept_places, np.array([0]), length, axis)


def piece_rows(g: OnnxGraph, piece_ids: str, special: SpecialPieces) -> dict[str, str]:
    """Write the features of `PretrainedEmbedding` for windows: pieces, int32 (R, W, N), -1 at padding."""
    zero, one = np.array(0), np.array(1)
    is_piece = g.op("GreaterOrEqual", piece_ids, np.array(0, np.int32))
    counts = g.op("ReduceSum", g.cast(is_piece, np.int64), np.array([2]), keepdims=0)
    starts = g.op("Add", g.op("CumSum", counts, one, exclusive=1), one)
    starts = g.op("Where", g.op("Greater", counts, zero), starts, zero)
    totals = g.op("ReduceSum", counts, np.array([1]), keepdims=1)
    width = g.op("Add", g.op("ReduceMax", totals, keepdims=0), np.array(2))
    inside = g.op("Range", zero, g.op("Squeeze", g.size(piece_ids, 2)), one)
    target = g.op("Add", g.op("Unsqueeze", starts, np.array([2])), inside)
    target = g.op("Where", is_piece, target, width)  # padding goes into one more column
    rows = g.size(piece_ids, 0)
    flat = g.op("Concat", rows, np.array([-1]), axis=0)
    shape = g.op("Concat", rows, g.op("Unsqueeze", g.op("Add", width, one), np.array([0])), axis=0)
    ids = g.op("Expand", np.array(0, np.int32), shape)
    ids = g.op(
        "ScatterElements", ids, g.op("Reshape", target, flat), g.op("Reshape", piece_ids, flat), axis=1
    )
    ids = g.op("Slice", ids, np.array([0]), g.op("Unsqueeze", width, np.array([0])), np.array([1]))
    place = g.op("Range", zero, width, one)
    ids = g.op("Where", g.op("Equal", place, zero), np.array(special.start, np.int32), ids)
    is_end = g.op("Equal", place, g.op("Add", totals, one))
    return {
        "piece_ids": g.op("Where", is_end, np.array(special.end, np.int32), ids),
        "piece_starts": g.cast(starts, np.int32),
        "piece_counts": g.cast(counts, np.int32),
    }
