"""Characters to token vectors by attention."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from seqlab.errors import SeqlabError
from seqlab.modeling.characters.character_encoder import CharacterEncoder
from seqlab.modeling.layers.masked_softmax import MaskedSoftmax
from seqlab.modeling.layers.sinusoids import sinusoids
from seqlab.modeling.masks.masked_ops import Tensor, zero_padding

POSITION_DIM = 8


@keras.saving.register_keras_serializable(package="seqlab")
class CharacterAttentionPooling(CharacterEncoder):
    """Looks at each character with its neighbours and its place, and averages by learned weights.

    Shapes: int (B, T, C) -> float (B, T, units). Id 0 is padding.

    Mask: read off the ids, True = a real character. Padding weighs exactly 0 and a kernel sees zeros there,
    so that C may be any length. What comes out is bool (B, T), True = a token with at least one character;
    any other token has the zero vector.

    Formula: `h = gelu(W * [e; p; q])`, a convolution over characters e and sinusoids p and q of the distances
    to the token's start and end; `a = softmax_c(A h)`, one column per head; head by head `sum_c a_c h_c`.

    Args:
        vocabulary_size: number of characters, padding and unknown among them.
        embedding_dim: size of a character's vector.
        units: size of a token's vector.
        num_heads: number of weightings, a divisor of units.
        kernel_size: how many characters are looked at together.
        dropout: probability that an entry of a character's vector is dropped in training.

    Raises:
        SeqlabError: units cannot be divided among the heads.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        embedding_dim: int,
        units: int,
        num_heads: int = 4,
        kernel_size: int = 3,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            vocabulary_size=vocabulary_size, embedding_dim=embedding_dim, dropout=dropout, **kwargs
        )
        if units % num_heads:
            raise SeqlabError(
                "a token's vector cannot be divided among the heads",
                where="units",
                expected=f"a multiple of num_heads, {num_heads}",
                received=str(units),
                remedy="change units or num_heads",
            )
        self.units = units
        self.num_heads = num_heads
        self.kernel_size = kernel_size

    @property
    def output_dim(self) -> int:
        """Size of a token's vector."""
        return self.units

    def build_encoder(self) -> None:
        """Makes the convolution and the scores."""
        options = {"dtype": self.dtype_policy}
        self.convolution = keras.layers.Conv1D(
            self.units, self.kernel_size, padding="same", activation="gelu", name="convolution", **options
        )
        self.convolution.build((None, None, self.embedding_dim + 2 * POSITION_DIM))
        self.scores = keras.layers.Dense(self.num_heads, name="scores", **options)
        self.scores.build((None, None, self.units))
        self.softmax = MaskedSoftmax(name="softmax", **options)

    def encode(self, vectors: Tensor, real: Tensor, training: bool) -> Tensor:
        """Float (N, C, embedding_dim) and bool (N, C) to float (N, units)."""
        hidden = self.convolution(zero_padding(self._with_positions(vectors, real), real))
        weights = self.softmax(self.scores(hidden), mask=real)
        shape = ops.shape(hidden)
        by_head = ops.reshape(hidden, (shape[0], shape[1], self.num_heads, self.units // self.num_heads))
        pooled = ops.sum(ops.expand_dims(weights, -1) * by_head, axis=1)
        return ops.reshape(pooled, (shape[0], self.units))

    def _with_positions(self, vectors: Tensor, real: Tensor) -> Tensor:
        """Float (N, C, embedding_dim + 2 POSITION_DIM): characters and their distances to start and end."""
        from_start = ops.cumsum(ops.ones_like(real, dtype="int32"), axis=1) - 1
        from_end = ops.sum(ops.cast(real, "int32"), axis=1, keepdims=True) - 1 - from_start
        table = ops.concatenate(sinusoids(ops.shape(real)[1], POSITION_DIM), axis=-1)
        table = ops.cast(table, vectors.dtype)
        places = [ops.take(table, ops.maximum(distance, 0), axis=0) for distance in (from_start, from_end)]
        return ops.concatenate([vectors, *places], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return {
            **super().get_config(),
            "units": self.units,
            "num_heads": self.num_heads,
            "kernel_size": self.kernel_size,
        }
