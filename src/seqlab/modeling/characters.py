"""Character encoders: layers from character ids (B, T, C) to token vectors (B, T, D)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seqlab.errors import SeqlabError
from seqlab.modeling.configured_layer import ConfiguredLayer
from seqlab.modeling.encoders.positions import sinusoids
from seqlab.modeling.masks.masked_ops import (
    Shape,
    Tensor,
    masked_max,
    masked_softmax,
    with_first_position,
    zero_finite_padding,
)
from seqlab.tags import PADDING_ID

POSITION_DIM = 8
NUM_HEADS = 4
KERNEL_SIZE = 3


class CharacterEncoder(ConfiguredLayer):
    """Base class of the character encoders: one vector per token, from its characters.

    Shapes: int (B, T, C) -> float (B, T, `output_dim`). Id 0 is padding.

    Mask: computed from the ids, True = a real character; an incoming mask is ignored. C may have any value,
    because padding characters have no effect. The outgoing mask is bool (B, T), True = a token with at least
    one character; other tokens get the zero vector.

    A subclass builds its layers in `build`, after calling `super().build`, and implements `encode` and
    `output_dim`.

    Args:
        vocabulary_size: number of characters, including padding and unknown.
        embedding_dim: dimension of a character's vector, E.
    """

    output_dim: int
    """Dimension of a token's vector."""

    def __init__(self, *, vocabulary_size: int, embedding_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim

    def build(self, input_shape: Shape) -> None:
        self.embedding = keras.layers.Embedding(
            self.vocabulary_size, self.embedding_dim, dtype=self.dtype_policy, name="embedding"
        )
        self.embedding.build((None, None))

    def encode(self, vectors: Tensor, real: Tensor, training: bool) -> Tensor:
        """Encode N tokens.

        Args:
            vectors: float (N, C, E), zero at padding.
            real: bool (N, C), True = a real character.
            training: whether the layer is in training mode.

        Returns:
            float (N, output_dim); rows without a real character may contain any finite values.
        """
        raise NotImplementedError

    def call(self, character_ids: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        shape = ops.shape(character_ids)
        ids = ops.reshape(character_ids, (-1, shape[2]))
        real = ops.not_equal(ids, PADDING_ID)
        encoded = self.encode(zero_finite_padding(self.embedding(ids), real), real, training)
        encoded = zero_finite_padding(encoded, ops.any(real, axis=1))
        return ops.reshape(encoded, (shape[0], shape[1], self.output_dim))

    def compute_mask(self, character_ids: Tensor, previous_mask: Tensor | None = None) -> Tensor:
        return ops.any(ops.not_equal(character_ids, PADDING_ID), axis=-1)


@keras.saving.register_keras_serializable(package="seqlab")
class CharacterCNN(CharacterEncoder):
    """Convolutions over a token's characters with max pooling (Ma and Hovy, arXiv 1603.01354).

    Shapes: int (B, T, C) -> float (B, T, filters * len(kernel_sizes)).

    Mask: as for `CharacterEncoder` (True = real). Kernels see zeros before the first and after the last real
    character, and the maximum is taken over real characters only.

    Formula, per kernel size: `relu(max_c(sum_o W_o e_(c+o)) + b)`. This equals the maximum of the
    activations, because adding b and relu are monotonic, and is faster.

    Args:
        filters: filters per kernel size.
        kernel_sizes: in characters.
    """

    def __init__(self, *, filters: int, kernel_sizes: Sequence[int] = (3,), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_sizes = list(kernel_sizes)
        self.output_dim = filters * len(kernel_sizes)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        self.convolutions = [
            keras.layers.Conv1D(
                self.filters,
                size,
                padding="same",
                use_bias=False,
                dtype=self.dtype_policy,
                name=f"convolution_{index}",
            )
            for index, size in enumerate(self.kernel_sizes)
        ]
        for convolution in self.convolutions:
            convolution.build((None, None, self.embedding_dim))
        self.bias = self.add_weight(shape=(self.output_dim,), initializer="zeros", name="bias")

    def encode(self, vectors: Tensor, real: Tensor, training: bool) -> Tensor:
        pooled = [masked_max(convolution(vectors), real) for convolution in self.convolutions]
        return ops.relu(ops.concatenate(pooled, axis=-1) + self.bias)


@keras.saving.register_keras_serializable(package="seqlab")
class CharacterAttentionPooling(CharacterEncoder):
    """A convolution over a token's characters with attention pooling.

    Shapes: int (B, T, C) -> float (B, T, units).

    Mask: as for `CharacterEncoder` (True = real). Padding has an attention weight of exactly 0, and the
    convolution sees zeros there.

    Formula: `h = gelu(W * [e; p; q])`, a convolution over the characters e and the sinusoids p and q of their
    distances to the token's start and end; `a = softmax_c(A h)`, one column per head; each head's part of the
    output is `sum_c a_c h_c`.

    Args:
        units: dimension of a token's vector, a multiple of `NUM_HEADS`.

    Raises:
        SeqlabError: units is not a multiple of the number of heads.
    """

    def __init__(self, *, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units % NUM_HEADS:
            raise SeqlabError(
                "a token's vector cannot be divided among the heads",
                where="units (character_filters)",
                expected=f"a multiple of {NUM_HEADS}",
                received=str(units),
            )
        self.units = self.output_dim = units

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        options = {"dtype": self.dtype_policy}
        self.convolution = keras.layers.Conv1D(
            self.units, KERNEL_SIZE, padding="same", activation="gelu", name="convolution", **options
        )
        self.convolution.build((None, None, self.embedding_dim + 2 * POSITION_DIM))
        self.scores = keras.layers.Dense(NUM_HEADS, name="scores", **options)
        self.scores.build((None, None, self.units))

    def encode(self, vectors: Tensor, real: Tensor, training: bool) -> Tensor:
        hidden = self.convolution(zero_finite_padding(self._with_positions(vectors, real), real))
        weights = masked_softmax(self.scores(hidden), ops.expand_dims(real, -1), axis=1)
        weights = zero_finite_padding(weights, real)
        shape = ops.shape(hidden)
        by_head = ops.reshape(hidden, (shape[0], shape[1], NUM_HEADS, self.units // NUM_HEADS))
        pooled = ops.sum(ops.expand_dims(weights, -1) * by_head, axis=1)
        return ops.reshape(pooled, (shape[0], self.units))

    def _with_positions(self, vectors: Tensor, real: Tensor) -> Tensor:
        """Append the sinusoids of the distances to start and end: float (N, C, E + 2 POSITION_DIM)."""
        from_start = ops.cumsum(ops.ones_like(real, dtype="int32"), axis=1) - 1
        from_end = ops.sum(ops.cast(real, "int32"), axis=1, keepdims=True) - 1 - from_start
        table = ops.concatenate(sinusoids(ops.shape(real)[1], POSITION_DIM), axis=-1)
        table = ops.cast(table, vectors.dtype)
        positions = [ops.take(table, ops.maximum(distance, 0), axis=0) for distance in (from_start, from_end)]
        return ops.concatenate([vectors, *positions], axis=-1)


@keras.saving.register_keras_serializable(package="seqlab")
class CharacterBiLSTM(CharacterEncoder):
    """The last states of a BiLSTM over a token's characters (Lample et al., arXiv 1603.01360).

    Shapes: int (B, T, C) -> float (B, T, 2 * units).

    Mask: as for `CharacterEncoder` (True = real), with padding on the right only. cuDNN accepts no row
    without a real position, so a token without characters is read as one zero vector, and the result is
    discarded.

    Args:
        units: dimension of each direction's state.
    """

    def __init__(self, *, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.output_dim = 2 * units

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        lstm = keras.layers.LSTM(self.units, dtype=self.dtype_policy)
        self.recurrent_layer = keras.layers.Bidirectional(lstm, dtype=self.dtype_policy, name="bilstm")
        self.recurrent_layer.build((None, None, self.embedding_dim))

    def encode(self, vectors: Tensor, real: Tensor, training: bool) -> Tensor:
        return self.recurrent_layer(vectors, mask=with_first_position(real), training=training)
