"""The recurrence of an LSTM as one loop with a written-out gradient, for devices without cuDNN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from seqlab.modeling.masks.masked_ops import Tensor


def lstm_states(
    x: Tensor, cell: keras.layers.LSTMCell, mask: Tensor | None, *, backwards: bool = False
) -> Tensor:
    """Return the hidden states of an LSTM (Hochreiter and Schmidhuber 1997, with forget gates).

    With `z_t = x_t W + h_(t-1) U + b`, split into i, f, g and o:
    `c_t = sigmoid(f) c_(t-1) + sigmoid(i) tanh(g)` and `h_t = sigmoid(o) tanh(c_t)`.

    Where the mask is False, the state is exactly 0, whatever finite value x has. The gradient is written out
    (backpropagation through time). The products with W, and the gradients of W and U, are computed once for
    all steps; the loops do the rest, one step at a time, on arrays that fit in the processor's cache, and in
    float32.

    Args:
        x: float (T, B, D), the tokens.
        cell: built; has W, U and b.
        mask: bool (T, B), True = a real token, or None.
        backwards: read from the last token to the first.

    Returns:
        float (T, B, units), in the order of x, 0 where the mask is False.
    """
    # tanh(g) = 2 sigmoid(2 g) - 1: with g doubled in W, U and b, one sigmoid computes all four.
    doubled = ops.repeat(ops.array([1.0, 1.0, 2.0, 1.0], x.dtype), cell.units)
    inputs = ops.matmul(x, cell.kernel * doubled) + cell.bias * doubled
    recurrent_kernel = ops.cast(cell.recurrent_kernel * doubled, "float32")
    real = None if mask is None else ops.cast(ops.expand_dims(mask, -1), "float32")
    states = _recurrence(real, backwards)(ops.cast(inputs, "float32"), recurrent_kernel)
    return ops.cast(states, x.dtype)


def _recurrence(real: Tensor | None, backwards: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a differentiable function of the inputs (T, B, 4 * units) and of U, with g doubled in both.

    Args:
        real: float (T, B, 1), 1 for a real token and 0 for padding, or None.
        backwards: whether to read from the last token to the first.
    """

    @ops.custom_gradient
    def recurrence(inputs: Tensor, recurrent_kernel: Tensor) -> tuple[Tensor, Any]:
        units = recurrent_kernel.shape[0]
        times = ops.arange(ops.shape(inputs)[0])

        # The loops index the arrays, because TensorFlow would copy what is passed to the scan as `xs`.
        def step(carry: tuple[Tensor, Tensor, Tensor], time: Tensor) -> tuple[Any, Any]:
            _, previous, hidden = carry
            gates = ops.sigmoid(inputs[time] + ops.matmul(hidden, recurrent_kernel))
            i, f, g, o = ops.split(gates, 4, axis=-1)
            cell = f * previous + i * (g + g - 1)
            if real is not None:
                cell = cell * real[time]
            hidden = o * ops.tanh(cell)
            return (gates, cell, hidden), (gates, previous, hidden)

        zeros = ops.zeros_like(inputs[0])
        nothing = zeros[:, :units]
        (_, last, _), (all_gates, cells_before, hidden) = ops.scan(
            step, (zeros, nothing, nothing), times, reverse=backwards
        )

        def gradient(*args: Any, upstream: Any = None) -> tuple[Tensor, Tensor]:
            if upstream is None:
                (upstream,) = args
            transposed = ops.transpose(recurrent_kernel)

            def step_back(carry: tuple[Tensor, ...], time: Tensor) -> tuple[Any, Any]:
                _, cell, cell_gradient, hidden_gradient = carry
                gates, previous = all_gates[time], cells_before[time]
                i, f, g, o = ops.split(gates, 4, axis=-1)
                tanh_cell = ops.tanh(cell)
                hidden_gradient = hidden_gradient + upstream[time]
                cell_gradient = cell_gradient + hidden_gradient * o * (1 - tanh_cell * tanh_cell)
                if real is not None:
                    cell_gradient = cell_gradient * real[time]
                by_gate = [
                    cell_gradient * (g + g - 1),
                    cell_gradient * previous,
                    cell_gradient * (i + i),
                    hidden_gradient * tanh_cell,
                ]
                of_inputs = ops.concatenate(by_gate, axis=-1) * (gates - gates * gates)
                state = of_inputs, previous, cell_gradient * f, ops.matmul(of_inputs, transposed)
                return state, state

            _, (of_inputs, *_) = ops.scan(
                step_back, (zeros, last, nothing, nothing), times, reverse=not backwards
            )
            earlier, later = (slice(1, None), slice(-1)) if backwards else (slice(-1), slice(1, None))
            of_kernel = ops.matmul(
                ops.transpose(ops.reshape(hidden[earlier], (-1, units))),
                ops.reshape(of_inputs[later], (-1, 4 * units)),
            )
            return of_inputs, of_kernel

        return hidden, gradient

    return recurrence
