from __future__ import annotations

import numpy as np
import tensorflow as tf
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from seqlab.modeling.masks.masked_ops import (
    masked_max,
    masked_softmax,
    with_first_position,
    zero_finite_padding,
    zero_padding,
)

MASK = np.array([[True, True, False], [False, False, False]])


def test_zero_padding_stops_nan_forward_and_backward():
    x = tf.constant(np.where(MASK[..., None], 2.0, np.nan).astype("float32"))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = zero_padding(x, MASK)
        loss = tf.reduce_sum(tf.square(y))
    assert_array_equal(y[..., 0], [[2, 2, 0], [0, 0, 0]])
    assert_array_equal(tape.gradient(loss, x)[..., 0], [[4, 4, 0], [0, 0, 0]])


def test_zero_finite_padding_is_zero_padding_for_finite_values():
    x = tf.random.normal((2, 3, 4))
    assert_array_equal(zero_finite_padding(x, MASK), zero_padding(x, MASK))
    assert zero_finite_padding(tf.cast(x, tf.float16), MASK).dtype == tf.float16


def test_zero_padding_without_a_mask_leaves_all():
    x = np.ones((1, 2, 1))
    assert zero_padding(x, None) is x
    assert zero_finite_padding(x, None) is x


def test_masked_softmax_gives_padding_exactly_nothing():
    scores = ops.convert_to_tensor([[0.0, 0.0, 5.0], [1.0, 2.0, 3.0]])
    assert_allclose(masked_softmax(scores, MASK), [[0.5, 0.5, 0], [1 / 3] * 3], atol=1e-6)


def test_masked_softmax_in_half_precision_is_finite_and_keeps_its_type():
    scores = ops.cast([[60000.0, -60000.0, 0.0], [0.0, 0.0, 0.0]], "float16")
    weights = masked_softmax(scores, MASK)
    assert weights.dtype == "float16"
    assert_allclose(weights, [[1, 0, 0], [1 / 3] * 3], atol=1e-3)


def test_masked_softmax_over_one_place_is_one_without_a_warning(recwarn):
    scores = tf.constant([[3.0], [-1e30]])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        weights = masked_softmax(scores, np.array([[True], [False]]))
    assert_array_equal(weights, [[1], [1]])
    assert_array_equal(tape.gradient(weights, scores), [[0], [0]])
    assert [w for w in recwarn if "softmax" in str(w.message)] == []


def test_masked_max_reads_no_padding():
    x = np.array([[[-7.0], [-5.0], [9.0]], [[1.0], [2.0], [3.0]]], "float32")
    assert_array_equal(masked_max(x, MASK), [[-5], [np.float32(3 - 1e9)]])
    assert_array_equal(masked_max(ops.cast(x, "float16"), MASK), [[-5], [-np.inf]])


def test_masked_max_without_a_mask():
    assert_array_equal(masked_max(np.array([[[1.0], [3.0]]]), None), [[3]])


def test_first_position_is_opened_only_in_wholly_padded_rows():
    assert_array_equal(with_first_position(MASK), [[True, True, False], [True, False, False]])
