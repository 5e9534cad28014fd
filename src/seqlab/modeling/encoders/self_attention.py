"""Self-attention that sees neither padding nor, unless asked to, position."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from seqlab.errors import SeqlabError
from seqlab.modeling.layers.sinusoids import sinusoids
from seqlab.modeling.masks.masked_ops import Shape, Tensor, masked_softmax, zero_padding


@keras.saving.register_keras_serializable(package="seqlab")
class SelfAttention(keras.layers.Layer):
    """Attends from every token to every real token, by content and, if asked to, by signed distance.

    Shapes: (B, T, D) -> (B, T, D), with H heads of size D / H.

    Mask: bool (B, T), True = a real token; passed on unchanged. Padding is never attended to: its weight is
    exactly 0 for every token of a row that has a real one. Padding comes out zero, and so does a wholly
    padded row.

    Formula, for tokens t and j of one head: `softmax_j(q_t . k_j) v_j`; with `relative_positions` the score
    is `q_t . k_j + q_t . r_(t-j) + u . k_j + v . r_(t-j)` (TENER, arXiv 1911.04474, equation 17), where r
    holds the sines and cosines of the distance with its sign, and u and v are learned per head. Since
    `sin((t-j)w) = sin(tw) cos(jw) - cos(tw) sin(jw)` and likewise for the cosine, `(q_t + v) . r_(t-j)` is a
    rotation of `q_t + v` by t, times the sines and cosines of j: both halves of the score are then one matrix
    product, with neither a table of T x T distances nor a shift, at any length.

    Args:
        num_heads: H, a divisor of D.
        dropout: probability that an attention weight is dropped in training.
        relative_positions: whether scores know the signed distance; D / H must then be even.
        scale_scores: whether scores are divided by sqrt(D / H). TENER leaves them as they are.
    """

    def __init__(
        self,
        *,
        num_heads: int,
        dropout: float = 0.0,
        relative_positions: bool = False,
        scale_scores: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.dropout = dropout
        self.relative_positions = relative_positions
        self.scale_scores = scale_scores
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Makes the projections.

        Raises:
            SeqlabError: D cannot be divided among the heads.
        """
        dim = input_shape[-1]
        divisor = self.num_heads * (2 if self.relative_positions else 1)
        if dim is None or dim % divisor:
            raise SeqlabError(
                "the vectors cannot be divided among the attention heads",
                where=self.name,
                expected=f"a multiple of {divisor}"
                + (" (relative positions take an even size per head)" if self.relative_positions else ""),
                received=f"vectors of size {dim} and num_heads {self.num_heads}",
                remedy="change the size of the vectors (hidden_dim) or num_heads",
            )
        self.head_dim = dim // self.num_heads
        options = {"dtype": self.dtype_policy}
        self.query = keras.layers.Dense(dim, name="query", **options)
        self.key = keras.layers.Dense(dim, name="key", **options)
        self.value = keras.layers.Dense(dim, name="value", **options)
        self.output_projection = keras.layers.Dense(dim, name="output_projection", **options)
        self.weight_dropout = keras.layers.Dropout(self.dropout, name="weight_dropout", **options)
        for projection in (self.query, self.key, self.value, self.output_projection):
            projection.build(input_shape)
        if self.relative_positions:
            shape = (self.num_heads, 1, self.head_dim)
            self.content_bias = self.add_weight(
                shape=shape, initializer="glorot_uniform", name="content_bias"
            )
            self.distance_bias = self.add_weight(
                shape=shape, initializer="glorot_uniform", name="distance_bias"
            )

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        query, key, value = (self._split_heads(f(x)) for f in (self.query, self.key, self.value))
        if self.relative_positions:
            query, key = self._with_distance(query, key)
        if self.scale_scores:
            query = query * ops.cast(1 / math.sqrt(self.head_dim), query.dtype)
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        keys_mask = None if mask is None else ops.expand_dims(mask, (1, 2))
        weights = self.weight_dropout(masked_softmax(scores, keys_mask), training=training)
        context = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))
        return zero_padding(self.output_projection(ops.reshape(context, ops.shape(x))), mask)

    def _split_heads(self, x: Tensor) -> Tensor:
        """(B, T, D) to (B, H, T, D / H)."""
        shape = ops.shape(x)
        x = ops.reshape(x, (shape[0], shape[1], self.num_heads, self.head_dim))
        return ops.transpose(x, (0, 2, 1, 3))

    def _with_distance(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys (B, H, T, 2 D / H) whose products are content plus distance."""
        sine, cosine = (ops.cast(x, query.dtype) for x in sinusoids(ops.shape(query)[2], self.head_dim))
        for_sine, for_cosine = ops.split(query + self.distance_bias, 2, axis=-1)
        query = ops.concatenate(
            [
                query + self.content_bias,
                for_sine * sine + for_cosine * cosine,
                for_cosine * sine - for_sine * cosine,
            ],
            axis=-1,
        )
        positions = ops.concatenate([cosine, sine], axis=-1)
        return query, ops.concatenate([key, ops.broadcast_to(positions, ops.shape(key))], axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, D) to the same."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "relative_positions": self.relative_positions,
            "scale_scores": self.scale_scores,
        }
