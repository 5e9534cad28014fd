"""Long rows cut into windows, and windows put together again."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqlab.modeling.masks.masked_ops import Shape, Tensor, zero_padding


@keras.saving.register_keras_serializable(package="seqlab")
class SplitTime(keras.Operation):
    """The cut itself, for features and mask alike: (B, T, ...) -> (B * W, L, ...), filled up with zeros.

    Args:
        window_length: L; W is T / L, rounded up.
    """

    def __init__(self, *, window_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.window_length = window_length

    def call(self, x: Tensor) -> Tensor:
        """(B, T, ...) to (B * W, L, ...)."""
        length = ops.shape(x)[1]
        windows = (length + self.window_length - 1) // self.window_length
        widths = [(0, 0), (0, self.window_length - 1)] + [(0, 0)] * (len(x.shape) - 2)
        filled = ops.pad(x, widths)[:, : windows * self.window_length]
        return ops.reshape(filled, (-1, self.window_length, *x.shape[2:]))

    def compute_output_spec(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """The shape and type of what `call` gives."""
        return keras.KerasTensor(split_shape(x.shape, self.window_length), dtype=x.dtype)

    def get_config(self) -> dict[str, Any]:
        """The argument, as a plain value."""
        return {"name": self.name, "window_length": self.window_length}


def split_shape(shape: Shape, window_length: int) -> Shape:
    """(B, T, ...) to (B * W, L, ...), None where B or T is None."""
    batch, length, *rest = shape
    windows = None if length is None else -(-length // window_length)
    rows = None if batch is None or windows is None else batch * windows
    return (rows, window_length, *rest)


@keras.saving.register_keras_serializable(package="seqlab")
class TimeSplit(keras.layers.Layer):
    """Cuts every row into windows of equal length: attention inside them costs T times L, not T times T.

    Shapes: (B, T, D) -> (B * W, window_length, D), where W is T / window_length, rounded up; a row's windows
    follow each other. `TimeJoin` puts them together again.

    Mask: bool (B, T), True = a real token; cut in the same way, (B * W, window_length), and False where the
    last window is filled up. Without a mask coming in, all T positions count as real. Short rows leave wholly
    padded windows, which every layer here can bear. Padding comes out zero.

    Args:
        window_length: positions in a window.
    """

    def __init__(self, *, window_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.window_length = window_length
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Makes nothing but the operation."""
        self.split = SplitTime(window_length=self.window_length)

    def call(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, D) to (B * W, window_length, D)."""
        return self.split(zero_padding(x, mask))

    def compute_mask(self, x: Tensor, previous_mask: Tensor | None = None) -> Tensor:
        """Bool (B * W, window_length), True = a real token."""
        if previous_mask is None:
            previous_mask = ops.ones_like(x[..., 0], dtype="bool")
        return self.split(previous_mask)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, D) to (B * W, window_length, D)."""
        return split_shape(tuple(input_shape), self.window_length)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return {**super().get_config(), "window_length": self.window_length}


@keras.saving.register_keras_serializable(package="seqlab")
class TimeJoin(keras.layers.Layer):
    """Puts windows together again: what `TimeSplit` did, undone.

    Shapes: two inputs, the windows (B * W, L, E) and any `like` (B, T, ...), which says how long the rows
    were and whose values are not used -> (B, T, E).

    Mask: of the two, bool (B * W, L) and (B, T), True = a real token, that of `like` is passed on and the
    windows' is consumed. Padding comes out zero.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: list[Tensor], mask: list[Tensor | None] | None = None) -> Tensor:
        """(B * W, L, E) and (B, T, ...) to (B, T, E)."""
        windows, like = inputs
        shape = ops.shape(like)
        rows = ops.reshape(windows, (shape[0], -1, windows.shape[-1]))[:, : shape[1]]
        return zero_padding(rows, None if mask is None else mask[1])

    def compute_mask(
        self, inputs: list[Tensor], previous_mask: list[Tensor | None] | None = None
    ) -> Tensor | None:
        """Bool (B, T), True = a real token: the mask of `like`."""
        return None if previous_mask is None else previous_mask[1]

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """(B * W, L, E) and (B, T, ...) to (B, T, E)."""
        windows, like = input_shape
        return (like[0], like[1], windows[-1])
