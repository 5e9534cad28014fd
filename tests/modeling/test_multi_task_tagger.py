"""Auxiliary columns change training, but not what is saved."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from small_taggers import NUM_TAGS, logits_of, random_batch, small_tagger

from seqlab.modeling.multi_task_tagger import MultiTaskTagger
from seqlab.modeling.optimizer import make_optimizer
from seqlab.modeling.saving import save_tagger

SIZES = (5, 9)
"""K of the two columns."""


def make_learner(tagger, *, weight=0.5):
    learner = MultiTaskTagger(tagger, auxiliary=SIZES, auxiliary_weight=weight)
    optimizer = make_optimizer(learning_rate=0.01, warmup_steps=2, total_steps=200)
    learner.compile(optimizer=optimizer, jit_compile=False)
    return learner


def labelled_batch(lengths, *, length):
    """A batch whose two columns are functions of the token, so they can be learned."""
    features, tag_ids, weight = random_batch(lengths, length=length)
    real = features["token_ids"] > 0
    columns = [np.where(real, 2 + features["token_ids"] % (size - 2), 0) for size in SIZES]
    return features, (tag_ids, np.stack(columns, axis=-1).astype(np.int32)), weight


def loss_of(learner, features, labels, weight):
    return float(learner.compute_loss(features, labels, learner(features, training=True), weight))


@pytest.mark.parametrize("kind", [("transformer", "crf"), ("absolute", "softmax")])
def test_the_loss_is_the_taggers_loss_plus_the_weighted_mean_of_each_column(kind):
    tagger = small_tagger(*kind)
    learner = make_learner(tagger, weight=0.25)
    features, labels, weight = labelled_batch([5, 2, 7], length=9)
    expected = float(tagger.compute_loss(features, labels[0], tagger(features, training=True), weight))
    _, columns = learner(features, training=True)
    for number, logits in enumerate(columns):
        probability = np.exp(np.asarray(logits, np.float64)[..., 2:])
        probability /= probability.sum(-1, keepdims=True)
        gold = labels[1][..., number]
        picked = np.take_along_axis(probability, np.maximum(gold - 2, 0)[..., None], -1)[..., 0]
        expected += 0.25 * -np.log(picked[weight > 0]).mean()
    assert loss_of(learner, features, labels, weight) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", [("transformer", "crf"), ("absolute", "softmax")])
def test_a_batch_in_parts_has_the_loss_and_the_update_of_the_whole(kind):
    """The parts have 8, 6 and 2 tokens, and one of them has an unknown tag."""
    features, labels, weight = labelled_batch([5, 2, 1, 3, 4, 1], length=6)
    features["char_rows"] = np.arange(36, dtype=np.int32).reshape(6, 6)
    features["char_ids"] = features["char_ids"].reshape(36, -1)  # of all parts
    labels[1][0, 0] = 1
    outcomes, weights = [], None
    for parts in (1, 3):
        learner = make_learner(small_tagger(*kind))
        weights = weights or learner.get_weights()
        learner.set_weights(weights)
        learner.compile(optimizer=keras.optimizers.SGD(0.1), auto_scale_loss=False, jit_compile=False)
        learner.gradient_accumulation_steps = parts
        losses = [float(learner.train_batch(features, labels, weight)) for _ in range(2)]
        outcomes.append((losses, learner.get_weights()))
    (losses, expected), (losses_in_parts, received) = outcomes
    assert losses_in_parts == pytest.approx(losses, rel=1e-5)
    for whole, in_parts in zip(expected, received, strict=True):
        np.testing.assert_allclose(in_parts, whole, rtol=1e-3, atol=2e-5)


def test_unknown_tags_and_padding_of_a_column_do_not_count():
    learner = make_learner(small_tagger())
    features, labels, weight = labelled_batch([5, 2], length=6)
    with_unknown = labels[1].copy()
    with_unknown[0, 0] = 1
    shorter = float(loss_of(learner, features, (labels[0], with_unknown), weight))
    _, columns = learner(features, training=True)
    known = [head.loss_sum(with_unknown[..., n], columns[n], weight) for n, head in enumerate(heads(learner))]
    assert all(float(count) == 6 for _, count in known)
    assert shorter != pytest.approx(loss_of(learner, features, labels, weight))
    longer_features, longer_labels, longer_weight = labelled_batch([5, 2], length=20)
    assert loss_of(learner, longer_features, longer_labels, longer_weight) == pytest.approx(
        loss_of(learner, features, labels, weight), rel=1e-5
    )


def heads(learner):
    return learner.auxiliary_heads


def test_training_learns_the_columns_through_the_shared_parts_in_graph_mode():
    tagger = small_tagger()
    learner = make_learner(tagger)
    before = [weight.copy() for weight in tagger.get_weights()]
    batches = [labelled_batch([5, 2, 7, 3], length=length) for length in (8, 12)]
    first = [loss_of(learner, *batch) for batch in batches]
    for _ in range(20):
        for features, labels, weight in batches:
            learner.train_on_batch(features, labels, sample_weight=weight)
    assert learner.training_traces == 1
    assert all(loss_of(learner, *batch) < 0.5 * loss for batch, loss in zip(batches, first, strict=True))
    changed = [not np.array_equal(a, b) for a, b in zip(before, tagger.get_weights(), strict=True)]
    assert all(
        change or "seed_generator" in weight.path
        for change, weight in zip(changed, tagger.weights, strict=True)
    )


def test_columns_train_the_shared_parts():
    """The task's own labels are all unknown, so only the columns train the shared parts."""
    tagger = small_tagger(head="softmax")
    learner = make_learner(tagger)
    features, (tag_ids, columns), weight = labelled_batch([5, 2, 7, 3], length=8)
    before = np.asarray(tagger.embedder.token_embedding.embeddings).copy()
    unknown = np.minimum(tag_ids, 1)
    learner.train_on_batch(features, (unknown, columns), sample_weight=weight)
    learner.train_on_batch(features, (unknown, columns), sample_weight=weight)
    assert not np.array_equal(before, np.asarray(tagger.embedder.token_embedding.embeddings))


def test_the_tagger_alone_is_saved_and_scores_the_same(tmp_path):
    tagger = small_tagger()
    learner = make_learner(tagger)
    features, labels, weight = labelled_batch([5, 2, 7], length=8)
    for _ in range(3):
        learner.train_on_batch(features, labels, sample_weight=weight)
    np.testing.assert_array_equal(logits_of(learner, features), logits_of(tagger, features))
    np.testing.assert_array_equal(learner.decode(features), tagger.decode(features))
    save_tagger(tagger, tmp_path / "model.keras", features=features)
    assert logits_of(learner, features).shape[-1] == NUM_TAGS
    with pytest.raises(NotImplementedError, match="save the tagger that was passed"):
        learner.get_config()
