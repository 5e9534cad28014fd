"""Transformer encoder: its blocks, and the encoder itself."""

from __future__ import annotations

from typing import Any

import keras

from seqlab.errors import SeqlabError
from seqlab.modeling.configured_layer import ConfiguredLayer
from seqlab.modeling.encoders.attention import SelfAttention
from seqlab.modeling.encoders.positions import PositionEmbedding
from seqlab.modeling.layers import Dropout, LayerNorm, gelu
from seqlab.modeling.masks.masked_ops import Shape, Tensor, zero_finite_padding, zero_padding
from seqlab.modeling.row_halves import on_row_halves

POSITIONS = ("absolute", "sinusoidal", "relative")


@keras.saving.register_keras_serializable(package="seqlab")
class ConvolutionBlock(ConfiguredLayer):
    """A convolution over neighbouring tokens, with a residual connection.

    Attention has to learn that neighbours matter; a convolution starts there. Conformer (Gulati et al. 2020,
    arXiv 2005.08100) combines both in one block, with depthwise and gated convolutions.

    Shapes: (B, T, D) -> (B, T, D).

    Mask: bool (B, T), True = a real token; passed on unchanged. The convolution sees zeros at padding, as it
    does before the first token. Padding is set to zero.

    Formula: `x_t + dropout(gelu(b + sum_o W_o norm(x)_(t+o)))`, where o covers the `kernel_size` tokens
    around t.

    Args:
        kernel_size: in tokens.
        dropout: probability that an entry is dropped in training before it is added to x.
    """

    def __init__(self, *, kernel_size: int = 3, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.dropout = dropout

    def build(self, input_shape: Shape) -> None:
        options = {"dtype": self.dtype_policy}
        self.norm = LayerNorm(name="norm", **options)
        self.convolution = keras.layers.Conv1D(
            input_shape[-1], self.kernel_size, padding="same", name="convolution", **options
        )
        self.output_dropout = Dropout(self.dropout, name="output_dropout", **options)
        self.norm.build(input_shape)
        self.convolution.build(input_shape)

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        step = gelu(self.convolution(zero_finite_padding(self.norm(x), mask)))
        return zero_finite_padding(x + self.output_dropout(step, training=training), mask)


@keras.saving.register_keras_serializable(package="seqlab")
class FeedForwardBlock(ConfiguredLayer):
    """Two dense layers on each token (arXiv 1706.03762, section 3.3), with a residual connection.

    Shapes: (B, T, D) -> (B, T, D).

    Mask: bool (B, T), True = a real token; passed on unchanged. Padding is set to zero.

    Formula: `x + dropout(W2 dropout(gelu(W1 norm(x) + b1)) + b2)` (pre-norm, arXiv 2002.04745).

    Args:
        intermediate_dim: dimension between the two layers.
        dropout: probability that an entry of either layer's output is dropped in training.
    """

    def __init__(self, *, intermediate_dim: int, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout

    def build(self, input_shape: Shape) -> None:
        options = {"dtype": self.dtype_policy}
        self.norm = LayerNorm(name="norm", **options)
        self.inner = keras.layers.Dense(self.intermediate_dim, name="inner", **options)
        self.inner_dropout = Dropout(self.dropout, name="inner_dropout", **options)
        self.outer = keras.layers.Dense(input_shape[-1], name="outer", **options)
        self.output_dropout = Dropout(self.dropout, name="output_dropout", **options)
        self.norm.build(input_shape)
        self.inner.build(input_shape)
        self.outer.build((*input_shape[:-1], self.intermediate_dim))

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        step = self.inner_dropout(gelu(self.inner(self.norm(x))), training=training)
        return zero_finite_padding(x + self.output_dropout(self.outer(step), training=training), mask)


@keras.saving.register_keras_serializable(package="seqlab")
class TransformerEncoderBlock(ConfiguredLayer):
    """An optional convolution, self-attention and a feed-forward step, each with a residual connection.

    Shapes: (B, T, D) -> (B, T, D).

    Mask: bool (B, T), True = a real token; passed on unchanged. Padding is never attended to, and is set to
    zero.

    Formula: `ConvolutionBlock`, if any; `x + dropout(SelfAttention(norm(x)))`; `FeedForwardBlock`
    (arXiv 1706.03762, in the pre-norm form of arXiv 2002.04745).

    Args:
        num_heads: attention heads, a divisor of D.
        intermediate_dim: dimension inside the feed-forward step.
        dropout: probability that an entry of a step's output, or inside the feed-forward step, is dropped in
            training.
        attention_dropout: probability that an attention weight is dropped in training.
        relative_positions: whether attention depends on the signed distance (TENER, arXiv 1911.04474).
        convolution_kernel_size: kernel size of the convolution in tokens; None for no convolution.
    """

    def __init__(
        self,
        *,
        num_heads: int,
        intermediate_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        relative_positions: bool = False,
        convolution_kernel_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.relative_positions = relative_positions
        self.convolution_kernel_size = convolution_kernel_size

    def build(self, input_shape: Shape) -> None:
        options = {"dtype": self.dtype_policy}
        self.convolution_step = None
        if self.convolution_kernel_size is not None:
            self.convolution_step = ConvolutionBlock(
                kernel_size=self.convolution_kernel_size,
                dropout=self.dropout,
                name="convolution_step",
                **options,
            )
            self.convolution_step.build(input_shape)
        self.norm = LayerNorm(name="norm", **options)
        self.attention = SelfAttention(
            num_heads=self.num_heads,
            dropout=self.attention_dropout,
            relative_positions=self.relative_positions,
            name="attention",
            **options,
        )
        self.attention_output_dropout = Dropout(self.dropout, name="attention_output_dropout", **options)
        self.feed_forward_step = FeedForwardBlock(
            intermediate_dim=self.intermediate_dim, dropout=self.dropout, name="feed_forward_step", **options
        )
        for layer in (self.norm, self.attention, self.feed_forward_step):
            layer.build(input_shape)

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        if self.convolution_step is not None:
            x = self.convolution_step(x, mask=mask, training=training)
        step = self.attention(self.norm(x), mask=mask, training=training)
        x = x + self.attention_output_dropout(step, training=training)
        return self.feed_forward_step(x, mask=mask, training=training)


@keras.saving.register_keras_serializable(package="seqlab")
class TransformerEncoder(ConfiguredLayer):
    """Transformer encoder blocks with positions.

    Shapes: (B, T, D) -> (B, T, hidden_dim). A dense layer comes first if D differs from hidden_dim.

    Mask: bool (B, T), True = a real token; passed on unchanged. Padding is never attended to, and is set to
    zero; not even NaN at padding has an effect.

    Args:
        num_layers: number of blocks.
        hidden_dim: dimension of the blocks and of the output.
        num_heads: attention heads, a divisor of hidden_dim.
        intermediate_dim: dimension inside the feed-forward steps.
        dropout: probability that an entry of the first block's input, or of a step in a block, is dropped in
            training.
        attention_dropout: probability that an attention weight is dropped in training.
        positions: `absolute` (learned, up to max_length), `sinusoidal` (fixed, any length) or `relative`
            (signed distance inside attention, any length; TENER, arXiv 1911.04474).
        max_length: largest number of tokens in a sentence; for absolute positions only.
        convolution_kernel_size: kernel size, in tokens, of a convolution at the start of each block; None for
            no convolution.

    Attributes:
        halves_rows: whether training computes the two halves of a batch at the same time.

    Raises:
        SeqlabError: for an unknown name of positions, or absolute positions without max_length.
    """

    halves_rows = False

    def __init__(
        self,
        *,
        num_layers: int,
        hidden_dim: int,
        num_heads: int,
        intermediate_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        positions: str = "relative",
        max_length: int | None = None,
        convolution_kernel_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if positions not in POSITIONS:
            raise SeqlabError(
                "unknown positions",
                where="positions",
                expected=", ".join(POSITIONS),
                received=repr(positions),
            )
        if positions == "absolute" and max_length is None:
            raise SeqlabError(
                "learned absolute positions need a maximum length",
                where="max_length",
                expected="the largest number of tokens in a sentence",
                received="None",
                remedy="set max_length, or use relative or sinusoidal positions",
            )
        self.num_layers = num_layers
        self.hidden_dim = hidden_dim
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.positions = positions
        self.max_length = max_length
        self.convolution_kernel_size = convolution_kernel_size

    def build(self, input_shape: Shape) -> None:
        options: dict[str, Any] = {"dtype": self.dtype_policy}
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
        self.input_dropout = Dropout(self.dropout, name="input_dropout", **options)
        self.blocks = [
            TransformerEncoderBlock(
                num_heads=self.num_heads,
                intermediate_dim=self.intermediate_dim,
                dropout=self.dropout,
                attention_dropout=self.attention_dropout,
                relative_positions=self.positions == "relative",
                convolution_kernel_size=self.convolution_kernel_size,
                name=f"block_{index}",
                **options,
            )
            for index in range(self.num_layers)
        ]
        self.final_norm = LayerNorm(name="final_norm", **options)
        layers: list[keras.layers.Layer] = [*self.blocks, self.final_norm]
        for layer in layers:
            layer.build(shape)

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        if training and self.halves_rows and mask is not None:
            return on_row_halves(lambda rows: self._encoded(*rows, training=True), (x, mask))
        return self._encoded(x, mask, training=training)

    def _encoded(self, x: Tensor, mask: Tensor | None, *, training: bool) -> Tensor:
        x = zero_padding(x, mask)
        if self.projection is not None:
            x = self.projection(x)
        if self.position_embedding is not None:
            x = self.position_embedding(x)
        x = self.input_dropout(x, training=training)
        for block in self.blocks:
            x = block(x, mask=mask, training=training)
        return zero_finite_padding(self.final_norm(x), mask)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.hidden_dim)
