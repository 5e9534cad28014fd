from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from small_taggers import random_batch, small_tagger

from seqlab.errors import SeqlabError
from seqlab.modeling.fit import fit, reseed

BATCHES = [random_batch([4, 2], length=4, seed=s) for s in range(3)] + [
    random_batch([8, 6], length=8, seed=9)
]


def dataset(epoch):
    return [tf.nest.map_structure(tf.constant, batch) for batch in BATCHES]


def accuracy(tagger):
    right = total = 0
    for features, tags, weight in BATCHES:
        right += ((np.asarray(tagger.decode(features)) == tags) * weight).sum()
        total += weight.sum()
    return float(right / total)


def test_training_learns_and_tells_what_it_did():
    tagger = small_tagger()
    rows, steps = [], []
    result = fit(
        tagger,
        training_dataset=dataset,
        score=lambda: {"token_accuracy": accuracy(tagger)},
        monitor="token_accuracy",
        epochs=40,
        patience=40,
        seed=1,
        on_epoch=rows.append,
        on_step=lambda epoch, step, loss: steps.append((epoch, step)),
    )
    assert result.best_score == 1.0
    assert rows == result.history
    assert steps[:5] == [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1)]
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"] / 2
    assert result.history[0]["tokens"] == 4 * 3 + 2 * 3 + 14
    assert result.history[0]["padding_efficiency"] == pytest.approx(32 / (3 * 8 + 16))
    assert result.traces == len(result.batch_shapes) == 2
    assert accuracy(tagger) == 1.0


def test_the_best_epochs_weights_are_kept_and_patience_ends_training():
    tagger = small_tagger()
    scores = iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.1])
    weights = []

    def score():
        weights.append(tagger.get_weights())
        return {"token_accuracy": next(scores)}

    result = fit(
        tagger, training_dataset=dataset, score=score, monitor="token_accuracy", epochs=6, patience=2, seed=1
    )
    assert (result.best_epoch, result.best_score, result.stopped_early) == (2, 0.5, True)
    assert len(result.history) == 4
    for kept, expected in zip(tagger.get_weights(), weights[1], strict=True):
        np.testing.assert_array_equal(kept, expected)


def test_equal_seeds_give_equal_weights_with_dropout():
    def weights(seed):
        tagger = small_tagger(dropout=0.3, token_dropout=0.2)
        start = small_tagger(dropout=0.3, token_dropout=0.2)
        for variable, value in zip(tagger.weights, start.weights, strict=True):
            rng = np.random.default_rng(0)
            variable.assign(rng.normal(scale=0.1, size=value.shape))
        fit(
            tagger,
            training_dataset=dataset,
            score=lambda: {"token_accuracy": 0.0},
            monitor="token_accuracy",
            epochs=2,
            patience=9,
            seed=seed,
        )
        return np.concatenate([w.ravel() for w in tagger.get_weights()])

    first, again, other = weights(1), weights(1), weights(2)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_epochs_random_numbers_depend_on_seed_and_epoch_alone():
    tagger = small_tagger(dropout=0.3, token_dropout=0.2)

    def states():
        return [np.array(v) for v in tagger.variables if v.name == "seed_generator_state"]

    reseed(tagger, seed=1, epoch=4)
    first = states()
    tagger(BATCHES[0][0], training=True)
    reseed(tagger, seed=1, epoch=4)
    assert len(first) >= 2
    assert all(np.array_equal(a, b) for a, b in zip(first, states(), strict=True))
    assert len({tuple(state) for state in first}) == len(first), "no two layers share their numbers"
    reseed(tagger, seed=1, epoch=5)
    assert not any(np.array_equal(a, b) for a, b in zip(first, states(), strict=True))


def test_averaged_weights_are_scored_and_kept():
    from seqlab.modeling.optimizer import make_optimizer

    tagger = small_tagger()
    tagger.compile(
        optimizer=make_optimizer(learning_rate=0.05, warmup_steps=0, total_steps=99, averaged_steps=10),
        jit_compile=False,
    )
    scored = []

    def score():
        scored.append(tagger.get_weights())
        return {"token_accuracy": float(len(scored))}

    fit(tagger, training_dataset=dataset, score=score, monitor="token_accuracy", epochs=2, patience=9, seed=1)
    averages = [np.array(v) for v in tagger.optimizer._model_variables_moving_average]
    for kept, seen in zip(tagger.get_weights(), scored[-1], strict=True):
        np.testing.assert_array_equal(kept, seen)
    assert len(averages) == len(tagger.trainable_variables)


def test_a_loss_that_is_not_finite_stops_with_a_remedy():
    tagger = small_tagger()
    tagger.weights[0].assign(np.full(tagger.weights[0].shape, np.nan))
    with pytest.raises(
        SeqlabError, match=r"loss is nan at epoch 1, step 1\n.*\n  remedy: lower training.learning_rate"
    ):
        fit(
            tagger,
            training_dataset=dataset,
            score=lambda: {"token_accuracy": 0.0},
            monitor="token_accuracy",
            epochs=1,
            patience=1,
            seed=1,
        )
