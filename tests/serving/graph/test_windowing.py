from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from seqlab.batching.buckets import cut_windows
from seqlab.serving.graph.windowing import cut_windows_in_graph


@pytest.mark.parametrize(("max_length", "overlap"), [(5, 0), (5, 1), (8, 2), (8, 7)])
def test_the_windows_are_those_of_evaluation(max_length: int, overlap: int) -> None:
    lengths = np.random.default_rng(3).integers(1, 40, size=60)
    expected = cut_windows(np.concatenate([[0], np.cumsum(lengths)]), max_length=max_length, overlap=overlap)
    received = cut_windows_in_graph(tf.constant(lengths), max_length=max_length, overlap=overlap)
    tokens, kept_places = received.tokens.numpy(), received.kept_places.numpy()
    assert tokens.shape == (len(expected), max_length)
    assert tokens.ravel()[kept_places].tolist() == list(range(lengths.sum()))
    for row, start in enumerate(expected.start):
        real = tokens[row][tokens[row] < lengths.sum()]
        assert real.tolist() == list(range(start, start + expected.length[row]))
        kept = kept_places[kept_places // max_length == row] % max_length
        assert kept.tolist() == list(range(expected.keep_start[row], expected.keep_stop[row]))


def test_empty_sentences_have_no_window() -> None:
    lengths = tf.constant([0, 13, 1, 0, 6, 30, 0], tf.int64)
    windows = cut_windows_in_graph(lengths, max_length=6, overlap=3)
    kept = tf.gather(tf.reshape(windows.tokens, [-1]), windows.kept_places)
    assert kept.numpy().tolist() == list(range(50))


@pytest.mark.parametrize("lengths", [[], [0], [0, 0]])
def test_without_tokens_there_is_one_window_of_padding(lengths: list[int]) -> None:
    windows = cut_windows_in_graph(tf.constant(lengths, tf.int64), max_length=6, overlap=3)
    assert windows.tokens.numpy().tolist() == [[0]]
    assert windows.kept_places.numpy().tolist() == []
