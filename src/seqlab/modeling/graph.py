"""Graph mode: one trace of the training step per static shape, and the proof of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras


def static_shape_train_function(model: keras.Model) -> tuple[Callable[[Iterator[Any]], Any], Any]:
    """A training function that is traced once for each static shape of a batch, and the traced step.

    Keras traces with `reduce_retracing`, so that after the second shape every dimension is dynamic: XLA then
    compiles again at each new shape, and the number of traces says nothing. The step's
    `experimental_get_tracing_count()` is the number of distinct batch shapes that it has met.
    """
    import tensorflow as tf

    jit_compile = bool(model.jit_compile)
    step = tf.function(model.train_step, jit_compile=jit_compile, reduce_retracing=False)
    return (lambda iterator: step(next(iterator))), step


def can_trace_statically(model: keras.Model) -> bool:
    """Whether `static_shape_train_function` serves: TensorFlow backend, graph mode, one replica."""
    if keras.backend.backend() != "tensorflow" or model.run_eagerly:
        return False
    return bool(model.distribute_strategy.num_replicas_in_sync == 1)


def compiled_function(function: Callable[..., Any], *, jit_compile: bool = False) -> Callable[..., Any]:
    """`function` as a graph on the TensorFlow backend, one trace per static shape; elsewhere as it is."""
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    return tf.function(function, jit_compile=jit_compile, reduce_retracing=False)
