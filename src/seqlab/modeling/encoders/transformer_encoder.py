"""Transformer blocks, with positions."""

from __future__ import annotations

from typing import Any

import keras

from seqlab.errors import SeqlabError
from seqlab.modeling.encoders.transformer_encoder_block import TransformerEncoderBlock
from seqlab.modeling.layers.position_embedding import PositionEmbedding
from seqlab.modeling.masks.masked_ops import Shape, Tensor, zero_padding

POSITIONS = ("absolute", "sinusoidal", "relative")


@keras.saving.register_keras_serializable(package="seqlab")
class TransformerEncoder(keras.layers.Layer):
    """Gives each token a vector that depends on its whole sentence.

    Shapes: (B, T, D) -> (B, T, hidden_dim). Where D is another size than hidden_dim, a dense layer comes
    first.

    Mask: bool (B, T), True = a real token; passed on unchanged. Padding is never attended to and comes out
    zero; whatever stands there, even NaN, goes no further.

    Args:
        num_layers: number of blocks.
        hidden_dim: size of a token's vector inside and at the end.
        num_heads: attention heads, a divisor of hidden_dim.
        intermediate_dim: width inside the feed-forward steps.
        dropout: probability for vectors with their positions and for every step of every block, in training.
        attention_dropout: probability that an attention weight is dropped in training.
        activation: of the feed-forward steps, by its name in Keras (`gelu`, `relu`).
        norm_first: whether each step's input, rather than each sum, is normalised; the last block's output
            then has a normalisation of its own.
        positions: `absolute` (learned, up to max_length), `sinusoidal` (fixed, any length) or `relative` (by
            signed distance inside attention, any length; TENER, arXiv 1911.04474).
        max_length: most tokens in a sentence; for absolute positions only.
        scale_scores: whether attention scores are divided by sqrt(hidden_dim / num_heads).
        convolution_kernel_size: tokens that a convolution at the start of each block looks at; None for none.

    Raises:
        SeqlabError: positions of another name, or absolute ones without max_length.
    """

    def __init__(
        self,
        *,
        num_layers: int,
        hidden_dim: int,
        num_heads: int,
        intermediate_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        activation: str = "gelu",
        norm_first: bool = True,
        positions: str = "relative",
        max_length: int | None = None,
        scale_scores: bool = True,
        convolution_kernel_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if positions not in POSITIONS:
            raise SeqlabError(
                "no such positions",
                where="positions",
                expected=", ".join(POSITIONS),
                received=repr(positions),
                remedy="name one of them",
            )
        if positions == "absolute" and max_length is None:
            raise SeqlabError(
                "learned absolute positions need a table of known length",
                where="max_length",
                expected="the most tokens that a sentence may have",
                received="None",
                remedy="set max_length, or take relative or sinusoidal positions",
            )
        self.num_layers = num_layers
        self.hidden_dim = hidden_dim
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.activation = activation
        self.norm_first = norm_first
        self.positions = positions
        self.max_length = max_length
        self.scale_scores = scale_scores
        self.convolution_kernel_size = convolution_kernel_size
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Makes the projection where one is needed, the positions, the blocks and the last normalisation."""
        options = {"dtype": self.dtype_policy}
        shape = self.compute_output_shape(input_shape)
        self.projection = None
        if input_shape[-1] != self.hidden_dim:
            self.projection = keras.layers.Dense(self.hidden_dim, name="projection", **options)
            self.projection.build(input_shape)
        self.position_embedding = None
        if self.positions != "relative":
            table_length = self.max_length if self.positions == "absolute" else None
            self.position_embedding = PositionEmbedding(
                max_length=table_length, name="position_embedding", **options
            )
            self.position_embedding.build(shape)
        self.input_dropout = keras.layers.Dropout(self.dropout, name="input_dropout", **options)
        self.blocks = [self._block(index) for index in range(self.num_layers)]
        for block in self.blocks:
            block.build(shape)
        self.final_norm = None
        if self.norm_first:
            self.final_norm = keras.layers.LayerNormalization(epsilon=1e-6, name="final_norm", **options)
            self.final_norm.build(shape)

    def _block(self, index: int) -> TransformerEncoderBlock:
        return TransformerEncoderBlock(
            num_heads=self.num_heads,
            intermediate_dim=self.intermediate_dim,
            dropout=self.dropout,
            attention_dropout=self.attention_dropout,
            activation=self.activation,
            norm_first=self.norm_first,
            relative_positions=self.positions == "relative",
            scale_scores=self.scale_scores,
            convolution_kernel_size=self.convolution_kernel_size,
            dtype=self.dtype_policy,
            name=f"block_{index}",
        )

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """(B, T, D) to (B, T, hidden_dim)."""
        x = zero_padding(x, mask)
        if self.projection is not None:
            x = self.projection(x)
        if self.position_embedding is not None:
            x = self.position_embedding(x)
        x = self.input_dropout(x, training=training)
        for block in self.blocks:
            x = block(x, mask=mask, training=training)
        if self.final_norm is not None:
            x = self.final_norm(x)
        return zero_padding(x, mask)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, D) to (B, T, hidden_dim)."""
        return (*input_shape[:-1], self.hidden_dim)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "hidden_dim": self.hidden_dim,
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "activation": self.activation,
            "norm_first": self.norm_first,
            "positions": self.positions,
            "max_length": self.max_length,
            "scale_scores": self.scale_scores,
            "convolution_kernel_size": self.convolution_kernel_size,
        }
