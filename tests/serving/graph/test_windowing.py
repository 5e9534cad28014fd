from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from seqlab.batching.buckets import cut_windows
from seqlab.serving.graph.windowing import cut_windows_in_graph


@pytest.mark.parametrize(("max_length", "overlap"), [(5, 0), (5, 1), (8, 2), (8, 7)])
def test_the_rows_are_those_of_evaluation(max_length: int, overlap: int) -> None:
    lengths = np.random.default_rng(3).integers(1, 40, size=60)
    expected = cut_windows(np.concatenate([[0], np.cumsum(lengths)]), max_length=max_length, overlap=overlap)
    received = cut_windows_in_graph(tf.constant(lengths), max_length=max_length, overlap=overlap)
    tokens, keep = received.tokens.numpy(), received.keep.numpy()
    assert len(tokens) == len(expected)
    for row in range(len(expected)):
        real = tokens[row][tokens[row] < lengths.sum()]
        start = expected.start[row]
        assert real.tolist() == list(range(start, start + expected.length[row]))
        kept = np.flatnonzero(keep[row])
        assert kept.tolist() == list(range(expected.keep_start[row], expected.keep_stop[row]))


def test_kept_places_are_all_tokens_in_order() -> None:
    lengths = tf.constant([0, 13, 1, 0, 6, 30, 0], tf.int64)
    windows = cut_windows_in_graph(lengths, max_length=6, overlap=3)
    assert tf.boolean_mask(windows.tokens, windows.keep).numpy().tolist() == list(range(50))


@pytest.mark.parametrize("lengths", [[], [0], [0, 0]])
def test_without_tokens_there_is_one_row_and_nothing_to_keep(lengths: list[int]) -> None:
    windows = cut_windows_in_graph(tf.constant(lengths, tf.int64), max_length=6, overlap=3)
    assert windows.tokens.numpy().tolist() == [[0]]
    assert windows.keep.numpy().tolist() == [[False]]
