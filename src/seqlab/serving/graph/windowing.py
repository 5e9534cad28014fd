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
