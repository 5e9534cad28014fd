"""The training step on JAX and on PyTorch; on TensorFlow it is a graph, see `graph.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


def backend_step(model: Any) -> Callable[..., Any]:
    """Return a function from features, labels and sample weights to the loss; each call updates the weights.

    No call waits for the device. On JAX each batch shape is compiled once.

    Args:
        model: compiled with an optimizer; `model.compute_loss` gives the loss.
    """
    model.optimizer.build(model.trainable_variables)
    return _jax_step(model) if keras.backend.backend() == "jax" else _torch_step(model)


def _jax_step(model: Any) -> Callable[..., Any]:
    import jax

    def update(state: Any, features: Any, labels: Any, sample_weight: Any) -> Any:
        weights, others, optimizer = state
        with_gradients = jax.value_and_grad(model.compute_loss_and_updates, has_aux=True)
        (_, (loss, _, others, _)), gradients = with_gradients(
            weights, others, [], features, labels, sample_weight, training=True, optimizer_variables=optimizer
        )
        weights, optimizer = model.optimizer.stateless_apply(optimizer, gradients, weights)
        return loss, (weights, others, optimizer)

    compiled = jax.jit(update, donate_argnums=0)
    variables = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)

    def step(features: Any, labels: Any, sample_weight: Any) -> Any:
        state = [[variable.value for variable in group] for group in variables]
        loss, state = compiled(state, features, labels, sample_weight)
        for group, values in zip(variables, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return loss

    return step


def _torch_step(model: Any) -> Callable[..., Any]:
    import torch

    def step(features: Any, labels: Any, sample_weight: Any) -> Any:
        features, labels, sample_weight = keras.tree.map_structure(
            keras.ops.convert_to_tensor, (features, labels, sample_weight)
        )
        model.zero_grad()
        loss = model.compute_loss(features, labels, model(features, training=True), sample_weight)
        model.optimizer.scale_loss(loss).backward()
        gradients = [variable.value.grad for variable in model.trainable_variables]
        with torch.no_grad():
            model.optimizer.apply(gradients, model.trainable_variables)
        return loss.detach()

    return step
