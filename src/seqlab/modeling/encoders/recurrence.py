"""The recurrence of an LSTM as one loop with a written-out gradient, for devices without cuDNN."""

from __future__ import annotations

from typing import Any

from keras import ops

from seqlab.modeling.masks.masked_ops import MASKED_SCORE, Tensor


def lstm_states(inputs: Tensor, recurrent_kernel: Tensor, mask: Tensor | None) -> Tensor:
    """Return the hidden states of an LSTM (Hochreiter and Schmidhuber 1997, with forget gates).

    With `z_t = inputs_t + h_(t-1) U`, split into i, f, g and o:
    `c_t = sigmoid(f) c_(t-1) + sigmoid(i) tanh(g)` and `h_t = sigmoid(o) tanh(c_t)`.

    Where the mask is False the input and forget gates are 0, so the state is exactly 0, whatever the inputs
    are. The gradient is written out (backpropagation through time): the loop contains one matrix product per
    step and direction, and everything that does not depend on the previous step, the gradient of U included,
    is computed once for all steps.

    Args:
        inputs: float (T, B, 4 * units), the products of the tokens with the kernel, plus the bias.
        recurrent_kernel: float (units, 4 * units), U.
        mask: bool (T, B), True = a real token, or None.

    Returns:
        float (T, B, units), 0 where the mask is False.
    """
    units = recurrent_kernel.shape[0]
    if mask is not None:
        closed = ops.where(ops.arange(4 * units) < 2 * units, ops.cast(MASKED_SCORE, inputs.dtype), 0)
        inputs = ops.where(ops.expand_dims(mask, -1), inputs, closed)
    # TensorFlow wants a tensor here, not the variable, so that the gradient has no variables to account for.
    return _recurrence(inputs, ops.reshape(recurrent_kernel, (units, 4 * units)))


@ops.custom_gradient
def _recurrence(inputs: Tensor, recurrent_kernel: Tensor) -> tuple[Tensor, Any]:
    units = recurrent_kernel.shape[0]

    def step(carry: tuple[Tensor, Tensor, Tensor], of_inputs: Tensor) -> tuple[Any, Any]:
        _, cell, hidden = carry
        gates = of_inputs + ops.matmul(hidden, recurrent_kernel)
        i, f, g, o = _activate(gates)
        cell = f * cell + i * g
        state = gates, cell, o * ops.tanh(cell)
        return state, state

    nothing = ops.zeros_like(inputs[0, :, :units])
    first = ops.zeros_like(inputs[0]), nothing, nothing
    _, (gates, cells, hidden) = ops.scan(step, first, inputs)

    def gradient(*args: Any, upstream: Any = None) -> tuple[Tensor, Tensor]:
        if upstream is None:
            (upstream,) = args
        i, f, g, o = _activate(gates)
        previous_cells = ops.concatenate([nothing[None], cells[:-1]], axis=0)
        tanh_cells = ops.tanh(cells)
        by_cell = [g * i * (1 - i), previous_cells * f * (1 - f), i * (1 - g * g)]
        factors = [upstream, o * (1 - tanh_cells * tanh_cells), *by_cell, tanh_cells * o * (1 - o), f]
        transposed = ops.transpose(recurrent_kernel)

        def step_back(carry: tuple[Tensor, Tensor, Tensor], of_step: Tensor) -> tuple[Any, Any]:
            _, cell_gradient, hidden_gradient = carry
            output, through_tanh, by_i, by_f, by_g, by_o, forget = ops.split(of_step, 7, axis=-1)
            hidden_gradient = hidden_gradient + output
            cell_gradient = cell_gradient + hidden_gradient * through_tanh
            gate_gradients = ops.concatenate(
                [cell_gradient * by_i, cell_gradient * by_f, cell_gradient * by_g, hidden_gradient * by_o],
                axis=-1,
            )
            state = gate_gradients, cell_gradient * forget, ops.matmul(gate_gradients, transposed)
            return state, state

        _, (gate_gradients, _, _) = ops.scan(
            step_back, first, ops.concatenate(factors, axis=-1), reverse=True
        )
        previous_hidden = ops.concatenate([nothing[None], hidden[:-1]], axis=0)
        kernel_gradient = ops.matmul(
            ops.transpose(ops.reshape(previous_hidden, (-1, units))),
            ops.reshape(gate_gradients, (-1, 4 * units)),
        )
        return gate_gradients, kernel_gradient

    return hidden, gradient


def _activate(gates: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    i, f, g, o = ops.split(gates, 4, axis=-1)
    return ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o)
