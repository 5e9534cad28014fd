"""Long sentences as overlapping windows, inside a graph: the very rows of `batching.buckets.cut_windows`."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

Tensor = Any


class GraphWindows(NamedTuple):
    """Rows cut from a batch of sentences whose tokens stand one after the other.

    Args:
        tokens: int64 (R, T), each place's token, counted over the whole batch; at padding, their number N.
        keep: bool (R, T), the places whose tags are kept; read row by row they are the N tokens in order.
    """

    tokens: Tensor
    keep: Tensor


def cut_windows_in_graph(row_lengths: Tensor, *, max_length: int, overlap: int) -> GraphWindows:
    """Cut sentences into rows of at most `max_length` tokens.

    There is at least one row and one place, also without any token: what is computed on them is then thrown
    away.

    Args:
        row_lengths: int64 (B,), tokens in each sentence, 0 allowed.
        max_length: most tokens in a row.
        overlap: tokens that neighbouring rows share; each keeps the half nearer to its middle.
    """
    stride = max_length - overlap
    more = tf.maximum(row_lengths - max_length, 0)
    counts = tf.where(row_lengths > 0, 1 + (more + stride - 1) // stride, 0)
    sentence = tf.repeat(tf.range(tf.size(row_lengths, tf.int64)), counts)
    number = tf.range(tf.size(sentence, tf.int64)) - tf.gather(tf.cumsum(counts, exclusive=True), sentence)
    length = tf.gather(row_lengths, sentence)
    start = number * stride
    stop = tf.minimum(start + max_length, length)
    # The cut between two rows lies in the middle of what they share.
    previous_stop = start - stride + max_length
    following_start = start + stride
    is_last = stop == length
    cut = tf.where(number > 0, (start + previous_stop) // 2, 0)
    next_cut = tf.where(is_last, length, (following_start + stop) // 2)
    offset = tf.gather(tf.cumsum(row_lengths, exclusive=True), sentence)

    nothing = tf.cast(tf.size(sentence) == 0, tf.int64)
    start, stop, cut, next_cut, offset = (
        tf.pad(x, [[0, nothing]]) for x in (start, stop, cut, next_cut, offset)
    )
    place = tf.range(tf.maximum(tf.reduce_max(stop - start), 1))[None]
    within = start[:, None] + place
    is_real = within < stop[:, None]
    tokens = tf.where(is_real, offset[:, None] + within, tf.reduce_sum(row_lengths))
    keep = tf.logical_and(within >= cut[:, None], within < next_cut[:, None])
    return GraphWindows(tokens=tokens, keep=tf.logical_and(keep, is_real))
