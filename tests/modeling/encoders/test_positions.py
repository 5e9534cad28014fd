from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from layer_checks import as_array
from numpy.testing import assert_allclose

from seqlab.errors import SeqlabError
from seqlab.modeling.encoders.positions import PositionEmbedding, sinusoids


def test_sinusoids_equal_the_formula():
    sine, cosine = sinusoids(50, 6)
    angles = np.arange(50)[:, None] * 10000.0 ** (-np.array([0, 2, 4]) / 6)
    assert_allclose(sine, np.sin(angles), atol=1e-5)
    assert_allclose(cosine, np.cos(angles), atol=1e-5)


def test_adds_row_t_to_token_t():
    layer = PositionEmbedding(max_length=5)
    x = np.ones((2, 3, 4), dtype="float32")
    output = np.array(layer(x))
    assert_allclose(output, 1 + np.broadcast_to(as_array(layer.positions)[:3], output.shape), atol=1e-6)


def test_sines_come_before_cosines():
    output = np.array(PositionEmbedding()(np.zeros((1, 3, 2), dtype="float32")))
    assert_allclose(output[0], [[0, 1], [np.sin(1), np.cos(1)], [np.sin(2), np.cos(2)]], atol=1e-6)


def test_a_batch_longer_than_the_table_is_an_error():
    with pytest.raises(SeqlabError, match=r"at most 5 tokens[\s\S]*6 tokens"):
        PositionEmbedding(max_length=5)(np.zeros((1, 6, 4), dtype="float32"))


def test_a_longer_batch_is_an_error_in_a_graph_of_dynamic_length():
    layer = PositionEmbedding(max_length=5)
    layer.build((None, None, 4))
    graph = tf.function(layer.call, input_signature=[tf.TensorSpec((None, None, 4))])
    assert graph(tf.zeros((1, 5, 4))).shape == (1, 5, 4)
    with pytest.raises(tf.errors.InvalidArgumentError, match="shapes"):
        graph(tf.zeros((1, 6, 4)))


def test_sinusoids_need_an_even_size():
    with pytest.raises(SeqlabError, match=r"even size[\s\S]*received: 5"):
        PositionEmbedding().build((None, None, 5))
