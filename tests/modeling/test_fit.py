from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from small_taggers import random_batch, small_tagger

from seqlab.errors import SeqlabError
from seqlab.modeling.fit import fit, reseed
from seqlab.modeling.optimizer import make_optimizer

BATCHES = [random_batch([4, 2], length=4, seed=s) for s in range(3)] + [
    random_batch([8, 6], length=8, seed=9)
]


def dataset(epoch, skipped=0):
    return [tf.nest.map_structure(tf.constant, batch) for batch in BATCHES[skipped:]]


def accuracy(tagger):
    right = total = 0
    for features, tags, weight in BATCHES:
        right += ((np.asarray(tagger.decode(features)) == tags) * weight).sum()
        total += weight.sum()
    return float(right / total)


def run(tagger, **arguments):
    """`fit` with a constant score unless `arguments` say otherwise."""
    defaults = {
        "training_dataset": dataset,
        "score": lambda: {"token_accuracy": 0.0},
        "monitor": "token_accuracy",
        "epochs": 2,
        "patience": 9,
        "seed": 1,
        "steps_per_fetch": 1,
    }
    return fit(tagger, **{**defaults, **arguments})


def test_training_learns_and_returns_its_history():
    tagger = small_tagger(characters="none")
    rows, steps = [], []
    result = run(
        tagger,
        score=lambda: {"token_accuracy": accuracy(tagger)},
        epochs=25,
        patience=25,
        on_epoch=rows.append,
        on_step=lambda epoch, step, loss: steps.append((epoch, step)),
    )
    assert result.best_score == 1.0
    assert rows == result.history
    assert steps[:5] == [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1)]
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"] / 2
    assert result.history[0]["tokens"] == 4 * 3 + 2 * 3 + 14
    assert result.history[0]["padding_efficiency"] == pytest.approx(32 / (3 * 8 + 16))
    assert result.traces == 1, "one graph for all shapes"
    assert len(result.batch_shapes) == 2
    assert accuracy(tagger) == 1.0


def test_losses_are_fetched_after_some_steps_and_at_the_end():
    steps = []
    result = run(
        small_tagger(characters="none"),
        on_step=lambda epoch, step, loss: steps.append((epoch, step)),
        steps_per_fetch=3,
    )
    assert steps == [(1, 3), (1, 4), (2, 3), (2, 4)]
    assert [row["steps"] for row in result.history] == [4, 4]
    assert all(0 <= row["train_s"] <= row["duration_s"] for row in result.history)


def test_patience_stops_training_and_the_weights_of_the_best_epoch_are_kept():
    tagger = small_tagger(characters="none")
    scores = iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.1])
    weights = []

    def score():
        weights.append(tagger.get_weights())
        return {"token_accuracy": next(scores)}

    result = run(tagger, score=score, epochs=6, patience=2)
    assert (result.best_epoch, result.best_score, result.stopped_early) == (2, 0.5, True)
    assert len(result.history) == 4
    for kept, expected in zip(tagger.get_weights(), weights[1], strict=True):
        np.testing.assert_array_equal(kept, expected)


def test_equal_seeds_give_equal_weights_with_dropout():
    tagger = small_tagger(characters="none", dropout=0.3, token_dropout=0.2)
    start = tagger.get_weights()

    def weights(seed):
        tagger.set_weights(start)
        for variable in tagger.optimizer.variables:
            variable.assign(np.zeros(variable.shape))
        run(tagger, training_dataset=lambda epoch, skipped: dataset(epoch)[skipped:2], seed=seed)
        return np.concatenate([w.ravel() for w in tagger.get_weights()])

    first, again, other = weights(1), weights(1), weights(2)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_random_numbers_of_an_epoch_depend_only_on_seed_and_epoch():
    tagger = small_tagger(dropout=0.3, token_dropout=0.2)

    def states():
        return [np.array(v) for v in tagger.variables if v.name == "seed_generator_state"]

    reseed(tagger, seed=1, epoch=4)
    first = states()
    tagger(BATCHES[0][0], training=True)
    reseed(tagger, seed=1, epoch=4)
    assert len(first) >= 2
    assert all(np.array_equal(a, b) for a, b in zip(first, states(), strict=True))
    assert len({tuple(state) for state in first}) == len(first), "two layers share random numbers"
    reseed(tagger, seed=1, epoch=5)
    assert not any(np.array_equal(a, b) for a, b in zip(first, states(), strict=True))


def test_averaged_weights_are_scored_and_kept():
    tagger = small_tagger(characters="none")
    tagger.compile(
        optimizer=make_optimizer(learning_rate=0.05, warmup_steps=0, total_steps=99, averaged_steps=10),
        jit_compile=False,
    )
    scored = []

    def score():
        scored.append(tagger.get_weights())
        return {"token_accuracy": float(len(scored))}

    run(tagger, training_dataset=lambda epoch, skipped: dataset(epoch)[skipped:2], score=score)
    averages = [np.array(v) for v in tagger.optimizer._model_variables_moving_average]
    for kept, seen in zip(tagger.get_weights(), scored[-1], strict=True):
        np.testing.assert_array_equal(kept, seen)
    assert len(averages) == len(tagger.trainable_variables)


def test_a_loss_that_is_not_finite_is_an_error_with_a_remedy():
    tagger = small_tagger(characters="none")
    tagger.weights[0].assign(np.full(tagger.weights[0].shape, np.nan))
    message = (
        r"loss is nan at epoch 1, step 1\n.*\n  received: losses nan; gradient norms nan; learning rate .*"
        r"\n    batch: sentence 1 of step 1\n  remedy: lower training.learning_rate"
    )
    with pytest.raises(SeqlabError, match=message):
        run(tagger, describe_batch=lambda epoch, step: f"sentence {epoch} of step {step}")


def test_a_gradient_that_is_not_finite_is_found_at_its_own_step():
    tagger = small_tagger(characters="none")
    tagger.run_eagerly = True
    loss, weight = tagger.compute_loss, tagger.embedder.token_embedding.trainable_variables[0]
    steps = iter((1, 2, 3))

    def with_an_infinite_slope(*args, **kwargs):
        slope = tf.sqrt(0 * weight[0, 0]) if next(steps) == 3 else 0.0  # the slope of the root at 0
        return loss(*args, **kwargs) + slope

    tagger.compute_loss = with_an_infinite_slope
    message = (
        r"gradient's norm is nan at epoch 1, step 3\n  expected: a finite loss and a finite gradient\n"
        r"  received: losses [\d.]+, [\d.]+, [\d.]+; gradient norms [\d.]+, [\d.]+, nan; "
    )
    with pytest.raises(SeqlabError, match=message):
        run(tagger)
