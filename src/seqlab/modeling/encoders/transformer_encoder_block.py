"""One block of a Transformer encoder."""

from __future__ import annotations

from typing import Any

import keras

from seqlab.modeling.encoders.convolution_block import ConvolutionBlock
from seqlab.modeling.encoders.residual_block import ResidualBlock
from seqlab.modeling.encoders.self_attention import SelfAttention
from seqlab.modeling.masks.masked_ops import Shape, Tensor


@keras.saving.register_keras_serializable(package="seqlab")
class TransformerEncoderBlock(keras.layers.Layer):
    """Self-attention and a feed-forward step, each added to its input (arXiv 1706.03762).

    Where asked for, a convolution over neighbouring tokens goes before them.

    Shapes: (B, T, D) -> (B, T, D).

    Mask: bool (B, T), True = a real token; passed on unchanged. Padding is never attended to and comes out
    zero.

    Formula: `ConvolutionBlock` or nothing, `x + dropout(attention(norm(x)))`, then `ResidualBlock`; without
    `norm_first` each sum is normalised instead. Scores and relative positions are those of `SelfAttention`.

    Args:
        num_heads: attention heads, a divisor of D.
        intermediate_dim: width inside the feed-forward step.
        dropout: probability for the two steps' outputs and the feed-forward step's inside, in training.
        attention_dropout: probability that an attention weight is dropped in training.
        activation: of the feed-forward step, by its name in Keras (`gelu`, `relu`).
        norm_first: whether each step's input, rather than each sum, is normalised.
        relative_positions: whether attention knows the signed distance (TENER, arXiv 1911.04474).
        scale_scores: whether attention scores are divided by sqrt(D / num_heads); TENER leaves them as they
            are.
        convolution_kernel_size: tokens that the convolution looks at; None for no convolution.
    """

    def __init__(
        self,
        *,
        num_heads: int,
        intermediate_dim: int,
        dropout: float,
        attention_dropout: float = 0.0,
        activation: str = "gelu",
        norm_first: bool = True,
        relative_positions: bool = False,
        scale_scores: bool = True,
        convolution_kernel_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.activation = activation
        self.norm_first = norm_first
        self.relative_positions = relative_positions
        self.scale_scores = scale_scores
        self.convolution_kernel_size = convolution_kernel_size
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Makes the convolution where there is one, the attention and the feed-forward step."""
        options = {"dtype": self.dtype_policy}
        self.convolution_step = None
        if self.convolution_kernel_size is not None:
            self.convolution_step = ConvolutionBlock(
                kernel_size=self.convolution_kernel_size,
                dropout=self.dropout,
                norm_first=self.norm_first,
                name="convolution_step",
                **options,
            )
            self.convolution_step.build(input_shape)
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6, name="norm", **options)
        self.attention = SelfAttention(
            num_heads=self.num_heads,
            dropout=self.attention_dropout,
            relative_positions=self.relative_positions,
            scale_scores=self.scale_scores,
            name="attention",
            **options,
        )
        self.attention_output_dropout = keras.layers.Dropout(
            self.dropout, name="attention_output_dropout", **options
        )
        self.feed_forward_step = ResidualBlock(
            intermediate_dim=self.intermediate_dim,
            activation=self.activation,
            dropout=self.dropout,
            norm_first=self.norm_first,
            name="feed_forward_step",
            **options,
        )
        for layer in (self.norm, self.attention, self.feed_forward_step):
            layer.build(input_shape)

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        if self.convolution_step is not None:
            x = self.convolution_step(x, mask=mask, training=training)
        step = self.norm(x) if self.norm_first else x
        step = self.attention(step, mask=mask, training=training)
        x = x + self.attention_output_dropout(step, training=training)
        x = x if self.norm_first else self.norm(x)
        return self.feed_forward_step(x, mask=mask, training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, D) to the same."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "activation": self.activation,
            "norm_first": self.norm_first,
            "relative_positions": self.relative_positions,
            "scale_scores": self.scale_scores,
            "convolution_kernel_size": self.convolution_kernel_size,
        }
