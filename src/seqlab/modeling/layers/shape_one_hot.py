"""Word shape as one-hot features."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqlab.modeling.masks.masked_ops import Shape, Tensor, zero_padding


@keras.saving.register_keras_serializable(package="seqlab")
class ShapeOneHot(keras.layers.Layer):
    """Marks each token's shape (`Xx`, `dd`, `XXX`) by a 1 in a row of zeros.

    Shapes: int (B, T) -> float (B, T, vocabulary_size). Id 0 is padding and id 1 is unknown.

    Mask: made here, bool (B, T), `shape_ids != 0`, True = a real token. Padding's row is all zeros.

    There are no weights. That is right for a few dozen shapes: the next layer's kernel is then their
    embedding. The features grow with the vocabulary, so from some hundred shapes on take `TokenEmbedding`
    with a small `embedding_dim` instead: it costs a lookup, not a product with mostly zeros.

    Args:
        vocabulary_size: number of shapes, padding and unknown among them.
    """

    def __init__(self, *, vocabulary_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.supports_masking = True

    def call(self, shape_ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Int (B, T) to float (B, T, vocabulary_size); an incoming mask is not needed, the ids tell."""
        one_hot = ops.one_hot(shape_ids, self.vocabulary_size, dtype=self.compute_dtype)
        return zero_padding(one_hot, ops.not_equal(shape_ids, 0))

    def compute_mask(self, shape_ids: Tensor, previous_mask: Tensor | None = None) -> Tensor:
        """Bool (B, T), True = a real token."""
        return ops.not_equal(shape_ids, 0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T) to (B, T, vocabulary_size)."""
        return (*input_shape, self.vocabulary_size)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return {**super().get_config(), "vocabulary_size": self.vocabulary_size}
