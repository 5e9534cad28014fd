"""Softmax over time."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqlab.modeling.masks.masked_ops import Shape, Tensor, masked_softmax, zero_padding


@keras.saving.register_keras_serializable(package="seqlab")
class MaskedSoftmax(keras.layers.Layer):
    """Turns scores into weights that add up to 1 over the real positions of each row.

    Shapes: (B, T, K) -> (B, T, K), each of the K columns by itself.

    Mask: bool (B, T), True = a real position; passed on unchanged. Padding weighs exactly 0, and in a wholly
    padded row everything does.

    Formula: `exp(s_t) / sum over real t' of exp(s_t')`, in float32 whatever the compute type.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, scores: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, K) to (B, T, K)."""
        time_mask = None if mask is None else ops.expand_dims(mask, -1)
        return zero_padding(masked_softmax(scores, time_mask, axis=1), mask)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, K) to the same."""
        return tuple(input_shape)
