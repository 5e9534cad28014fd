from __future__ import annotations

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqlab.modeling.optimizer import FusedAdamW, VariableRate, make_optimizer


def learning_rate(step, **arguments):
    optimizer = make_optimizer(**arguments)
    optimizer.iterations.assign(step)
    return float(optimizer.learning_rate)


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.1), (5, 0.55), (10, 1.0), (60, 0.5), (110, 0.0), (500, 0.0)]
)
def test_the_learning_rate_rises_to_its_maximum_and_falls_to_zero(step, expected):
    rate = learning_rate(step, learning_rate=1.0, warmup_steps=10, total_steps=110)
    assert rate == pytest.approx(expected, abs=1e-6)


def test_without_warm_up_the_learning_rate_starts_at_its_maximum_and_follows_the_cosine():
    arguments = {"learning_rate": 2.0, "warmup_steps": 0, "total_steps": 100}
    assert learning_rate(0, **arguments) == 2.0
    assert learning_rate(25, **arguments) == pytest.approx(1 + math.cos(math.pi / 4), rel=1e-5)


@pytest.mark.parametrize("total_steps", [1, 8, 9])
def test_warm_up_takes_at_most_half_of_the_steps(total_steps):
    """As with one epoch and warmup_epochs 1."""
    rates = [
        learning_rate(step, learning_rate=1.0, warmup_steps=total_steps, total_steps=total_steps)
        for step in range(total_steps + 1)
    ]
    assert max(rates) == rates[total_steps // 2] == 1.0
    assert rates[-1] == pytest.approx(0, abs=1e-6)


def test_biases_scales_and_embeddings_do_not_decay():
    model = keras.Sequential(
        [keras.layers.Embedding(4, 3), keras.layers.Dense(2), keras.layers.LayerNormalization()]
    )
    model.build((None, 5))
    optimizer = make_optimizer(learning_rate=0.1, warmup_steps=0, total_steps=10, weight_decay=0.5)
    optimizer.build(model.trainable_variables)
    before = {variable.path: np.array(variable) for variable in model.trainable_variables}
    optimizer.apply([np.zeros(variable.shape, np.float32) for variable in model.trainable_variables])
    changed = {
        variable.path
        for variable in model.trainable_variables
        if not np.array_equal(before[variable.path], variable)
    }
    assert {path.rpartition("/")[2] for path in changed} == {"kernel"}


def test_clipping_bounds_the_global_norm():
    clipped = make_optimizer(learning_rate=1.0, warmup_steps=0, total_steps=9, clip_norm=1.0)
    assert clipped.global_clipnorm == 1.0
    assert make_optimizer(learning_rate=1.0, warmup_steps=0, total_steps=9).global_clipnorm is None


@pytest.mark.parametrize("graph", [False, True])
def test_the_fused_update_is_the_update_of_keras(graph):
    """Dense and sparse gradients, clipping, decay and the moving average, over several steps.

    Keras gets dense gradients, because it takes the norm of sparse ones wrongly.
    """
    random = np.random.default_rng(0)
    initial = [random.normal(size=(6, 3)).astype("float32"), random.normal(size=4).astype("float32")]
    gradients = [
        (tf.constant(random.normal(size=(3, 3)), tf.float32), random.integers(0, 6, 3), random.normal(size=4))
        for _ in range(5)
    ]

    def train(kind):
        variables = [keras.Variable(value, name=name) for value, name in zip(initial, "ab", strict=True)]
        optimizer = kind(0.1, weight_decay=0.2, global_clipnorm=1.0, use_ema=True, ema_momentum=0.7)
        optimizer.build(variables)

        def step(values, rows, dense):
            sparse = tf.IndexedSlices(values, rows, tf.constant([6, 3]))
            first = sparse if kind is FusedAdamW else tf.convert_to_tensor(sparse)
            optimizer.apply([first, tf.cast(dense, tf.float32)], variables)

        step = tf.function(step) if graph else step
        for values, rows, dense in gradients:
            step(values, tf.constant(rows), tf.constant(dense))
        averages = optimizer._model_variables_moving_average
        return [np.array(value) for value in [*variables, *averages, optimizer.iterations]]

    for value, expected in zip(train(FusedAdamW), train(keras.optimizers.AdamW), strict=True):
        np.testing.assert_allclose(value, expected, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("graph", [False, True])
def test_a_long_average_takes_the_weights_of_every_nth_step(graph):
    optimizer = make_optimizer(learning_rate=0.1, warmup_steps=0, total_steps=99, averaged_steps=50)
    assert optimizer.averaged_every == 3
    variable = keras.Variable([1.0])
    optimizer.build([variable])

    def step(gradient):
        optimizer.apply([gradient], [variable])

    step = tf.function(step) if graph else step
    expected = None
    for number in range(8):
        step(tf.constant([0.5]))
        if number % 3 == 0:
            weight = np.array(variable)
            expected = weight if expected is None else 0.94 * expected + 0.06 * weight
        (average,) = optimizer._model_variables_moving_average
        np.testing.assert_allclose(np.array(average), expected, rtol=1e-6)


def test_loss_scaling_keeps_the_average_of_the_weights():
    optimizer = make_optimizer(
        learning_rate=0.1, warmup_steps=0, total_steps=9, averaged_steps=4, loss_scaling=True
    )
    variable = keras.Variable([1.0, 2.0])
    optimizer.build([variable])
    for _ in range(3):
        optimizer.apply([optimizer.scale_loss(tf.constant([0.5, -0.5]))], [variable])
    (average,) = optimizer.inner_optimizer._model_variables_moving_average
    assert np.array(variable)[0] < np.array(average)[0] < 1.0


def test_the_norm_of_an_embeddings_gradient_adds_the_rows_of_equal_tokens():
    optimizer = make_optimizer(learning_rate=0.1, warmup_steps=0, total_steps=9, clip_norm=1.0)
    variable = keras.Variable(np.zeros((3, 2), np.float32))
    optimizer.build([variable])
    gradient = tf.IndexedSlices(
        tf.constant([[3.0, 4.0], [3.0, 4.0]]), tf.constant([1, 1]), tf.constant([3, 2])
    )
    optimizer.apply([gradient], [variable])
    clipped = np.array(optimizer._momentums[0]) / (1 - optimizer.beta_1)
    np.testing.assert_allclose(clipped, [[0, 0], [0.6, 0.8], [0, 0]], rtol=1e-5)


def test_a_variable_has_the_learning_rate_that_its_path_is_given():
    """The first step of Adam changes each weight by the learning rate, and decay by its share of it."""
    slow, plain = keras.Variable([1.0], name="slow"), keras.Variable([1.0], name="plain")
    optimizer = FusedAdamW(learning_rate=0.1, weight_decay=0.5)
    optimizer.rates = {slow.path: VariableRate(factor=0.5, warmup_steps=2)}
    optimizer.apply([tf.constant([1.0])] * 2, [slow, plain])
    assert float(plain[0]) == pytest.approx(1 - 0.1 * 0.5 - 0.1, abs=1e-4)
    assert float(slow[0]) == pytest.approx(1 - 0.1 * 0.25 * 0.5 - 0.1 * 0.25, abs=1e-4)
    assert [float(optimizer.rate_of(slow, 0.1)) for _ in range(2)] == pytest.approx([0.05, 0.05])
