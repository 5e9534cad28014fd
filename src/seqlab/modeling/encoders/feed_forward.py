"""Two dense layers, token by token."""

from __future__ import annotations

from typing import Any

import keras

from seqlab.modeling.masks.masked_ops import Shape, Tensor, zero_padding


@keras.saving.register_keras_serializable(package="seqlab")
class FeedForward(keras.layers.Layer):
    """Widens every token's vector, bends it, and brings it back to its size (arXiv 1706.03762, section 3.3).

    Shapes: (B, T, D) -> (B, T, D).

    Mask: bool (B, T), True = a real token; passed on unchanged. Each token is taken by itself; padding comes
    out zero.

    Formula: `W2 dropout(activation(W1 x + b1)) + b2`.

    Args:
        intermediate_dim: the width between the two layers.
        activation: its name in Keras, such as `gelu` or `relu`.
        dropout: probability that an intermediate entry is dropped in training.
    """

    def __init__(
        self, *, intermediate_dim: int, activation: str = "gelu", dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.intermediate_dim = intermediate_dim
        self.activation = activation
        self.dropout = dropout
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Makes the two dense layers."""
        options = {"dtype": self.dtype_policy}
        self.inner = keras.layers.Dense(
            self.intermediate_dim, activation=self.activation, name="inner", **options
        )
        self.inner_dropout = keras.layers.Dropout(self.dropout, name="inner_dropout", **options)
        self.outer = keras.layers.Dense(input_shape[-1], name="outer", **options)
        self.inner.build(input_shape)
        self.outer.build((*input_shape[:-1], self.intermediate_dim))

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        x = self.inner_dropout(self.inner(x), training=training)
        return zero_padding(self.outer(x), mask)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, D) to the same."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return {
            **super().get_config(),
            "intermediate_dim": self.intermediate_dim,
            "activation": self.activation,
            "dropout": self.dropout,
        }
