"""Cut long sentences into overlapping windows in a graph, exactly as `batching.buckets.cut_windows` does."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

Tensor = Any


class GraphWindows(NamedTuple):
    """R windows of at most W tokens, cut from sentences with N tokens in all.

    Args:
        tokens: int64 (R, W), the index of the token at each place, from 0 to N - 1; N at padding.
        kept_places: int64 (N,), for each token its place in the window that keeps it, in the flattened
            windows (R * W).
    """

    tokens: Tensor
    kept_places: Tensor


def cut_windows_in_graph(row_lengths: Tensor, *, max_length: int, overlap: int) -> GraphWindows:
    """Cut sentences into windows of at most `max_length` tokens; each window keeps half of each overlap.

    At least one window of at least one place is returned, also if there are no tokens.

    Args:
        row_lengths: int64 (B,), tokens of each sentence, 0 allowed.
        max_length: maximum number of tokens in a window.
        overlap: tokens that neighbouring windows share.
    """
    stride = max_length - overlap
    counts = (tf.maximum(row_lengths - overlap, 1) + stride - 1) // stride
    counts = tf.where(row_lengths > 0, counts, 0)
    first_token, first_window = (tf.cumsum(x, exclusive=True) for x in (row_lengths, counts))
    num_tokens, num_windows = tf.reduce_sum(row_lengths), tf.reduce_sum(counts)
    width = tf.clip_by_value(tf.reduce_max(tf.pad(row_lengths, [[0, 1]])), 1, max_length)

    row = tf.repeat(tf.range(tf.size(counts, tf.int64)), counts)
    start = (tf.range(num_windows) - tf.gather(first_window, row)) * stride
    places = start[:, None] + tf.range(width)
    is_real = places < tf.gather(row_lengths, row)[:, None]
    tokens = tf.where(is_real, tf.gather(first_token, row)[:, None] + places, num_tokens)
    tokens = tf.pad(tokens, [[0, tf.cast(num_windows == 0, tf.int32)], [0, 0]])

    row = tf.repeat(tf.range(tf.size(counts, tf.int64)), row_lengths)
    place = tf.range(num_tokens) - tf.gather(first_token, row)
    # Window i > 0 keeps the tokens from the middle of its overlap: i * stride + overlap // 2.
    window = tf.maximum((place - overlap // 2) // stride, 0)
    window = tf.minimum(window, tf.gather(counts, row) - 1)
    kept_places = (tf.gather(first_window, row) + window) * width + place - window * stride
    return GraphWindows(tokens=tokens, kept_places=kept_places)


def cut_piece_windows_in_graph(
    row_lengths: Tensor, counts: Tensor, *, max_length: int, overlap: int, max_pieces: int
) -> GraphWindows:
    """Cut sentences into windows of at most `max_length` tokens and `max_pieces` pieces.

    Each step of a loop cuts the next window of all sentences that are not yet at their end, exactly as
    `serving.tagging.piece_windows` does.

    Args:
        row_lengths: int64 (B,), tokens of each sentence, 0 allowed.
        counts: int64 (N,), the pieces of each token, none above `max_pieces`.
        max_length: maximum number of tokens in a window.
        overlap: tokens that neighbouring windows share; fewer, if a window has few tokens.
        max_pieces: maximum number of pieces in a window, without the special ones.
    """
    before = tf.cumsum(
        tf.RaggedTensor.from_row_lengths(counts, row_lengths, validate=False).to_tensor(), axis=1
    )
    before = tf.pad(before, [[0, 0], [1, 0]])
    parts = tf.TensorArray(tf.int64, 0, dynamic_size=True, element_shape=[None, 5], infer_shape=False)

    def cut_next(
        step: Tensor, row: Tensor, start: Tensor, shared: Tensor, parts: tf.TensorArray
    ) -> tuple[Any, ...]:
        sums, length = tf.gather(before, row), tf.gather(row_lengths, row)
        most = tf.gather(sums, start[:, None], batch_dims=1) + max_pieces
        fitting = tf.searchsorted(sums, most, side="right", out_type=tf.int64)[:, 0] - 1
        stop = tf.minimum(tf.minimum(start + max_length, tf.maximum(fitting, start + 1)), length)
        next_start = stop - tf.minimum(tf.constant(overlap, tf.int64), (stop - start) // 2)
        goes_on = stop < length
        shared_after = tf.where(goes_on, stop - next_start, 0)
        keep_stop = stop - shared_after + shared_after // 2
        part = tf.stack([row, start, stop, start + shared // 2, keep_stop], axis=1)
        return step + 1, row[goes_on], next_start[goes_on], shared_after[goes_on], parts.write(step, part)

    row = tf.where(row_lengths > 0)[:, 0]
    _, _, _, _, parts = tf.while_loop(
        lambda step, row, *_: tf.size(row) > 0,
        cut_next,
        (0, row, tf.zeros_like(row), tf.zeros_like(row), parts),
        parallel_iterations=1,
    )
    row, start, stop, keep_start, keep_stop = tf.unstack(parts.concat(), axis=1)
    first_token, num_tokens = tf.cumsum(row_lengths, exclusive=True), tf.reduce_sum(row_lengths)
    width = tf.maximum(tf.reduce_max(tf.pad(stop - start, [[0, 1]])), 1)
    places = start[:, None] + tf.range(width)
    tokens = tf.where(places < stop[:, None], tf.gather(first_token, row)[:, None] + places, num_tokens)
    tokens = tf.pad(tokens, [[0, tf.cast(tf.size(row) == 0, tf.int32)], [0, 0]], constant_values=0)
    is_kept = (places >= keep_start[:, None]) & (places < keep_stop[:, None])
    kept = tf.where(tf.reshape(is_kept, [-1]))[:, 0]
    kept_tokens = tf.gather(tf.reshape(tokens, [-1]), kept)
    kept_places = tf.scatter_nd(kept_tokens[:, None], kept, num_tokens[None])
    return GraphWindows(tokens=tokens, kept_places=kept_places)
