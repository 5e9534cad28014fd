"""Masked self-attention, with or without relative positions."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from seqlab.errors import SeqlabError
from seqlab.modeling.configured_layer import ConfiguredLayer
from seqlab.modeling.encoders.positions import sinusoids
from seqlab.modeling.layers import Dropout
from seqlab.modeling.masks.masked_ops import Shape, Tensor, masked_softmax, zero_finite_padding


@keras.saving.register_keras_serializable(package="seqlab")
class SelfAttention(ConfiguredLayer):
    """Multi-head scaled dot-product self-attention, optionally with relative positions.

    Shapes: (B, T, D) -> (B, T, D), with H heads of size D / H.

    Mask: bool (B, T), True = a real token; passed on unchanged. Padding has an attention weight of exactly 0
    in every row with a real token. Padding, including a fully padded row, is set to zero.

    Formula, for tokens t and j of one head: `softmax_j(s_tj / sqrt(D / H)) v_j` with `s_tj = q_t . k_j`. With
    `relative_positions`, `s_tj = q_t . k_j + q_t . r_(t-j) + u . k_j + v . r_(t-j)` (TENER, arXiv 1911.04474,
    equation 17), where r contains the sines and cosines of the signed distance, and u and v are learned per
    head. Because `sin((t-j)w) = sin(tw) cos(jw) - cos(tw) sin(jw)`, and likewise for the cosine,
    `(q_t + v) . r_(t-j)` is `q_t + v` rotated by t, times the sines and cosines of j. Both parts of the score
    are therefore one matrix product, without a table of T x T distances, for any T.

    Args:
        num_heads: H, a divisor of D.
        dropout: probability that an attention weight is dropped in training.
        relative_positions: whether scores depend on the signed distance; D / H must then be even.
    """

    def __init__(
        self, *, num_heads: int, dropout: float = 0.0, relative_positions: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.dropout = dropout
        self.relative_positions = relative_positions

    def build(self, input_shape: Shape) -> None:
        dim = input_shape[-1]
        divisor = self.num_heads * (2 if self.relative_positions else 1)
        if dim is None or dim % divisor:
            even = " (relative positions need an even size per head)" if self.relative_positions else ""
            raise SeqlabError(
                "the vectors cannot be divided among the attention heads",
                where=self.name,
                expected=f"a multiple of {divisor}{even}",
                received=f"vectors of size {dim} and num_heads {self.num_heads}",
                remedy="change the size of the vectors (hidden_dim) or num_heads",
            )
        self.head_dim = dim // self.num_heads
        options = {"dtype": self.dtype_policy}
        self.query = keras.layers.Dense(dim, name="query", **options)
        self.key = keras.layers.Dense(dim, name="key", **options)
        self.value = keras.layers.Dense(dim, name="value", **options)
        self.output_projection = keras.layers.Dense(dim, name="output_projection", **options)
        self.weight_dropout = Dropout(self.dropout, name="weight_dropout", **options)
        for projection in (self.query, self.key, self.value, self.output_projection):
            projection.build(input_shape)
        if self.relative_positions:
            bias: dict[str, Any] = {
                "shape": (self.num_heads, 1, self.head_dim),
                "initializer": "glorot_uniform",
            }
            self.content_bias = self.add_weight(name="content_bias", **bias)
            self.distance_bias = self.add_weight(name="distance_bias", **bias)

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        query, key, value = self._project(x)
        if self.relative_positions:
            query, key = self._with_distance(query, key)
        query = query * ops.cast(1 / math.sqrt(self.head_dim), query.dtype)
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        keys_mask = None if mask is None else ops.expand_dims(mask, (1, 2))
        weights = self.weight_dropout(masked_softmax(scores, keys_mask), training=training)
        context = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))
        return zero_finite_padding(self.output_projection(ops.reshape(context, ops.shape(x))), mask)

    def _project(self, x: Tensor) -> list[Tensor]:
        """Return queries, keys and values, (B, H, T, D / H), from one matrix product, faster than three."""
        projections = (self.query, self.key, self.value)
        kernel = ops.concatenate([projection.kernel for projection in projections], axis=1)
        bias = ops.concatenate([projection.bias for projection in projections], axis=0)
        shape = ops.shape(x)
        x = ops.add(ops.matmul(x, kernel), bias)
        x = ops.transpose(ops.reshape(x, (*shape[:2], 3, self.num_heads, self.head_dim)), (2, 0, 3, 1, 4))
        return ops.unstack(x, 3)

    def _with_distance(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """Return queries and keys (B, H, T, 2 D / H) whose products are content plus distance."""
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
