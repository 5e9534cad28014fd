"""A feed-forward step that adds to what it was given."""

from __future__ import annotations

from typing import Any

import keras

from seqlab.modeling.encoders.feed_forward import FeedForward
from seqlab.modeling.masks.masked_ops import Shape, Tensor, zero_padding


@keras.saving.register_keras_serializable(package="seqlab")
class ResidualBlock(keras.layers.Layer):
    """Normalises, feeds forward, drops out and adds: the second half of a Transformer block.

    Shapes: (B, T, D) -> (B, T, D).

    Mask: bool (B, T), True = a real token; passed on unchanged, which `x + y` outside a layer would not do.
    Each token is taken by itself; padding comes out zero.

    Formula: `x + dropout(f(norm(x)))` with `norm_first` (arXiv 2002.04745), else `norm(x + dropout(f(x)))`.

    Args:
        intermediate_dim: width inside the feed-forward layer f.
        activation: f's activation by its name in Keras.
        dropout: probability for f's intermediate entries and for its output in training.
        norm_first: whether to normalise before f rather than after the sum.
    """

    def __init__(
        self,
        *,
        intermediate_dim: int,
        activation: str = "gelu",
        dropout: float = 0.0,
        norm_first: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.intermediate_dim = intermediate_dim
        self.activation = activation
        self.dropout = dropout
        self.norm_first = norm_first
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Makes the normalisation and the feed-forward layer."""
        options = {"dtype": self.dtype_policy}
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6, name="norm", **options)
        self.feed_forward = FeedForward(
            intermediate_dim=self.intermediate_dim,
            activation=self.activation,
            dropout=self.dropout,
            name="feed_forward",
            **options,
        )
        self.output_dropout = keras.layers.Dropout(self.dropout, name="output_dropout", **options)
        self.norm.build(input_shape)
        self.feed_forward.build(input_shape)

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        step = self.norm(x) if self.norm_first else x
        step = self.feed_forward(step, training=training)
        x = x + self.output_dropout(step, training=training)
        return zero_padding(x if self.norm_first else self.norm(x), mask)

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
            "norm_first": self.norm_first,
        }
