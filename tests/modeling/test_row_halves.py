"""Training computes the halves of a batch apart, with the loss and gradients of the whole batch."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from small_taggers import TINY_BERT, random_batch, small_tagger

from seqlab.modeling.row_halves import on_row_halves

WITHOUT_DROPOUT = TINY_BERT | {"settings": TINY_BERT["settings"] | {"dropout": 0.0}}


@pytest.fixture(scope="module", params=["transformer", "pretrained"])
def gradients(request):
    """Functions from a batch to loss and gradients: of the whole batch, and of its halves."""
    options = {"pretrained": WITHOUT_DROPOUT} if request.param == "pretrained" else {}
    encoder = "none" if options else request.param
    tagger = small_tagger(encoder, "softmax", "pretrained" if options else "none", **options)

    def gradients(features, tags, weight):
        with tf.GradientTape() as tape:
            loss = tagger.compute_loss(features, tags, tagger(features, training=True), weight)
        found = tape.gradient(loss, tagger.trainable_variables)
        return [loss, *(tf.convert_to_tensor(x) for x in found)]

    batch = tf.nest.map_structure(
        lambda x: tf.TensorSpec([None] * x.ndim, x.dtype), random_batch([3], length=4)
    )
    whole = tf.function(gradients, autograph=False).get_concrete_function(*batch)
    tagger.halve_rows()
    return whole, tf.function(gradients, autograph=False).get_concrete_function(*batch)


@pytest.mark.parametrize("lengths", [[5], [5, 2], [1, 6, 3, 4, 2]], ids=len)
def test_the_halves_of_a_batch_have_its_loss_and_gradients(gradients, lengths):
    of_whole, of_halves = (
        function(*tf.nest.map_structure(tf.constant, random_batch(lengths, length=6)))
        for function in gradients
    )
    for halves, whole in zip(of_halves, of_whole, strict=True):
        np.testing.assert_allclose(halves, whole, rtol=1e-4, atol=1e-6)


def test_each_half_is_a_part_of_the_graph(gradients):
    counts = [
        sum(node.op in ("MatMul", "BatchMatMulV2") for node in function.graph.as_graph_def().node)
        for function in gradients
    ]
    assert counts[1] > 1.5 * counts[0]


def test_rows_keep_their_order():
    seen = []
    x = np.arange(5)[:, None]
    result = on_row_halves(
        lambda rows: seen.append(len(rows["a"])) or rows["a"] + rows["b"], {"a": x, "b": 2 * x}
    )
    assert (np.asarray(result) == 3 * x).all()
    assert seen == [2, 3]
