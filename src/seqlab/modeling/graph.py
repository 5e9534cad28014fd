"""The training step on TensorFlow, and functions as graphs that are traced as rarely as possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def training_step(model: Any) -> Callable[..., Any]:
    """Return a function from features, labels and sample weights to the loss; each call updates the weights.

    Args:
        model: compiled with an optimizer that is built; `model.compute_loss` gives the loss.
    """

    def step(features: Any, labels: Any, sample_weight: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(features, labels, model(features, training=True), sample_weight)
            scaled_loss = model.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled_loss, model.trainable_variables)
        # An embedding's sparse gradient is made dense once, not once for its norm and once for the update.
        gradients = [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in gradients]
        model.optimizer.apply(gradients, model.trainable_variables)
        return loss

    return step


class GraphFunction:
    """A function as a TensorFlow graph: one graph for all shapes, or one per shape under XLA.

    Args:
        function: takes nested structures of tensors.
        jit_compile: compile with XLA, which needs static shapes.
    """

    def __init__(self, function: Callable[..., Any], *, jit_compile: bool = False) -> None:
        self._function, self._jit_compile = function, jit_compile
        self._graph: Any = None

    def __call__(self, *args: Any) -> Any:
        if self._graph is None:
            self._graph = tf.function(
                self._function,
                input_signature=None if self._jit_compile else tf.nest.map_structure(_any_size, args),
                jit_compile=self._jit_compile,
                reduce_retracing=False,
                autograph=False,
            )
        return self._graph(*args)

    @property
    def traces(self) -> int:
        """How often the function was traced."""
        return 0 if self._graph is None else int(self._graph.experimental_get_tracing_count())


def _any_size(tensor: Any) -> tf.TensorSpec:
    tensor = tf.convert_to_tensor(tensor)
    return tf.TensorSpec([None] * tensor.shape.rank, tensor.dtype)
