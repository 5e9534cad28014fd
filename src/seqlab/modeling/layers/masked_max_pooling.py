"""The largest value over time."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqlab.modeling.masks.masked_ops import Shape, Tensor, masked_max


@keras.saving.register_keras_serializable(package="seqlab")
class MaskedMaxPooling(keras.layers.Layer):
    """Keeps the largest value of each entry over the real positions of each row.

    Shapes: (B, T, D) -> (B, D).

    Mask: bool (B, T), True = a real position; consumed here, nothing is passed on. Padding is never the
    largest, not even where all real values are negative. A wholly padded row gives zeros.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, D) to (B, D)."""
        largest = masked_max(x, mask)
        if mask is None:
            return largest
        return ops.where(ops.any(mask, axis=1, keepdims=True), largest, ops.cast(0, largest.dtype))

    def compute_mask(self, x: Tensor, previous_mask: Tensor | None = None) -> None:
        """None: time is gone."""
        return None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, D) to (B, D)."""
        return (input_shape[0], input_shape[2])
