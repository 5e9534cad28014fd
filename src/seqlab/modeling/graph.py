"""The training step on TensorFlow, and functions as graphs that are traced as rarely as possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        model.optimizer.apply(gradients, model.trainable_variables)
        return loss

    return step


def accumulating_training_step(model: Any, *, parts: int) -> Callable[..., Any]:
    """Return a training step that computes a batch in parts, one after the other, in the memory of one part.

    The step equals `training_step`, also if the parts have different numbers of tokens: each part divides its
    losses by the weights of the whole batch, and the gradients are added. Part i has the rows i, i + parts,
    and so on.

    Args:
        model: as for `training_step`.
        parts: at most the rows of a batch.
    """

    def step(features: Any, labels: Any, sample_weight: Any) -> Any:
        weights = model.loss_weights(labels, sample_weight)
        # With `char_rows`, the characters belong to all rows.
        shared = {"char_ids", "long_char_ids"} if "char_rows" in features else set()
        loss, gradients = tf.zeros(()), [None] * len(model.trainable_variables)
        for part in range(parts):
            with tf.control_dependencies([gradient for gradient in gradients if gradient is not None]):
                rows = {k: v if k in shared else tf.identity(v[part::parts]) for k, v in features.items()}
                own_labels = tf.nest.map_structure(lambda x, part=part: x[part::parts], labels)
                with tf.GradientTape() as tape:
                    own = model.loss_sums(own_labels, model(rows, training=True), sample_weight[part::parts])
                    part_loss = model.mean_loss(own[0], weights)
                    part_loss += sum(tf.cast(loss, tf.float32) for loss in model.losses) / parts
                    scaled_loss = model.optimizer.scale_loss(part_loss)
                found = tape.gradient(scaled_loss, model.trainable_variables)
                found = [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in found]
                loss += part_loss
                gradients = [
                    new if old is None else old if new is None else old + new
                    for old, new in zip(gradients, found, strict=True)
                ]
        model.optimizer.apply(gradients, model.trainable_variables)
        return loss

    return step


def replicated_training_step(model: Any) -> Callable[..., Any]:
    """Return a training step for the replicas of the strategy under which the model was built.

    The step equals that of one device on the whole batch: token counts are summed over the replicas before
    each one divides its losses by them, and gradients before they are clipped and applied.

    Its arguments are the features and the labels of each replica in this process, and the sample weights of
    all rows of the batch, float32 (B, T); replica i has the rows i, i + replicas, and so on. It returns the
    loss of the whole batch.

    Args:
        model: compiled with an optimizer that is built and that applies gradients as they are.
    """
    strategy = model.distribute_strategy
    count = strategy.num_replicas_in_sync
    first = first_replica(strategy)

    def replica_step(features: Any, labels: Any, sample_weight: Any) -> Any:
        replica = tf.distribute.get_replica_context()
        with tf.GradientTape() as tape:
            totals, weights = model.loss_sums(labels, model(features, training=True), sample_weight)
            weights = tf.unstack(replica.all_reduce(tf.distribute.ReduceOp.SUM, tf.stack(weights)))
            loss = model.mean_loss(totals, weights)
            loss += sum(tf.cast(loss, tf.float32) for loss in model.losses) / count
            scaled_loss = model.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled_loss, model.trainable_variables)
        summed = replica.all_reduce(
            tf.distribute.ReduceOp.SUM,
            [loss, *(tf.convert_to_tensor(gradient) for gradient in gradients if gradient is not None)],
        )
        loss, rest = summed[0], iter(summed[1:])
        model.optimizer.apply(
            [None if gradient is None else next(rest) for gradient in gradients], model.trainable_variables
        )
        return loss

    def step(features: Sequence[Any], labels: Sequence[Any], sample_weight: Any) -> Any:
        def arguments(replica: Any) -> tuple[Any, Any, Any]:
            i = replica.replica_id_in_sync_group
            return features[i - first], labels[i - first], sample_weight[i::count]

        arguments = strategy.experimental_distribute_values_from_function(arguments)
        losses = strategy.run(lambda arguments: replica_step(*arguments), args=(arguments,))
        return strategy.experimental_local_results(losses)[0]

    return step


def first_replica(strategy: Any) -> int:
    """Return the number of this process's first replica, counted over all machines from 0."""
    numbers = strategy.experimental_distribute_values_from_function(
        lambda replica: tf.constant(replica.replica_id_in_sync_group)
    )
    return int(strategy.experimental_local_results(numbers)[0])


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
