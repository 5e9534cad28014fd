"""A convolution over neighbouring tokens with a way around it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqlab.modeling.masks.masked_ops import Shape, Tensor, zero_padding


@keras.saving.register_keras_serializable(package="seqlab")
class ConvolutionBlock(keras.layers.Layer):
    """Normalises, convolves over neighbouring tokens, drops out and adds.

    Attention has to learn that neighbours matter; a convolution starts there (for both in one block see
    Conformer, Gulati et al. 2020, arXiv 2005.08100, whose convolutions are depthwise and gated).

    Shapes: (B, T, D) -> (B, T, D).

    Mask: bool (B, T), True = a real token; passed on unchanged. The convolution sees zeros in the place of
    padding, as it does before the first token, so that T may be any length; padding comes out zero.

    Formula: `x_t + dropout(gelu(b + sum_o W_o norm(x)_(t+o)))` with `norm_first`, where o runs over
    `kernel_size` tokens around t, else `norm(x_t + dropout(gelu(b + sum_o W_o x_(t+o))))`.

    Args:
        kernel_size: tokens that are looked at, the one in the middle included.
        dropout: probability that an entry of what is added is dropped in training.
        norm_first: whether to normalise before the convolution rather than after the sum.
    """

    def __init__(
        self, *, kernel_size: int = 3, dropout: float = 0.0, norm_first: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.dropout = dropout
        self.norm_first = norm_first
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Makes the normalisation and the convolution, as wide as its input."""
        options = {"dtype": self.dtype_policy}
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6, name="norm", **options)
        self.convolution = keras.layers.Conv1D(
            input_shape[-1], self.kernel_size, padding="same", name="convolution", **options
        )
        self.output_dropout = keras.layers.Dropout(self.dropout, name="output_dropout", **options)
        self.norm.build(input_shape)
        self.convolution.build(input_shape)

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        step = self.norm(x) if self.norm_first else x
        step = ops.gelu(self.convolution(zero_padding(step, mask)), approximate=False)
        x = x + self.output_dropout(step, training=training)
        return zero_padding(x if self.norm_first else self.norm(x), mask)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, D) to the same."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "dropout": self.dropout,
            "norm_first": self.norm_first,
        }
